"""Recorded or made expression sequences: a table of frames beside its pictures, with truth for every frame.

``root/frames.csv`` has one row per frame with the columns ``sequence``, ``person``, ``frame`` (a number),
``file`` and ``label``, and optionally ``time`` (seconds), ``intensity`` (0 to 1) and ``corruption`` (empty,
or what spoils the frame). The pictures lie below ``root``, or in the only zip archive there. A frame whose
label is empty or ``transition`` has none.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.folder import list_images
from halfsmile.taxonomy import Taxonomy, from_labels

COLUMNS = ("sequence", "person", "frame", "file", "label")
UNLABELED = frozenset(("", "transition"))


@dataclass(frozen=True, eq=False)
class Sequences:
    """Frames of sequences; row i of every array belongs to row i of the manifest.

    Args:
        manifest: ``image``, ``label``, ``person``, ``video`` (the sequence) and ``frame`` of each frame.
        times: Seconds. Shape (N,), float64.
        intensity: 0 (neutral) to 1 (apex), NaN where unknown. Shape (N,), float32.
        spoiled: True where the table names a corruption. Shape (N,), bool.
    """

    manifest: Manifest
    times: npt.NDArray[np.float64]
    intensity: npt.NDArray[np.float32]
    spoiled: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.manifest)

    def take(self, rows: npt.NDArray[np.int64]) -> Sequences:
        """Some of the frames, in the order given."""
        return Sequences(self.manifest.take(rows), self.times[rows], self.intensity[rows], self.spoiled[rows])

    def split(self, *names: str) -> Sequences:
        """The frames of some splits."""
        return self.take(np.flatnonzero([split in names for split in self.manifest.column("split")]))

    def of_people(self, people: Collection[str]) -> Sequences:
        """The frames of some people, in their order."""
        kept = np.array([person in people for person in self.manifest.column("person")], np.bool_)
        return self.take(np.flatnonzero(kept))


def read(root: Path, *, frame_rate: float = 25.0, taxonomy: Taxonomy | None = None) -> Sequences:
    """Read a table of frames.

    Frames keep their row when their picture is missing, so that the time they take is not lost; they are
    counted in a note, as are pictures that no row names.

    Args:
        root: Folder that holds ``frames.csv``.
        frame_rate: Frames a second, for tables without a column ``time``.
        taxonomy: Classes of the labels; by default the labels that occur, ``neutral`` first.

    Raises:
        ValueError: If there is no table, it lacks a column or has a row that can't be understood, no picture
            is found, or a label is not in the taxonomy.
    """
    root = Path(root)
    table = root / "frames.csv"
    if not table.is_file():
        raise ValueError(f"{root} has no frames.csv; expected a table with the columns {list(COLUMNS)}.")
    if not 0 < frame_rate < math.inf:
        raise ValueError(f"frame_rate is {frame_rate}; give the frames a second, such as 25.")
    try:
        lines = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is not a UTF-8 table of comma-separated values: {error}") from error
    lacking = [name for name in COLUMNS if not lines or name not in lines[0]]
    if lacking:
        raise ValueError(
            f"{table} has {len(lines)} rows and lacks the columns {lacking}; needed are {list(COLUMNS)}."
        )
    if short := [i for i, line in enumerate(lines) if None in line.values() or None in line]:
        raise ValueError(
            f"{table}: {len(short)} rows don't have one value per column, first row {short[0] + 1}."
        )
    prefix, pictures, notes = _pictures(root)
    locators = [prefix + line["file"] for line in lines]
    missing = [locator for locator in locators if locator not in pictures]
    if len(missing) == len(lines):
        raise ValueError(
            f"None of the {len(lines)} pictures of {table} was found, first {missing[0]}. Put them below "
            f"{root}, or into one zip archive there, under the names of the column 'file'."
        )
    if missing:
        notes.append(f"{len(missing)} frames of {table.name} have no picture, first {missing[0]}.")
    if extra := pictures - set(locators):
        notes.append(f"{len(extra)} pictures are not in {table.name} and were ignored, first {min(extra)}.")
    labels = [None if line["label"] in UNLABELED else line["label"] for line in lines]
    numbers = _numbers(lines, "frame", table)
    rows = [
        {"image": image, "label": label, "person": line["person"], "video": line["sequence"], "frame": frame}
        for image, label, line, frame in zip(
            locators, labels, lines, numbers.astype(int).tolist(), strict=True
        )
    ]
    known = taxonomy or _taxonomy({label for label in labels if label is not None}, table)
    given = [line for line in lines if line.get("intensity")]
    intensity = np.full(len(lines), np.nan, np.float32)
    intensity[[bool(line.get("intensity")) for line in lines]] = _numbers(given, "intensity", table)
    return Sequences(
        Manifest.from_rows(rows, root, known, notes),
        _numbers(lines, "time", table) if "time" in lines[0] else numbers / frame_rate,
        intensity,
        np.array([bool(line.get("corruption")) for line in lines]),
    )


def divide_people(people: Collection[str], shares: Sequence[float], *, seed: int = 0) -> list[list[str]]:
    """Disjoint groups of people in random order, the last one taking what is left.

    Args:
        people: Names; repetitions count once.
        shares: Share of the people in each group but the last.
        seed: Decides who is where.

    Raises:
        ValueError: If a group would be empty.

    Example:
        >>> [len(group) for group in divide_people(["ada", "ben", "cem", "dia"], [0.5, 0.25])]
        [2, 1, 1]
    """
    names = sorted(set(people))
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    ends = [round(len(names) * total) for total in np.cumsum([0.0, *shares])] + [len(names)]
    groups = [order[start:end] for start, end in pairwise(ends)]
    if not all(groups) or min(shares, default=1.0) < 0:
        raise ValueError(
            f"{len(names)} people can't be divided by the shares {list(shares)} and the rest: a group is "
            "empty."
        )
    return groups


def _pictures(root: Path) -> tuple[str, set[str], list[str]]:
    """What locators begin with, all locators of pictures, and notes."""
    archives = sorted(root.glob("*.zip"))
    if len(archives) > 1:
        raise ValueError(f"{root} has several archives, {[a.name for a in archives]}; leave one.")
    if not archives:
        locators, notes = list_images(root)
        return "", set(locators), [note for note in notes if "first frames.csv" not in note]
    locators, notes = list_images(archives[0])
    prefix = f"{archives[0].name}!"
    return prefix, {prefix + locator for locator in locators}, notes


def _numbers(lines: Sequence[dict[str, str]], column: str, table: Path) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(line[column]) for line in lines], np.float64)
    except ValueError as error:
        raise ValueError(f"{table}: the column {column!r} is not all numbers: {error}.") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{table}: the column {column!r} holds NaN or infinity.")
    return values


def _taxonomy(labels: set[str], table: Path) -> Taxonomy:
    if len(labels) < 2:
        raise ValueError(f"{table} has the labels {sorted(labels)}; at least two are needed.")
    return from_labels(sorted(labels, key=lambda label: (label != "neutral", label)))
