"""AffectNet: web faces with eight expressions (Mollahosseini et al. 2017, arXiv:1708.03985), both releases.

The first release has tables beside folders of photographs, each face given by a box::

    training.csv, validation.csv               manually labeled
    automatically_annotated.csv                labeled by a network
    Manually_Annotated_Images/689/….jpg        or any folder below which the names of the tables are found

The columns are ``subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks (68
points), expression, valence, arousal``; a table without this header is understood by the order of its
columns. The release of March 2021 has faces of 224 × 224 pixels and one NumPy file for each annotation::

    {train_set,val_set}/images/123.jpg
    {train_set,val_set}/annotations/123_{exp,val,aro,lnd}.npy     class, …, 68 points; as text or numbers

Labels: 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt, 8 none,
9 uncertain, 10 no face. The last three are dropped, and contempt with them where seven classes are asked for.
The validation set stands in for the test set, which was never published.
"""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import AFFECTNET7, AFFECTNET8
from halfsmile.utils.progress import Progress

COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
MANUAL = {"training.csv": "train", "validation.csv": "test"}
AUTOMATIC = {"automatically_annotated.csv": "train"}
SETS = {"train_set": "train", "val_set": "test"}
DROPPED = {7: "contempt", 8: "none", 9: "uncertain", 10: "no face"}
_LEVELS = ("", "*/", "*/*/")
_POINTS = 68


@dataclass(frozen=True)
class _Face:
    image: str
    split: str
    label: int
    box: list[float] | None
    landmarks: list[float] | None


def read(
    root: Path, *, num_classes: Literal[7, 8] = 8, automatic: bool = False, progress: bool = True
) -> Manifest:
    """Read one of the two releases.

    Args:
        root: Folder with the tables (at most two levels deep), or with ``train_set`` and ``val_set``.
        num_classes: 8, or 7 without contempt.
        automatic: Read the automatically labeled part of the first release instead of the manual one.
        progress: Show progress on standard error when it takes more than two seconds.

    Returns:
        Rows with label, split (``train`` or ``test``), and box and five landmarks where they are known.
        Dropped labels and rows without a picture are counted in the notes.

    Raises:
        ValueError: If neither release is found, a table lacks a column, or nothing is left.
    """
    root = Path(root)
    taxonomy = {7: AFFECTNET7, 8: AFFECTNET8}.get(num_classes)
    if taxonomy is None:
        raise ValueError(f"AffectNet is read with 7 or 8 classes; got {num_classes}.")
    problems: Counter[str] = Counter()
    tables = _tables(root, AUTOMATIC if automatic else MANUAL)
    if tables:
        faces = _read_tables(root, tables, problems, progress)
    elif any((root / name / "annotations").is_dir() for name in SETS) and not automatic:
        faces = _read_sets(root, problems, progress)
    else:
        wanted = ", ".join(AUTOMATIC if automatic else (*MANUAL, *(f"{name}/annotations" for name in SETS)))
        raise ValueError(f"{root} holds no AffectNet: expected one of {wanted}.")
    rows = []
    dropped: Counter[str] = Counter()
    for face in faces:
        if 0 <= face.label < num_classes:
            row = {"image": face.image, "label": taxonomy.labels[face.label], "split": face.split}
            rows.append({**row, "box": face.box, "landmarks": face.landmarks})
        else:
            dropped[DROPPED.get(face.label, f"label {face.label}")] += 1
    notes = [f"{count:,} rows {problem}." for problem, count in problems.items()]
    if dropped:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(dropped.items()))
        notes.append(
            f"{dropped.total():,} faces without one of the {num_classes} labels were dropped: {counts}."
        )
    if not rows:
        raise ValueError(f"{root}: no labeled face is left. {' '.join(notes)}")
    return Manifest.from_rows(rows, root, taxonomy, notes)


def _tables(root: Path, names: dict[str, str]) -> dict[Path, str]:
    found = {}
    for name, split in names.items():
        paths = [path for level in _LEVELS for path in sorted(root.glob(level + name))]
        if paths:
            found[paths[0]] = split
    return found


def _read_tables(
    root: Path, tables: dict[Path, str], problems: Counter[str], progress: bool
) -> Iterator[_Face]:
    for table, split in tables.items():
        records = list(_records(table))
        folder = _folder_of(root, [record[COLUMNS[0]] for record in records[:50]])
        with Progress(
            f"looking for the pictures of {table.name}", total=len(records), active=progress
        ) as shown:
            for number, record in enumerate(records, start=1):
                if number % 1000 == 0 or number == len(records):
                    shown.advance(number - shown.done)
                name = record[COLUMNS[0]]
                if not os.path.isfile(folder / name):
                    problems["have no picture and were left out"] += 1
                    continue
                yield _Face(
                    (folder / name).relative_to(root).as_posix(),
                    split,
                    _integer(record["expression"], f"{table}, {name}"),
                    _box([record[column] for column in COLUMNS[1:5]]),
                    five_points(record["facial_landmarks"].split(";")),
                )


def _records(path: Path) -> Iterator[dict[str, str]]:
    """Rows by column name; blank lines are passed over."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names: list[str] | None = None
            for fields in csv.reader(file):
                if not fields:
                    continue
                if names is None:
                    names = [field.strip() for field in fields]
                    has_header = COLUMNS[0] in names or "expression" in names
                    lacking = [name for name in COLUMNS[:7] if name not in names]
                    if has_header and lacking:
                        raise ValueError(f"{path} lacks the columns {lacking}; it has {names}.")
                    if has_header:
                        continue
                    names = list(COLUMNS)
                if len(fields) < min(len(names), 7):
                    raise ValueError(
                        f"{path}: a row has {len(fields)} columns, expected {len(names)}: {names}."
                    )
                yield {name: field.strip() for name, field in zip(names, fields, strict=False)}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a UTF-8 table of comma-separated values ({error}).") from error


def _folder_of(root: Path, names: list[str]) -> Path:
    """The folder, at most two levels deep, below which the first names of a table are found."""
    starts = sorted({name.split("/")[0] for name in names if name})
    for level in ("", "*", "*/*"):
        for folder in sorted(root.glob(level)) if level else [root]:
            if any(os.path.exists(folder / start) for start in starts):
                return folder
    raise ValueError(
        f"{root}: the pictures are not there; looked two levels deep for the folders {starts[:5]} that the "
        "table names."
    )


def _integer(text: str, where: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where}: the expression is a number from 0 to 10, found {text[:40]!r}.") from error


def _box(fields: list[str]) -> list[float] | None:
    """x0, y0, x1, y1 from x, y, width and height; None where there is none."""
    try:
        left, top, width, height = (float(field) for field in fields)
    except ValueError:
        return None
    corners = [left, top, left + width, top + height]
    return corners if all(map(math.isfinite, corners)) and min(width, height) > 0 else None


def five_points(values: list[str] | npt.NDArray[Any]) -> list[float] | None:
    """Five landmarks from 68: the middles of the eyes, the tip of the nose and the corners of the mouth.

    Args:
        values: 136 numbers x, y, x, y …, as text or numbers, in the order of Multi-PIE.

    Returns:
        10 numbers in the order of the manifest; None if there are not 136 finite numbers.
    """
    try:
        points = np.asarray(values, np.float64).reshape(_POINTS, 2)
    except ValueError:
        return None
    if not np.isfinite(points).all():
        return None
    chosen = [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
    return [float(value) for point in chosen for value in point]


def _read_sets(root: Path, problems: Counter[str], progress: bool) -> Iterator[_Face]:
    for folder, split in SETS.items():
        annotations = root / folder / "annotations"
        if not annotations.is_dir():
            continue
        pictures = root / folder / "images"
        images = {path.stem: path.name for path in pictures.iterdir()} if pictures.is_dir() else {}
        names = sorted(path.name.removesuffix("_exp.npy") for path in annotations.glob("*_exp.npy"))
        if extra := len(images.keys() - set(names)):
            problems[f"of {folder} have a picture but no label"] += extra
        with Progress(f"reading the labels of {folder}", total=len(names), active=progress) as shown:
            for number, name in enumerate(names, start=1):
                if number % 1000 == 0 or number == len(names):
                    shown.advance(number - shown.done)
                if name not in images:
                    problems["have no picture and were left out"] += 1
                    continue
                try:
                    label = _integer(str(_array(annotations / f"{name}_exp.npy").item()), name)
                except ValueError:
                    problems["have a damaged annotation and were left out"] += 1
                    continue
                yield _Face(
                    f"{folder}/images/{images[name]}",
                    split,
                    label,
                    None,
                    _points(annotations / f"{name}_lnd.npy"),
                )


def _array(path: Path) -> npt.NDArray[Any]:
    """A NumPy file; pickled ones are refused."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, EOFError) as error:
        raise ValueError(f"{path} can't be read ({error}).") from error


def _points(path: Path) -> list[float] | None:
    try:
        return five_points(_array(path).ravel())
    except ValueError:
        return None
