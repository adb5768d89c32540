"""``halfsmile export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.options import RunFolder, require_paths
from halfsmile.runs.folder import RunFolder as ExistingRun
from halfsmile.utils.console import make_console

StageOption = Annotated[
    Literal["finetune", "semi", "tune"] | None,
    tyro.conf.arg(metavar="{finetune,semi,tune}", help_behavior_hint="(default: the last one)"),
]


@dataclass(frozen=True)
class ExportRun:
    """Export a run as one ONNX file that predicts without torch, calibrated and checked.

    Calibrated means that its confidence is how often it is right: of answers with 80 %, 80 in 100. It is
    checked face by face against the network that was trained.

    Args:
        run_folder: The folder of a run, as `halfsmile train` made it.
        out: Where the files go; in place of RUN/export.
        int8: Also write a file with numbers of 8 bits (int8): smaller, and often faster.
        openvino: Also write files for OpenVINO, Intel's runtime.
        target_error: Share of wrong ones that answers called certain may have; the threshold of confidence
            from which they are called so is chosen for it.
        set_coverage: Least share of faces whose set of expressions shall hold the true one, on average over
            all faces. Higher values make larger sets.
        mirror: With --no-mirror the file looks at a face once, which is twice as fast and a little less
            accurate. Without it, answers for a face and its mirror image are averaged, as `halfsmile
            evaluate` does.
        zoom: Above 1, view the face and its mirror image so many times closer too, which takes twice as
            long and may be more accurate. Choose it on faces that are not tested on.
        stage: The stage of training to export, where an earlier one was better than the last one on faces
            that trained nothing (validation), as this command and the report say.
        average: Other runs whose answers are averaged with this one's, in one file: right more often, and as
            slow as all of them together. They must have learned from no other labels. Needs --out.
        name: What the model calls itself.
        data: Where the labeled data set is now, if it has moved.
    """

    extra: ClassVar[str] = "export"

    run_folder: RunFolder
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: RUN/export)")
    ] = None
    int8: bool = False
    openvino: bool = False
    target_error: float = 0.1
    set_coverage: float = 0.9
    mirror: Annotated[bool, tyro.conf.arg(help_behavior_hint="(default: averaged)")] = True
    zoom: float = 1.0
    stage: StageOption = None
    average: Annotated[
        tuple[Path, ...], tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(default: alone)")
    ] = ()
    name: Annotated[
        str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the recipe's name)")
    ] = None
    data: Annotated[
        Path | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="(default: where it was)")
    ] = None

    def run(self) -> None:
        """Calibrate, export, check and show."""
        ExistingRun.existing(self.run_folder)
        require_paths(data=self.data)
        from halfsmile.export.export_run import export_run

        export_run(
            self.run_folder,
            out=self.out,
            int8=self.int8,
            openvino=self.openvino,
            target_error=self.target_error,
            set_coverage=self.set_coverage,
            mirror=self.mirror,
            zoom=self.zoom,
            stage=self.stage,
            others=self.average,
            name=self.name,
            data=self.data,
        ).show(make_console())
