"""The pure part of the cross-tool table: names, scores, matched faces, Markdown; ``cross_tool.py`` runs it.

The tools' labels come as the tools name them and are mapped by name, never by index.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from halfsmile.metrics.scores import accuracy, balanced_accuracy, class_scores, confusion_counts, macro_f1
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.utils.markdown import markdown_table

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Box = Sequence[float]
Results = Sequence[tuple[str, Any]]
"""Title of a row, and what its worker wrote or a sentence on why there is nothing."""

EIGHT = FERPLUS
SEVEN = Taxonomy("shared", tuple(label for label in FERPLUS.labels if label != "contempt"))
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""Meaning of the column ``emotion`` of ``fer2013.csv``."""
NAMES = {
    **{label: label for label in EIGHT.labels},
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
"""What the tools' own names mean."""


@dataclass(frozen=True)
class Known:
    """A face that is in a photograph.

    Args:
        photo: File, relative to the folder of the photographs.
        region: (left, top, right, bottom) around the head.
        label: Expression; None where nobody stated one.
    """

    photo: str
    region: tuple[float, float, float, float]
    label: str | None = None


PORTRAITS = (
    Known("astronaut.png", (160, 50, 285, 195)),
    Known("obama.jpg", (290, 60, 560, 400)),
    Known("two_people.jpg", (195, 15, 350, 215)),
    Known("two_people.jpg", (680, 30, 850, 250)),
)
"""Photographs without a file of labels; regions set by eye."""
LONDON = (150.0, 120.0, 360.0, 400.0)
"""Where the head is in a picture of the London set, 512 × 512."""


def known_faces(demo: Path) -> list[Known]:
    """The faces of the demo photographs, photograph by photograph."""
    known = list(PORTRAITS)
    with (demo / "group_london.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            x, y, width, height = (float(row[name]) for name in "xywh")
            known.append(Known("group_london.jpg", (x, y, x + width, y + height), row["label"]))
    with (demo / "london" / "labels.csv").open(newline="") as file:
        known += [Known(f"london/{row['file']}", LONDON, row["label"]) for row in csv.DictReader(file)]
    return known


def fer2013_labels(root: Path, locators: Sequence[str]) -> list[str | None]:
    """FER2013's own labels of ``fer2013.csv#row`` locators; None where they are not known."""
    path = root / "fer2013.csv"
    if not path.is_file():
        return [None] * len(locators)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        column = [name.strip() for name in next(reader)].index("emotion")
        emotions = [int(row[column]) for row in reader if row]
    numbers = [emotions[int(locator.rpartition("#")[2])] for locator in locators]
    return [FER2013[number] if number >= 0 else None for number in numbers]


def in_taxonomy(probabilities: Scores, names: Sequence[str], taxonomy: Taxonomy) -> Scores:
    """A tool's (N, K) probabilities in the order of a taxonomy; 0 for a label that the tool does not know.

    Raises:
        ValueError: If a name is unknown, two mean the same, or there is not one column a name.
    """
    labels = [NAMES.get(name) for name in names]
    if None in labels or len(set(labels)) < len(labels) or probabilities.shape[1:] != (len(names),):
        raise ValueError(
            f"The tool's {probabilities.shape[1:]} columns are named {list(names)}; "
            f"expected different names of {sorted(NAMES)}, one a column."
        )
    columns = np.zeros((len(probabilities), len(taxonomy)))
    for label, column in zip(labels, probabilities.T, strict=True):
        if label in taxonomy.labels:
            columns[:, taxonomy.index(label)] = column
    return columns


def confusion(
    probabilities: Scores, names: Sequence[str], truth: Sequence[str | None], taxonomy: Taxonomy
) -> Counts:
    """(K, K) counts of the images whose truth is in the taxonomy; rows are the truth."""
    targets = {row: taxonomy.index(label) for row, label in enumerate(truth) if label in taxonomy.labels}
    predicted = in_taxonomy(probabilities, names, taxonomy)[list(targets)].argmax(axis=1)
    return confusion_counts(predicted, np.array(list(targets.values()), np.int64), len(taxonomy))


def is_order_right(counts: Counts) -> bool:
    """Whether no other naming of the tool's outputs would fit the truth better than the one used."""
    recalls = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = linear_sum_assignment(-recalls)
    return bool(recalls[rows, columns].sum() <= np.trace(recalls) + 1e-9)


def match(known: Sequence[Known], boxes: Sequence[Box]) -> list[int | None]:
    """For every known face of one photograph the row of the box that shows it, or None.

    A box shows a face if its center lies in the face's region and it is half to twice as wide as that. No
    box shows two faces; of several boxes the one nearest in width counts.
    """
    costs = np.full((len(known), len(boxes)), np.inf)
    for i, face in enumerate(known):
        left, top, right, bottom = face.region
        for j, box in enumerate(boxes):
            x, y, ratio = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) / (right - left)
            if left <= x <= right and top <= y <= bottom and 0.5 <= ratio <= 2:
                costs[i, j] = abs(np.log(ratio))
    rows: list[int | None] = [None] * len(known)
    for face_row, box_row in zip(*linear_sum_assignment(np.minimum(costs, 1e6)), strict=True):
        if np.isfinite(costs[face_row, box_row]):
            rows[int(face_row)] = int(box_row)
    return rows


def size(count: float) -> str:
    """Bytes for people, decimal units.

    Example:
        >>> size(2_500_000_000), size(12_300_000)
        ('2.50 GB', '12 MB')
    """
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _scores(counts: Counts) -> list[str]:
    return [f"{100 * float(score(counts)):.1f}" for score in (accuracy, balanced_accuracy, macro_f1)]


def crop_tables(results: Results, truth: Sequence[str], fer2013: Sequence[str | None]) -> list[str]:
    """What the classifiers say of the same crops: scores and costs, then recall of each class.

    Args:
        results: Rows.
        truth: FERPlus label of each crop.
        fer2013: FER2013's own label of each crop, None where it is not known.
    """
    rows, recalls, warnings = [], [], []
    for title, result in results:
        if isinstance(result, str):
            rows.append([title, result])
            continue
        found, names = np.array(result["probabilities"], np.float64), result["labels"]
        seven, eight = (confusion(found, names, truth, taxonomy) for taxonomy in (SEVEN, EIGHT))
        if not is_order_right(seven):
            warnings.append(f"{title}: another order of its labels fits better; check the mapping.")
        old = _scores(confusion(found, names, fer2013, SEVEN))[0] if any(fer2013) else "–"
        rates = [f"{result[name]:.0f}" for name in ("single_rate", "batched_rate")]
        sizes = [size(result[name]) for name in ("peak_bytes", "install_bytes")]
        rows.append([title, *_scores(seven), *_scores(eight), old, *rates, *sizes])
        recalls.append([title, *(f"{100 * recall:.0f}" for recall in class_scores(eight)[1])])
    header = ["classifier", "7 classes: accuracy", "balanced", "macro F1", "8 classes: accuracy", "balanced"]
    header += ["macro F1", "accuracy by FER2013's labels", "faces/s, one by one", "faces/s, in batches"]
    header += ["peak memory", "installed"]
    return [markdown_table(header, rows), markdown_table(["recall, %", *EIGHT.labels], recalls), *warnings]


def photo_tables(results: Results, known: Sequence[Known]) -> list[str]:
    """What the tools say of whole photographs: counts and costs, then expressions side by side.

    Args:
        results: Rows; their photographs are in the order in which ``known`` first names them.
        known: Faces that are there, photograph by photograph.
    """
    photos = list(dict.fromkeys(face.photo for face in known))
    labeled = sum(face.label is not None for face in known)
    rows: list[list[str]] = []
    columns: list[list[str]] = []
    for title, result in results:
        if isinstance(result, str):
            rows.append([title, result])
            continue
        answers: list[str] = []
        extra = right = 0
        for photo, faces in zip(photos, result["photos"], strict=True):
            here = [face for face in known if face.photo == photo]
            matched = match(here, [face["box"] for face in faces])
            extra += len(faces) - sum(row is not None for row in matched)
            for face, row in zip(here, matched, strict=True):
                if row is None:
                    answers.append("missed")
                    continue
                found = np.array([faces[row]["probabilities"]], np.float64)
                said = in_taxonomy(found, result["labels"], EIGHT)[0]
                expression = EIGHT.labels[int(said.argmax())]
                answers.append(f"{expression} {said.max():.2f}")
                right += face.label == expression
        missed = answers.count("missed")
        counts = [f"{len(known) - missed} of {len(known)}", str(missed), str(extra), f"{right} of {labeled}"]
        rates = [
            result["rate"],
            result["rate"] * (len(known) - missed) / len(photos),
            result["first_seconds"],
        ]
        rows.append([title, *counts, *(f"{rate:.1f}" for rate in rates), size(result["peak_bytes"])])
        columns.append([title, *answers])
    header = ["tool (detector)", "faces found", "missed", "extra", "labeled faces right", "photographs/s"]
    header += ["faces/s", "s to the first answer", "peak memory"]
    faces = [f"{face.photo} ({face.label or 'no label'})" for face in known]
    beside = [list(row) for row in zip(faces, *(answers[1:] for answers in columns), strict=True)]
    return [
        markdown_table(header, rows),
        markdown_table(["face (label)", *(answers[0] for answers in columns)], beside),
    ]
