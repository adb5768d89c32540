"""How good a model is on labeled data: what :func:`halfsmile.evaluate` gives, shown, or written as files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console

from halfsmile.data.manifest import LeftOut
from halfsmile.data.preprocess import Image
from halfsmile.data.protocols.protocol import Protocol
from halfsmile.evaluation.score_tables import class_table, confusion_table, score_table
from halfsmile.metrics.bootstrap import Interval, Statistic
from halfsmile.metrics.scores import SCORES_EXPLAINED, Metrics
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.runs.predictions import Predictions, write_predictions
from halfsmile.utils.console import make_console
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.page import plural
from halfsmile.utils.percent import percent

STATISTICS: Final[dict[str, Statistic]] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "macro_f1": "macro_f1_of_truth",
}
"""Scores that have an interval, and how they are computed."""

TITLES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1"}

FILES = ("metrics.json", "predictions.parquet", "report.html")
KIND = "evaluation of a model"
SHOWN_FILES = 5
FRAMES_ALIKE = "Frames of one video are much alike, so the intervals are too narrow."


@dataclass(frozen=True)
class CertainAnswers:
    """What the model's threshold of certainty does on the scored faces.

    Args:
        threshold: Confidence from which an answer counts as certain.
        target_error: Largest share of wrong ones among them that the threshold was chosen for.
        share: Share of certain answers.
        error: Share of wrong ones among them; None where no answer is certain.
    """

    threshold: float
    target_error: float | None
    share: float
    error: float | None


@dataclass(frozen=True, eq=False)
class ShownMistakes:
    """The surest wrong answers with their pictures.

    Args:
        crops: (M, S, S, C) uint8, what the model saw; the surest first.
        truth: M labels.
        answers: M labels.
        confidence: (M,) probability of the answer.
    """

    crops: Image
    truth: tuple[str, ...]
    answers: tuple[str, ...]
    confidence: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """Scores of a model on labeled data.

    Args:
        model: What the model file says of itself.
        source: Where the model is from, for people.
        sha256: Of the model file, where it is known.
        data: The data set.
        protocol: What a number on these rows means.
        rows: Which rows, for people.
        splits: The chosen splits; empty for all labeled rows.
        renames: Labels of the data that are called otherwise by the model; None left the rows out.
        dropped: Number of rows that were left out by a rename.
        faces: How faces were had, for people.
        predictions: Of the faces that were scored, in the order of the rows.
        metrics: Scores over all classes of the model, macro F1 over the classes that the data have.
        intervals: Bootstrap 95 % interval by the names of :data:`STATISTICS`.
        certain: What its threshold does; None where the model has none.
        no_face: Locators of rows whose face was not found.
        unreadable: (locator, reason) of pictures that could not be read.
        mistakes: The surest wrong answers; None where all are right.
        notes: What the reader of the data did.
        hint: What to try, where most faces were not found.
    """

    model: ModelFacts
    source: str
    sha256: str | None
    data: Path
    protocol: Protocol
    rows: str
    splits: tuple[str, ...]
    renames: dict[str, str | None]
    dropped: int
    faces: str
    predictions: Predictions
    metrics: Metrics
    intervals: dict[str, Interval]
    certain: CertainAnswers | None
    no_face: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    mistakes: ShownMistakes | None
    notes: tuple[str, ...] = ()
    hint: str | None = None

    @property
    def accuracy(self) -> float:
        """Share of right answers among the scored faces."""
        return self.metrics.accuracy

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that the data have."""
        return self.metrics.balanced_accuracy

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that the data have."""
        return self.metrics.macro_f1

    @property
    def accuracy_of_all(self) -> float:
        """Share of right answers among all readable pictures, a face that was not found counting as wrong."""
        return self.accuracy * self.metrics.count / (self.metrics.count + len(self.no_face))

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that the scored faces have, in the model's order."""
        return tuple(name for name, scores in self.metrics.per_class.items() if scores["support"])

    @property
    def answers_elsewhere(self) -> dict[str, int]:
        """How often the model gave an answer that no scored face has as its label."""
        counts = self.metrics.confusion.sum(axis=0).tolist()
        names = self.metrics.per_class
        return {n: c for n, c in zip(names, counts, strict=True) if c and n not in self.classes}

    def scoring(self) -> str:
        """How answers and classes were counted, for people."""
        absent = [name for name in self.model.labels if name not in self.classes]
        if not absent:
            return (
                "The data have all classes of the model; balanced accuracy and macro F1 are means over them."
            )
        elsewhere = sum(self.answers_elsewhere.values())
        return (
            f"The data have {len(self.classes)} of the model's {len(self.model.labels)} classes, not "
            f"{', '.join(absent)}: answers for these ({elsewhere:,} here) count as wrong, and balanced "
            "accuracy and macro F1 are means over the classes that the data have."
        )

    def not_scored(self) -> list[str]:
        """Sentences on the pictures without a score, and on what reading the data left out or found wrong."""
        said = []
        if self.no_face:
            count = self.metrics.count + len(self.no_face)
            said.append(
                f"No face was found for {len(self.no_face):,} of {plural(count, 'row')}, and the scores "
                "leave them out; counted as wrong, they make an accuracy of "
                f"{percent(self.accuracy_of_all, 2)}."
            )
        if self.unreadable:
            said.append(f"{plural(len(self.unreadable), 'picture')} could not be read and took no part.")
        return said + [note for note in self.notes if isinstance(note, LeftOut)]

    def to_dict(self) -> dict[str, Any]:
        """All numbers as plain values, ready for JSON."""
        return {
            "kind": KIND,
            "model": {"name": self.model.name, "source": self.source, "sha256": self.sha256},
            "labels": list(self.model.labels),
            "data": str(self.data),
            "protocol": self.protocol.describe(),
            "rows": self.rows,
            "splits": list(self.splits),
            "renames": self.renames,
            "dropped": self.dropped,
            "faces": self.faces,
            "classes": list(self.classes),
            **self.metrics.to_dict(),
            "intervals": {name: [interval.low, interval.high] for name, interval in self.intervals.items()},
            "certain": None if self.certain is None else asdict(self.certain),
            "accuracy_no_face_wrong": self.accuracy_of_all,
            "no_face": list(self.no_face),
            "unreadable": [list(item) for item in self.unreadable],
            "notes": list(self.notes),
        }

    def write(self, folder: Path) -> None:
        """Write ``metrics.json`` and ``predictions.parquet`` into a folder, which is made if need be.

        Raises:
            ValueError: See :func:`require_place`.
        """
        require_place(folder)
        write_json(folder / FILES[0], self.to_dict())
        found = self.predictions
        write_predictions(
            folder / FILES[1],
            found.images,
            found.splits,
            found.targets,
            found.probabilities,
            found.taxonomy,
        )

    def show(self, console: Console | None = None) -> None:
        """Print for people: what was measured, the scores, each class, the confusion matrix."""
        console = console or make_console()

        def say(text: str, style: str | None = None) -> None:
            console.print(text, style=style, soft_wrap=True)

        for line in (f"model: {self.source}", f"data:  {self.protocol.describe()}", self.rows, self.faces):
            say(line)
        console.print("", score_table(self.metrics, {TITLES[n]: i for n, i in self.intervals.items()}))
        say(self.scoring())
        if self.protocol.is_video:
            say(FRAMES_ALIKE)
        for sentence in (certain_sentence(self.certain), *self.not_scored()):
            say(sentence)
        listed = [*((image, "no face found") for image in self.no_face), *self.unreadable]
        for image, reason in listed[:SHOWN_FILES]:
            say(f"  {image}: {reason.removeprefix(f'{image}: ')}", "dim")
        if len(listed) > SHOWN_FILES:
            say(f"  … and {len(listed) - SHOWN_FILES:,} more; --out FOLDER lists all of them", "dim")
        if self.hint:
            say(self.hint, "yellow")
        console.print("", class_table(self.metrics))
        console.print("Confusion: rows are the truth, columns the answers, by their numbers")
        console.print(confusion_table(self.metrics))
        console.print(SCORES_EXPLAINED, style="dim")


def require_place(folder: Path) -> None:
    """Refuse a place for :data:`FILES` that would cost other files.

    Raises:
        ValueError: If it is a file or a run folder, or holds files of these names that no evaluation of a
            model wrote.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; --out takes a folder for {', '.join(FILES)}.")
    if (folder / "recipe.json").exists():
        raise ValueError(
            f"{folder} is a run folder, whose own {FILES[0]} would be lost. Give another folder, as --out "
            f"{folder / 'elsewhere'}."
        )
    taken = [name for name in FILES if (folder / name).exists()]
    if taken and not _is_ours(folder / FILES[0]):
        raise ValueError(
            f"{folder} holds {', '.join(taken)}, which no evaluation of a model wrote. Give another folder "
            "for --out, or move them."
        )


def _is_ours(path: Path) -> bool:
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def certain_sentence(certain: CertainAnswers | None) -> str:
    """What the threshold does, for people."""
    if certain is None:
        return "The model has no threshold of certainty: it was exported without calibration."
    rule = f"Certain answers (confidence from {certain.threshold:.3f} on): {percent(certain.share)}"
    if certain.error is None:
        return f"{rule}."
    aim = "" if certain.target_error is None else f" (the threshold aims at {100 * certain.target_error:g} %)"
    return f"{rule}, of which {percent(certain.error)} are wrong{aim}."
