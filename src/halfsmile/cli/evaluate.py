"""``halfsmile evaluate``, ``report`` and ``compare``: how good a model is, and what became of runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from halfsmile.cli.data_options import PUBLISHED, Flag, Reading, Renames, renames
from halfsmile.cli.options import Classes, DataSetName, Device, OptionalFile, RunFolder, require_paths
from halfsmile.utils.console import make_console, silence_opencv

if TYPE_CHECKING:
    from halfsmile.data.protocols.protocol import Protocol
    from halfsmile.metrics.scores import Metrics


Target = Annotated[
    Path | None,
    tyro.conf.Positional,
    tyro.conf.arg(metavar="[TARGET]", help_behavior_hint="(default: the model in the box)"),
]
Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: none)")]
Data = Annotated[Path | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="(default: the run's own)")]
Splits = Annotated[
    tuple[Literal["train", "valid", "test", "all"], ...],
    tyro.conf.arg(metavar="SPLIT [SPLIT ...]", help_behavior_hint="(default: the test splits, if any)"),
]
DetectorOption = Annotated[
    Literal["auto", "yunet", "mtcnn"] | None,
    tyro.conf.arg(metavar="{auto,yunet,mtcnn}", help_behavior_hint="(default: auto)"),
]


@dataclass(frozen=True)
class Evaluate(Reading):
    """Score a ready model on labeled data of your own, or measure a run on its own test split again.

    halfsmile evaluate --data MY_FACES scores the model in the box, halfsmile evaluate model.onnx --data
    MY_FACES an exported one; halfsmile evaluate RUN measures every stage of a run.

    Args:
        target: An exported model (the ONNX file of `halfsmile export`, or its folder), or the folder of a
            run. Without it the model in the box.
        data: Labeled pictures in any layout that `halfsmile data check` recognizes; of a run, where its own
            data are now, if they have moved.
        out: Folder for metrics.json, predictions.parquet and report.html; without it nothing is written.
        split: Rows to score: the test splits that papers score this data set on, and all labeled rows of data
            that have no splits, unless other splits, or all rows, are named.
        rename: What labels of the data are for the model, as happy=happiness; none leaves their rows out.
        aligned: Take pictures as they are, each as one face. So are FERPlus, RAF-DB, AffectNet of 2021,
            Aff-Wild2 and stores (of `halfsmile data prepare`), whose faces were cut out already, unless a
            detector is named.
        detector: What finds the faces: the network yunet or mtcnn; auto is yunet.
        data_set: What the data are, where that is not recognized or recognized wrongly.
        classes: Classes of AffectNet: 7, or 8 with contempt.
        device: Where to compute the stages of a run.
    """

    after_stop: ClassVar[str] = "Nothing was kept; the same command begins anew."

    target: Target = None
    data: Data = None
    out: Folder = None
    split: Splits = ()
    rename: Renames = ()
    aligned: Flag = False
    detector: DetectorOption = None
    data_set: DataSetName = None
    classes: Classes = None
    device: Device = None

    def run(self) -> None:
        """Score and show."""
        require_paths(data=self.data)
        if self.target is not None and not self.target.exists():
            raise ValueError(f"{self.target} does not exist. Give a run folder or an exported ONNX file.")
        if self.target is not None and (self.target / "recipe.json").is_file():
            self._run_folder(self.target)
        else:
            self._model()

    def _run_folder(self, folder: Path) -> None:
        """Measure a run on its own test split."""
        from halfsmile import api

        given = [f"--{name.replace('_', '-')}" for name in _OF_MODELS if getattr(self, name)]
        if given:
            model = folder / "export/model.onnx"
            raise ValueError(
                f"{folder} is a run, which is measured on its own test split; {', '.join(given)} "
                f"{'are' if len(given) > 1 else 'is'} for models. To score its model on other data: "
                f"`halfsmile export {folder}`, then `halfsmile evaluate {model} --data DATA`."
            )
        run = api.Run.open(folder)
        found = run.evaluate_stages(data=self.data, device=self.device)
        show_metrics(found, run.protocol, run.recipe.labels)

    def _model(self) -> None:
        """Score a model on labeled data."""
        from halfsmile import api

        self._require_model()
        if self.data is None:
            raise ValueError(
                "Say which labeled data to score the model on: `halfsmile evaluate "
                f"{'' if self.target is None else f'{self.target} '}--data DATA`. To measure a run again: "
                "`halfsmile evaluate RUN`."
            )
        if self.device is not None:
            raise ValueError("--device is for runs; an exported model computes on the processor.")
        if named := [text for text in self.rename if ":" in text.partition("=")[0]]:
            raise ValueError(
                f"{named[0]!r} names a source, and only one is scored: write old=new or old=none."
            )
        silence_opencv()
        published = PUBLISHED.get(self.layout)
        found = api.evaluate(
            self.target,
            data=self.data,
            split=self.split,
            rename=renames(self.rename),
            aligned=self.aligned or None,
            detector=self.detector,
            data_set=self.data_set or published,
            label_rule=self.label_rule,
            num_classes=self.classes,
            layout=None if published else self.layout,
            reading={name: said for name, said in self.reader_options().items() if name != "rule"},
            out=self.out,
        )
        found.show(make_console())
        if self.out is not None:
            make_console().print(f"Report: {self.out / 'report.html'}", soft_wrap=True)

    def _require_model(self) -> None:
        """Refuse a folder that is neither a run nor an export."""
        if self.target is None or not self.target.is_dir() or (self.target / "model.onnx").is_file():
            return
        raise ValueError(
            f"{self.target} is not a run folder (it has no recipe.json) and not an export (no model.onnx). "
            "`halfsmile train` makes the one, `halfsmile export RUN` the other. Labeled data are named by "
            f"--data: `halfsmile evaluate --data {self.target}` scores the model in the box on them."
        )


_OF_MODELS = (
    "out",
    "split",
    "rename",
    "aligned",
    "detector",
    "data_set",
    "label_rule",
    "classes",
    "layout",
    "columns",
    "label_names",
    "box",
    "splits",
    "from_names",
)


@dataclass(frozen=True)
class Report:
    """Write report.html, one self-contained page, into the folder of a run.

    Args:
        run_folder: The folder, as `halfsmile train` made it.
    """

    extra: ClassVar[str] = "report"

    run_folder: RunFolder

    def run(self) -> None:
        """Write the page and say where it is."""
        from halfsmile.report.report import write_report
        from halfsmile.runs.folder import RunFolder

        RunFolder.existing(self.run_folder)
        make_console(stderr=True).print(f"report: drawing the page of {self.run_folder} …", soft_wrap=True)
        make_console().print(f"Report: {write_report(self.run_folder)}", soft_wrap=True)


@dataclass(frozen=True)
class Compare:
    """Put runs side by side: mean and deviation over seeds, and each one's difference from the first.

    A difference has the interval in which it lies with 95 % certainty if other test faces of the kind had
    been drawn (a paired bootstrap: both runs are scored on the same faces, drawn again and again).

    Args:
        run_folders: Folders of two or more runs with the same test images.
        markdown: Also write the table into this file.
    """

    run_folders: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(required)"),
    ]
    markdown: OptionalFile = None

    def run(self) -> None:
        """Compare and show."""
        from halfsmile.evaluation.compare import compare
        from halfsmile.utils.files import atomic_write

        result = compare(self.run_folders)
        result.render(make_console())
        if self.markdown is not None:
            with atomic_write(self.markdown) as temporary:
                temporary.write_text(result.to_markdown(), encoding="utf-8")


def show_metrics(found: dict[str, Metrics], protocol: Protocol, labels: str) -> None:
    """Print the scores of each stage on the test split, what they mean, and what others published.

    Args:
        found: Scores by stage.
        protocol: What they mean.
        labels: Label budget.
    """
    from rich.table import Table

    from halfsmile.data.protocols.published import published
    from halfsmile.metrics.scores import SCORES_EXPLAINED
    from halfsmile.runs.stages import setbacks
    from halfsmile.utils.percent import percent

    table = Table(title="Test split (last step, averaged weights; nothing was selected on it)")
    for column in ("stage", "accuracy", "balanced accuracy", "macro F1", "NLL", "ECE"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, metrics in found.items():
        values = (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1)
        table.add_row(stage, *(percent(v, 2) for v in values), f"{metrics.nll:.3f}", f"{metrics.ece:.3f}")
    console = make_console()
    console.print(table)
    console.print(SCORES_EXPLAINED, style="dim")
    for sentence in setbacks({stage: metrics.shares for stage, metrics in found.items()}):
        console.print(sentence, style="yellow", highlight=False, soft_wrap=True)
    console.print(f"{protocol.describe()} · {labels} of the labels", soft_wrap=True)
    for number in published(protocol, labels):
        console.print(
            f"published for the same: {number.method} {number.value:.2f} % ({number.source})", soft_wrap=True
        )
