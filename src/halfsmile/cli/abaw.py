"""``halfsmile abaw``: folds, submissions and their check for the ABAW expression challenge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from halfsmile.cli.options import DataPath, Table
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Submit:
    """Write a submission to the ABAW challenge from probabilities of frames, smoothed over time; check it.

    Args:
        predictions: Parquet with the columns image and probabilities.
        example: The organizers' example submission, or their list of frames.
        out: Where the submission goes.
        kind: How neighboring frames are averaged.
        width: Its width in seconds.
        max_gap: Longest gap in seconds that is filled in.
        fps: Frames per second of the videos; crops do not tell it.
    """

    predictions: Table
    example: Path
    out: Path
    kind: Literal["average", "gaussian", "median", "none"] = "average"
    width: float = 3.3
    max_gap: float = 1.0
    fps: float = 30.0

    def run(self) -> None:
        """Write, check and say what was filled in."""
        from halfsmile.evaluation.abaw.submission import check_submission, expected_frames
        from halfsmile.evaluation.abaw.submit import submit
        from halfsmile.sequences.smoothing import Smoothing

        smoothing = Smoothing(self.kind, self.width, self.max_gap)
        filled = submit(
            self.predictions, self.example, self.out, smoothing=smoothing, frames_per_second=self.fps
        )
        console = make_console()
        console.print(
            f"{len(filled.classes):,} frames; {filled.nearest:,} took the class of the nearest frame with a "
            f"result, {filled.neutral:,} are neutral for want of any.",
        )
        console.print(check_submission(self.out, expected_frames(self.example)).to_text())


@dataclass(frozen=True)
class CheckSubmission:
    """Check a submission; exit status 1 if the organizers would refuse it.

    Args:
        submission: The file.
        example: The organizers' example submission, or their list of frames.
    """

    submission: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    example: Path

    def run(self) -> None:
        """Check and show every problem with its count."""
        from halfsmile.evaluation.abaw.submission import check_submission, expected_frames

        report = check_submission(self.submission, expected_frames(self.example))
        make_console().print(report.to_text(), soft_wrap=True)
        if not report.is_valid:
            raise SystemExit(1)


@dataclass(frozen=True)
class Folds:
    """Divide Aff-Wild2's videos into folds, parts that are tested in turn; people of a video stay together.

    Args:
        root: Aff-Wild2's folder.
        out: JSON file that says which video is in which fold.
        crops: Which of the organizers' cut-out faces are used.
        folds: Number of folds.
        seed: Of the draw.
    """

    root: DataPath
    out: Path
    crops: Literal["cropped_aligned", "cropped"] = "cropped_aligned"
    folds: int = 5
    seed: int = 0

    def run(self) -> None:
        """Draw and write."""
        from halfsmile.data.readers import affwild2
        from halfsmile.evaluation.abaw.metric import video_folds
        from halfsmile.utils.files import write_json

        manifest = affwild2.read(self.root, crops=self.crops)
        write_json(self.out, video_folds(manifest, num_folds=self.folds, seed=self.seed))
        make_console().print(f"{self.folds} folds: {self.out}", soft_wrap=True)


@dataclass(frozen=True)
class Abaw:
    """For the ABAW challenge (expressions in the videos of Aff-Wild2): folds, submissions, their check."""


ACTIONS = {"submit": Submit, "check": CheckSubmission, "folds": Folds}
"""What may follow ``halfsmile abaw``."""
