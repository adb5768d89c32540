"""FERPlus: the 35,887 web faces of FER2013 with ten votes each (Barsoum et al. 2016, arXiv:1608.01041).

Two official layouts are read:

* ``fer2013.csv`` (emotion, pixels, Usage) beside ``fer2013new.csv`` (Usage, Image name, ten vote columns);
  both files have the same rows in the same order.
* ``FER2013Train``, ``FER2013Valid``, ``FER2013Test`` with PNG files, each with its ``label.csv`` (name, box,
  ten votes; no header), or the three folders beside ``fer2013new.csv``.

One label is made of ten votes by a rule, and the rules give different data sets. State the rule with every
number. Rows left by each rule (before exact copies are dropped), from the complete ``fer2013new.csv``:

================  =======  =======  =======  ===========================================================
rule              train    valid    test     winner
================  =======  =======  =======  ===========================================================
``argmax``        28,389   3,553    3,546    most votes of all ten columns; dropped if unknown or NF
``argmax8``       28,559   3,579    3,573    most votes among the eight emotions only
``majority``      25,060   3,199    3,153    official: more than half of the votes
``probability``   27,956   3,505    3,505    official, also "cross-entropy": top votes up to 75 %
``multi_target``  27,671   3,472    3,472    official: all emotions with at least 30 %
================  =======  =======  =======  ===========================================================

The three official rules first ignore columns with a single vote. Ties go to the first column. ``votes`` of
the manifest are the raw votes for the eight emotions, scaled to sum 1, whatever the rule.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.copies import copies_to_drop
from halfsmile.data.images import hash_images
from halfsmile.data.manifest import SPLITS, Fault, LeftOut, Manifest
from halfsmile.taxonomy import FERPLUS

Votes = npt.NDArray[np.int64]
Winners = npt.NDArray[np.int64]

COLUMNS = (*FERPLUS.labels, "unknown", "NF")
USAGES = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
NUM_EMOTIONS = len(FERPLUS)
_VOTES = (
    "put fer2013new.csv beside it, from https://github.com/microsoft/FERPlus. Without it the data set is "
    "FER2013, "
    "which has seven labels of its own: leave --data-set and --label-rule away."
)


def _emotion(scores: Votes) -> Winners:
    """Column with the highest score, −1 where that is unknown, NF, or nobody's."""
    winners = np.asarray(scores.argmax(axis=1), np.int64)
    winners[(winners >= NUM_EMOTIONS) | (scores.max(axis=1) <= 0)] = -1
    return winners


def _without_single_votes(votes: Votes) -> Votes:
    return np.where(votes > 1, votes, 0)


def _argmax(votes: Votes) -> Winners:
    return _emotion(votes)


def _argmax8(votes: Votes) -> Winners:
    return _emotion(votes[:, :NUM_EMOTIONS])


def _majority(votes: Votes) -> Winners:
    votes = _without_single_votes(votes)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), _emotion(votes), -1)


def _multi_target(votes: Votes) -> Winners:
    votes = _without_single_votes(votes)
    total = votes.sum(axis=1)
    shared = np.where(10 * votes >= 3 * total[:, None], votes, 0)
    return np.where(2 * shared.sum(axis=1) > total, _emotion(shared), -1)


def _probability(votes: Votes) -> Winners:
    votes = _without_single_votes(votes)
    return np.where(np.array([_few_take_most(row) for row in votes], bool), _emotion(votes), -1)


def _few_take_most(votes: Votes) -> bool:
    """Whether at most three emotions, taken in the order of their votes, hold more than half of all votes.

    Taking stops at three quarters of the votes, at three emotions, or where unknown or NF comes next.
    Emotions with equal votes are taken together, so there may be more than three: then the row is refused.
    """
    total = votes.sum()
    left = votes.copy()
    taken = count = 0
    while 4 * taken < 3 * total and count < 3:
        peak = left.max()
        tied = np.flatnonzero(left == peak)
        emotions = tied[tied < NUM_EMOTIONS]
        taken += int(peak) * len(emotions)
        count += len(emotions)
        left[emotions] = 0
        if len(emotions) < len(tied):
            break
    return bool(2 * taken > total and count <= 3)


RULES: dict[str, Callable[[Votes], Winners]] = {
    "argmax": _argmax,
    "argmax8": _argmax8,
    "majority": _majority,
    "probability": _probability,
    "multi_target": _multi_target,
}
"""Label rules by name: votes (N, 10) to the index of an emotion (N,), −1 where the row is dropped."""


@dataclass(frozen=True)
class _Row:
    locator: str
    split: str
    votes: list[int]


def read(root: Path, *, rule: str = "argmax") -> Manifest:
    """Read FERPlus from a folder in one of its official layouts.

    PublicTest is the validation split and PrivateTest the test split. Training images whose pixels equal a
    validation or test image (of any label, so that it holds for every rule) are dropped; the notes count
    them. Copies of test images among the validation images stay and are only counted.

    Args:
        root: Folder with ``fer2013.csv`` and ``fer2013new.csv``, or with the three image folders.
        rule: One of :data:`RULES`.

    Returns:
        Rows in the official order with label, votes (8), split and sha256 (None where a picture can't be
        read).

    Raises:
        ValueError: If the rule is unknown, a file, column, row or picture is missing, none of the pictures
            can be read, or the files do not belong together.
    """
    root = Path(root)
    if rule not in RULES:
        raise ValueError(f"Label rule {rule!r} is unknown; FERPlus has {', '.join(RULES)}.")
    if (root / "fer2013.csv").is_file() and not (root / "fer2013new.csv").is_file():
        raise ValueError(f"{root} has the faces of FER2013 and not the votes of FERPlus: {_VOTES}")
    if (root / "fer2013.csv").is_file():
        rows, notes = _read_csv_layout(root)
    elif any((root / folder).is_dir() for folder in FOLDERS.values()):
        rows, notes = _read_folder_layout(root)
    else:
        raise ValueError(
            f"{root} holds no FERPlus: expected fer2013.csv and fer2013new.csv, or the folders "
            f"{', '.join(FOLDERS.values())} with a label.csv each. FERPlus has only the votes "
            "(fer2013new.csv); the images are FER2013's (fer2013.csv)."
        )
    if not rows:
        raise ValueError(f"{root}: FERPlus names no image.")

    hashes = hash_images(root, [row.locator for row in rows])
    unread = hashes.count(None)
    if unread == len(rows):
        raise ValueError(f"{root}: none of the {len(rows):,} pictures can be read, first {rows[0].locator}.")
    if unread:
        notes.append(f"{unread:,} pictures can't be read, so whether they are copies is not known.")
    splits = np.array([row.split for row in rows])
    votes = np.array([row.votes for row in rows], dtype=np.int64)
    winners = RULES[rule](votes)

    is_copy = copies_to_drop(hashes, splits.tolist())
    is_labeled = winners >= 0
    keep = np.flatnonzero(is_labeled & ~is_copy)

    before, after = Counter(splits[is_labeled]), Counter(splits[keep])
    dropped, copies = int((~is_labeled).sum()), int((is_copy & is_labeled).sum())
    rule_note = (
        f"FERPlus, label rule {rule}: {_counts(before)} rows have a label; "
        f"{dropped} rows without a winning emotion were dropped."
    )
    copies_note = (
        f"{copies} labeled training images were dropped because they are exact "
        f"copies of validation or test images ({int(is_copy.sum())} before the label rule): {_counts(after)}."
    )
    notes += [
        LeftOut(rule_note) if dropped else rule_note,
        LeftOut(copies_note) if copies else copies_note,
    ]
    of_test = {digest for digest, split in zip(hashes, splits, strict=True) if digest and split == "test"}
    shared = sum(hashes[i] in of_test for i in keep if splits[i] == "valid")
    if shared:
        notes.append(f"{shared} validation images are exact copies of test images; they were kept.")

    shares = votes[keep, :NUM_EMOTIONS] / votes[keep, :NUM_EMOTIONS].sum(axis=1, keepdims=True)
    return Manifest.from_rows(
        (
            {
                "image": rows[i].locator,
                "label": FERPLUS.labels[winners[i]],
                "votes": share.tolist(),
                "split": rows[i].split,
                "sha256": hashes[i],
            }
            for i, share in zip(keep, shares, strict=True)
        ),
        root,
        FERPLUS,
        notes,
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{split} {counter[split]:,}" for split in SPLITS)


def _read_csv_layout(root: Path) -> tuple[list[_Row], list[str]]:
    usages = [record["Usage"].strip() for record in _records(root / "fer2013.csv", ("pixels", "Usage"))]
    entries = list(_vote_records(root / "fer2013new.csv"))
    if len(usages) != len(entries):
        raise ValueError(
            f"{root}: fer2013.csv has {len(usages):,} rows and fer2013new.csv {len(entries):,}. They are "
            "joined by row, so both must be complete and in the official order (35,887 rows)."
        )
    rows = []
    for index, (usage, (split, name, votes)) in enumerate(zip(usages, entries, strict=True)):
        if USAGES.get(usage) != split:
            raise ValueError(
                f"{root}: data row {index} is {usage!r} in fer2013.csv and {split!r} in fer2013new.csv; "
                "the two files are not in the same order."
            )
        if name:
            rows.append(_Row(f"fer2013.csv#{index}", split, votes))
    return rows, _unnamed(len(entries) - len(rows))


def _read_folder_layout(root: Path) -> tuple[list[_Row], list[str]]:
    for folder in FOLDERS.values():
        if not (root / folder).is_dir():
            raise ValueError(f"{root}: folder {folder} is missing; expected {', '.join(FOLDERS.values())}.")
    if all((root / folder / "label.csv").is_file() for folder in FOLDERS.values()):
        entries = [
            entry
            for split, folder in FOLDERS.items()
            for entry in _label_file(root / folder / "label.csv", split)
        ]
    elif (root / "fer2013new.csv").is_file():
        entries = list(_vote_records(root / "fer2013new.csv"))
    else:
        raise ValueError(f"{root}: each image folder needs its label.csv, or {root.name} a fer2013new.csv.")
    rows = [_Row(f"{FOLDERS[split]}/{name}", split, votes) for split, name, votes in entries if name]
    notes = _unnamed(len(entries) - len(rows))
    missing = {row.locator for row in rows if not (root / row.locator).is_file()}
    if len(missing) == len({row.locator for row in rows}):
        raise ValueError(
            f"{root}: all {len(missing):,} images of the label files are missing, first {min(missing)}."
        )
    if missing:
        notes.append(
            Fault(
                f"{len(missing):,} images of the label files are missing and were left out, first "
                f"{min(missing)}."
            )
        )
        rows = [row for row in rows if row.locator not in missing]
    uses = Counter(row.locator for row in rows)
    unique = [row for row in rows if uses[row.locator] == 1]
    if len(unique) < len(rows):
        notes.append(
            Fault(
                f"{len(rows) - len(unique)} rows share a file name with another row and were dropped: "
                "which votes belong to the picture can't be told."
            )
        )
    return unique, notes


def _unnamed(count: int) -> list[str]:
    text = f"{count} rows to which FERPlus gives no image name (not a face) were dropped."
    return [LeftOut(text)] if count else []


def _records(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The wanted columns of a CSV file with a header, as dictionaries."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist; FERPlus needs fer2013.csv and fer2013new.csv side by side.")
    with _reading(path) as reader:
        header = [name.strip() for name in next(reader, [])]
        absent = [name for name in columns if name not in header]
        if absent:
            raise ValueError(f"{path} lacks the columns {absent}; it has {header}.")
        positions = {name: header.index(name) for name in columns}
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise ValueError(
                    f"{path}, line {reader.line_num}: {len(fields)} columns, expected {len(header)}."
                )
            yield {name: fields[position] for name, position in positions.items()}


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a CSV file in UTF-8: {error}.") from error


def _vote_records(path: Path) -> Iterator[tuple[str, str, list[int]]]:
    """Split, image name and the ten votes of each row of ``fer2013new.csv``."""
    for index, record in enumerate(_records(path, ("Usage", "Image name", *COLUMNS))):
        usage = record["Usage"].strip()
        if usage not in USAGES:
            raise ValueError(f"{path}, data row {index}: Usage {usage!r} is not one of {list(USAGES)}.")
        votes = _votes([record[name] for name in COLUMNS], f"{path}, data row {index}")
        yield USAGES[usage], record["Image name"].strip(), votes


def _label_file(path: Path, split: str) -> Iterator[tuple[str, str, list[int]]]:
    """Split, image name and votes of a ``label.csv``; older ones lack the box in the second column."""
    with _reading(path) as reader:
        for fields in reader:
            if not fields:
                continue
            if len(fields) not in (len(COLUMNS) + 1, len(COLUMNS) + 2):
                raise ValueError(
                    f"{path}: a row has {len(fields)} columns, expected name, box and ten votes."
                )
            yield split, fields[0].strip(), _votes(fields[-len(COLUMNS) :], f"{path}, {fields[0]}")


def _votes(fields: list[str], where: str) -> list[int]:
    try:
        votes = [int(field) for field in fields]
    except ValueError as error:
        raise ValueError(f"{where}: votes are whole numbers, found {fields}.") from error
    if min(votes) < 0:
        raise ValueError(f"{where}: votes are not negative, found {fields}.")
    return votes
