"""RAF-DB, single-label subset ("basic"): 15,339 faces with seven expressions (Li et al. 2017, CVPR).

The layout, below one root or in a folder ``basic`` there::

    EmoLabel/list_patition_label.txt       (sic) lines "train_00001.jpg 5", from 1 surprise to 7 neutral
    Image/aligned/train_00001_aligned.jpg  100 × 100
    Image/original/train_00001.jpg         as found on the web

The split is the beginning of the file name. The complete set has 12,271 training and 3,068 test images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from halfsmile.data.containers.archive import open_archive
from halfsmile.data.manifest import Fault, Manifest
from halfsmile.taxonomy import RAFDB

Crops = Literal["aligned", "original"]
LIST = "EmoLabel/list_patition_label.txt"
COMPLETE = {"train": 12_271, "test": 3_068}


def read(root: Path, *, crops: Crops = "aligned") -> Manifest:
    """Read the faces that the list names.

    Args:
        root: Folder with ``EmoLabel`` and ``Image``, or the folder above ``basic``, or an archive of them.
        crops: ``aligned`` faces, or the ``original`` pictures.

    Returns:
        Rows in the order of the list with label and split. Rows without a picture are left out and counted.

    Raises:
        ValueError: If the list is missing or has a line that can't be understood, or no picture is found.
    """
    root = Path(root)
    names = open_archive(root).names if root.is_file() else ()
    base = next((base for base in _bases(names) if _is_file(root, names, base + LIST)), None)
    if base is None:
        raise ValueError(f"{root} holds no RAF-DB: expected {LIST} (spelled like this), or basic/{LIST}.")
    text = open_archive(root).read(base + LIST) if names else (root / base / LIST).read_bytes()
    lines = [line.split() for line in _text(root / base / LIST, text).splitlines()]
    folder = f"{base}Image/{crops}"
    present = _present(root, names, folder)
    rows, missing = [], []
    for number, fields in enumerate(lines, start=1):
        if not fields:
            continue
        name, label, split = _entry(fields, f"{root / base / LIST}, line {number}")
        file = name if crops == "original" else f"{Path(name).stem}_aligned{Path(name).suffix}"
        if file not in present:
            missing.append(file)
            continue
        rows.append({"image": f"{folder}/{file}", "label": label, "split": split})
    if not rows:
        raise ValueError(
            f"{root / folder} has none of the {len(missing):,} pictures that {LIST} names"
            + (f", first {missing[0]}." if missing else ".")
        )
    notes: list[str] = []
    if missing:
        notes.append(
            Fault(
                f"{len(missing):,} rows of {LIST} have no picture in {crops} and were left out, "
                f"first {missing[0]}."
            )
        )
    counts = Counter(row["split"] for row in rows)
    if counts != COMPLETE:
        notes.append(
            f"RAF-DB is not complete: {counts['train']:,} of {COMPLETE['train']:,} training and "
            f"{counts['test']:,} of {COMPLETE['test']:,} test images."
        )
    return Manifest.from_rows(rows, root, RAFDB, notes)


def _bases(names: Sequence[str]) -> list[str]:
    """Folders that the list may lie in; in an archive, whatever it wraps them in."""
    inside = [name.removesuffix(LIST) for name in names if name == LIST or name.endswith(f"/{LIST}")]
    return inside or ["", "basic/"]


def _is_file(root: Path, names: Sequence[str], name: str) -> bool:
    return name in names if names else (root / name).is_file()


def _present(root: Path, names: Sequence[str], folder: str) -> set[str]:
    """Names of the files in a folder."""
    if names:
        return {name.rpartition("/")[2] for name in names if name.rpartition("/")[0] == folder}
    place = root / folder
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
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
