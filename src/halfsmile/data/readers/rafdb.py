"""RAF-DB, single-label subset ("basic"): 15,339 faces with seven expressions (Li et al. 2017, CVPR).

The layout, below one root or in a folder ``basic`` there::

    EmoLabel/list_patition_label.txt       (sic) lines "train_00001.jpg 5", from 1 surprise to 7 neutral
    Image/aligned/train_00001_aligned.jpg  100 × 100
    Image/original/train_00001.jpg         as found on the web

The split is the beginning of the file name. The complete set has 12,271 training and 3,068 test images.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import RAFDB

Crops = Literal["aligned", "original"]
LIST = "EmoLabel/list_patition_label.txt"
COMPLETE = {"train": 12_271, "test": 3_068}


def read(root: Path, *, crops: Crops = "aligned") -> Manifest:
    """Read the faces that the list names.

    Args:
        root: Folder with ``EmoLabel`` and ``Image``, or the folder above ``basic``.
        crops: ``aligned`` faces, or the ``original`` pictures.

    Returns:
        Rows in the order of the list with label and split. Rows without a picture are left out and counted.

    Raises:
        ValueError: If the list is missing or has a line that can't be understood, or no picture is found.
    """
    root = Path(root)
    base = next((folder for folder in (root, root / "basic") if (folder / LIST).is_file()), None)
    if base is None:
        raise ValueError(f"{root} holds no RAF-DB: expected {LIST} (spelled like this), or basic/{LIST}.")
    lines = [line.split() for line in _text(base / LIST).splitlines()]
    folder = base / "Image" / crops
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    rows, missing = [], []
    for number, fields in enumerate(lines, start=1):
        if not fields:
            continue
        name, label, split = _entry(fields, f"{base / LIST}, line {number}")
        file = name if crops == "original" else f"{Path(name).stem}_aligned{Path(name).suffix}"
        if file not in present:
            missing.append(file)
            continue
        rows.append({"image": (folder / file).relative_to(root).as_posix(), "label": label, "split": split})
    if not rows:
        raise ValueError(
            f"{folder} has none of the {len(missing):,} pictures that {LIST} names"
            + (f", first {missing[0]}." if missing else ".")
        )
    notes = []
    if missing:
        notes.append(
            f"{len(missing):,} rows of {LIST} have no picture in {folder.name} and were left out, "
            f"first {missing[0]}."
        )
    counts = Counter(row["split"] for row in rows)
    if counts != COMPLETE:
        notes.append(
            f"RAF-DB is not complete: {counts['train']:,} of {COMPLETE['train']:,} training and "
            f"{counts['test']:,} of {COMPLETE['test']:,} test images."
        )
    return Manifest.from_rows(rows, root, RAFDB, notes)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text ({error}).") from error


def _entry(fields: list[str], where: str) -> tuple[str, str, str]:
    """File name, label and split of one line."""
    if len(fields) != 2 or not fields[1].isascii() or not fields[1].isdecimal():
        raise ValueError(f"{where}: expected a file name and a number, found {' '.join(fields)[:80]!r}.")
    name, number = fields[0], int(fields[1][:9])
    split = name.partition("_")[0]
    if split not in COMPLETE or "/" in name:
        raise ValueError(f"{where}: file names begin with train_ or test_, found {name[:80]!r}.")
    if not 1 <= number <= len(RAFDB):
        raise ValueError(f"{where}: labels are 1 (surprise) to 7 (neutral), found {number}.")
    return name, RAFDB.labels[number - 1], split
