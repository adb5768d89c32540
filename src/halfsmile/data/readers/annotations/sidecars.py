"""A file with the label for each picture: text with one word or number, WebDataset's ``.cls``, JSON, NumPy's.

``1.txt`` beside ``1.jpg`` or in another folder, also as ``1_emotion.txt`` (CK+), ``1_exp.npy`` (AffectNet) or
``1.jpg.json``. JSON tells
the label by its words of expressions or by a usual name, and boxes as the points of LabelMe and Supervisely
or by usual names; a list of faces gives a row for each.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from halfsmile.data.manifest import Fault, LeftOut, Manifest
from halfsmile.data.readers.annotations.files import Files, manifest_of, split_of_path
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.words import expression_of
from halfsmile.data.tables.boxes import box_of
from halfsmile.data.tables.json_rows import flattened
from halfsmile.data.tables.labels import whole
from halfsmile.data.tables.names import NAMES
from halfsmile.data.tables.values import cell_text, is_number, parse_row

Row = dict[str, Any]

TEXTS = (".txt", ".cls", ".label", ".lab", ".cat", ".emotion", ".emo", ".npy")
ENDING = re.compile(r"[_.-](emotions?|labels?|expressions?|expr?|facs|annotations?)$", re.IGNORECASE)
"""What the name of such a file may have behind that of the picture."""
_LABELS = {name for name in NAMES["label"] if isinstance(name, str)}
_POINTS = ("points", "exterior")
_SAMPLE = 50
_ENOUGH = 0.9
_LONGEST = 40
_NUMPY = b"\x93NUMPY"
_LONGEST_ARRAY = 4096


def is_sidecars(files: Files) -> bool:
    """Whether most files that are called as pictures are hold a label each.

    Labels are expressions or numbers for the most part, unless the files are called after labels: others may
    be of anything.
    """
    found = files_of(files)
    if not found or (2 * len(found) <= len(files.images) and not any(map(_says_so, found.values()))):
        return False
    some = list(found.values())[:: max(1, len(found) // _SAMPLE)]
    told = [row["label"] for name in some for row in _rows(files, name)[:1] if row.get("label")]
    known = [label for label in told if expression_of(label) or is_number(label)]
    if len(told) < max(2, _ENOUGH * len(some)):
        return False
    return 2 * len(known) > len(told) or all(map(_says_so, some))


def read(root: Path, *, labels: Mapping[str, str | None] | None = None) -> Manifest:
    """One row for each picture, or for each face that its file tells of.

    Args:
        root: Folder or archive.
        labels: Class by what the files say; None drops its pictures.

    Raises:
        UnreadLabelsError: If labels are numbers without names.
        ValueError: If there is no such file.
    """
    files = Files.below(root)
    found = files_of(files)
    rows: list[Row] = []
    silent: list[str] = []
    for image in files.images:
        row = {"image": image, "split": split_of_path(image)}
        told = _rows(files, found[image]) if image in found else []
        if image in found and not any(one.get("label") for one in told):
            silent.append(found[image])
        rows += [{**row, **one} for one in told] or [row]
    notes: list[str] = []
    if silent:
        notes.append(Fault(f"{len(silent):,} files beside pictures tell no label, first {silent[0]}."))
    if unread := {name for row in rows for name in row.pop("unread", ())}:
        notes.append(
            LeftOut(
                f"Boxes in {', '.join(sorted(unread))} were not used: nothing says what their numbers are."
            )
        )
    return manifest_of(files.root, rows, labels, notes)


def files_of(files: Files) -> dict[str, str]:
    """File by picture: the one of its name, in the nearest folder where there are several.

    JSON goes before text, which may be a caption.
    """
    by_stem: defaultdict[str, list[str]] = defaultdict(list)
    for name in files.names:
        path = PurePosixPath(name)
        if path.suffix.lower() in (*TEXTS, ".json") and not path.name.startswith("."):
            stem = PurePosixPath(path.stem).stem if has_image_suffix(path.stem) else path.stem
            by_stem[ENDING.sub("", stem)].append(name)
    nearest: dict[tuple[str, bool], _Nearest] = {}
    for stem, names in by_stem.items():
        nearest[stem, True] = _Nearest([name for name in names if name.lower().endswith(".json")])
        nearest[stem, False] = _Nearest(names)
    found = {}
    for image in files.images if by_stem else ():
        stem = PurePosixPath(image).stem
        if stem in by_stem and (best := nearest[stem, True].to(image) or nearest[stem, False].to(image)):
            found[image] = best
    times = Counter(found.values())
    return {image: name for image, name in found.items() if times[name] == 1}


class _Nearest:
    """Finds among files the one whose folders are most like a picture's.

    Likeness is how many folders two paths have in common, less those that only the file has. It depends on
    the folders of a picture that files have, too, and so is found once for each such set.

    Args:
        names: Paths of the files.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._in_folder: defaultdict[str, list[str]] = defaultdict(list)
        self._below: defaultdict[str, list[str]] = defaultdict(list)
        self._folders = {name: frozenset(PurePosixPath(name).parts[:-1]) for name in names}
        for name, folders in self._folders.items():
            self._in_folder[name.rpartition("/")[0]].append(name)
            for folder in folders:
                self._below[folder].append(name)
        self._fewest = min(map(len, self._folders.values()), default=0)
        self._known: dict[frozenset[str], str | None] = {}

    def to(self, image: str) -> str | None:
        """The file beside the picture, or else the one most like it; None where two are alike."""
        if len(beside := self._in_folder.get(image.rpartition("/")[0], [])) == 1:
            return beside[0]
        shared = frozenset(part for part in PurePosixPath(image).parts[:-1] if part in self._below)
        if shared not in self._known:
            self._known[shared] = self._most_like(shared)
        return self._known[shared]

    def _most_like(self, shared: frozenset[str]) -> str | None:
        """The search begins with the rarest folder, and ends where no file without it can be as like."""
        scores: dict[str, int] = {}
        left = len(shared)
        for folder in sorted(shared, key=lambda folder: len(self._below[folder])):
            for name in self._below[folder]:
                scores[name] = 2 * len(shared & self._folders[name]) - len(self._folders[name])
            left -= 1
            if max(scores.values()) > 2 * left - self._fewest:
                break
        else:
            scores |= {name: -len(folders) for name, folders in self._folders.items() if name not in scores}
        top = max(scores.values(), default=0)
        best = [name for name, score in scores.items() if score == top]
        return best[0] if len(best) == 1 else None


def _says_so(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() not in (".txt", ".json") or ENDING.search(path.stem) is not None


def _rows(files: Files, name: str) -> list[Row]:
    """What a file tells: label and box of each face."""
    try:
        data = files.read(name)
        text = _in_array(data, name) if name.lower().endswith(".npy") else data.decode("utf-8-sig").strip()
        if not name.lower().endswith(".json"):
            return [{"label": label}] if (label := _label(text)) else []
        document = json.loads(text)
        faces = document if isinstance(document, list) else [document]
        return [_row(row) for face in faces if isinstance(face, dict) for row in flattened(face)]
    except (ValueError, RecursionError):
        return []


def _in_array(data: bytes, name: str) -> str:
    """The one value of NumPy's file; nothing for several, or for a fraction unless it is called after labels.

    Objects are never unpickled, and nothing is read of files that are too long for one value.
    """
    if not data.startswith(_NUMPY) or len(data) > _LONGEST_ARRAY:
        return ""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (EOFError, MemoryError) as error:
        raise ValueError(f"{name} is damaged.") from error
    if array.size != 1:
        return ""
    value = array.item()
    text = value.decode("utf-8-sig").strip() if isinstance(value, bytes) else str(value).strip()
    is_fraction = is_number(text) and not whole(text).removeprefix("-").isdecimal()
    return "" if is_fraction and ENDING.search(PurePosixPath(name).stem) is None else text


def _label(text: str) -> str | None:
    """A text that is a label: an expression, a number, or one word; None for others, such as captions."""
    if (word := expression_of(text)) or is_number(text):
        return word or whole(text)
    is_word = len(text) <= _LONGEST and all(part.isalpha() for part in re.split(r"[_-]", text))
    return text if is_word else None


def _row(record: Mapping[str, Any]) -> Row:
    """Label and box of a face, as JSON tells them."""
    cells = {name: text for name, cell in record.items() if (text := cell_text(cell)) is not None}
    known = [text for name, text in cells.items() if name.casefold() in _LABELS]
    words = [text for text in cells.values() if expression_of(text)]
    told = [text for text in known if expression_of(text)] or (words if len(set(words)) == 1 else known)
    label = next(iter(told), None)
    row: Row = {"label": None if label is None else whole(label)}
    points = next((record[name] for name in _POINTS if name in record), None)
    if isinstance(points, list) and len(points) > 1 and all(_is_point(point) for point in points):
        row["box"] = _box_around(points, is_circle=record.get("shape_type") == "circle")
    elif (box := box_of(list(record))) is not None:
        names, form = box
        if form is None:
            return {**row, "unread": names}
        values = {"image": "-", **{name: record[name] for name in names}}
        row["box"] = parse_row(values, {"image": ("image",), "box": names}, form)["box"]
    return row


def _box_around(points: Sequence[Sequence[float]], *, is_circle: bool) -> list[float] | None:
    """The box around points, or around LabelMe's circle of a center and a point of its edge; None if flat."""
    (x0, y0), (x1, y1) = points[0], points[1]
    if is_circle:
        radius = math.hypot(x1 - x0, y1 - y0)
        points = [(x0 - radius, y0 - radius), (x0 + radius, y0 + radius)]
    x, y = list(zip(*points, strict=True))
    return [min(x), min(y), max(x), max(y)] if min(x) < max(x) and min(y) < max(y) else None


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(isinstance(v, int | float) for v in point)
