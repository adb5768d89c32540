"""Boxes in tables: which columns hold them, what their four numbers are, and whether that is plausible."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.tables.values import BoxFormat, four_numbers, is_number

_XYXY = (
    "x0 y0 x1 y1", "x1 y1 x2 y2", "xmin ymin xmax ymax", "minx miny maxx maxy", "left top right bottom",
    "xtl ytl xbr ybr", "tlx tly brx bry", "startx starty endx endy", "xstart ystart xend yend",
)  # fmt: skip
_CORNERS = (
    "x y", "left top", "xmin ymin", "minx miny", "x0 y0", "x1 y1", "xtl ytl", "tlx tly", "startx starty",
    "topleftx toplefty",
)  # fmt: skip
_CENTERS = ("cx cy", "xc yc", "xcenter ycenter", "centerx centery", "xcentre ycentre")
_SIZES = ("w h", "width height")
_FOUR: dict[tuple[str, ...], BoxFormat] = {
    **{tuple(names.split()): "xyxy" for names in _XYXY},
    **{tuple(f"{corner} {size}".split()): "xywh" for corner in _CORNERS for size in _SIZES},
    **{tuple(f"{center} {size}".split()): "cxcywh" for center in _CENTERS for size in _SIZES},
}
_COUNTED = (tuple("0123"), tuple("1234"))
_ONE = ("box", "bbox", "boundingbox", "facebox", "facebbox", "faceboundingbox", "rect", "facerect",
        "facerectangle", "facelocation")  # fmt: skip
_FORMATS: tuple[BoxFormat, ...] = ("xyxy", "xywh", "cxcywh")
CHOICE = (
    "--box xywh if they are x, y, width, height; --box cxcywh if x, y are the center; --box xyxy if they "
    "are two corners."
)
"""How to say what the four numbers of a box are."""
_POINT = re.compile(r"[xy]\d")
_AROUND = re.compile(r"(?:face)?(?:bounding)?(?:bbox|box|rectangle|rect|bb|roi|region|crop)?", re.IGNORECASE)
_COLUMN = re.compile(r"column (\d+)")
_MANY_EMPTY = 0.05
_FEW = 4
_CLEARLY = 0.8
_WILD = 0.2


def box_of(names: Sequence[str]) -> tuple[tuple[str, ...], BoxFormat | None] | None:
    """The columns of a box, and what their names say of the numbers; None where no names are one's.

    Names count without capitals and marks, and with the same word in front, as ``face`` or ``bbox``.

    Example:
        >>> box_of(["image", "face_x", "face_y", "face_w", "face_h"])
        (('face_x', 'face_y', 'face_w', 'face_h'), 'xywh')
        >>> box_of(["image", "bbox"]), box_of(["x", "y"])
        ((('bbox',), None), None)
    """
    plain = {name: "".join(letter for letter in name.casefold() if letter.isalnum()) for name in names}
    for name, key in plain.items():
        if key in _ONE:
            return (name,), None
        if said := next(
            (form for form in _FORMATS if key.endswith(form) and key[: -len(form)] in _ONE), None
        ):
            return (name,), said
    groups: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, key in reversed(plain.items()):
        for front in {"", _front(key)}:
            groups[front][key.removeprefix(front)] = name
    for four, said in _FOUR.items():
        for group in groups.values():
            if all(part in group for part in four) and not _are_points(four, group):
                return tuple(group[part] for part in four), said
    for front, group in groups.items():
        for four in _COUNTED:
            if front and all(part in group for part in four):
                return tuple(group[part] for part in four), None
    return None


def _are_points(four: Sequence[str], group: Mapping[str, str]) -> bool:
    """Whether counted corners are the first of more points, as landmarks or the corners of a turned box."""
    counted = all(_POINT.fullmatch(part) for part in four)
    return counted and sum(_POINT.fullmatch(key) is not None for key in group) > len(four)


def format_of(names: Sequence[str]) -> BoxFormat | None:
    """What the names of the columns that were said to hold the box tell of its numbers."""
    found = box_of(names)
    return found[1] if found is not None and found[0] == tuple(names) else None


def unread_boxes(path: Path, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """A note on unused columns with four numbers in each cell, which may be boxes."""
    found = []
    for name in names:
        cells = [row.get(name) for row in rows if row.get(name) not in (None, "")]
        if cells and 2 * sum(four_numbers(cell) is not None for cell in cells) > len(cells):
            found.append(name)
    if not found and (four := _four_in_a_row(rows, names)):
        return [
            LeftOut(
                f"{path.name}: the columns {', '.join(four)} hold numbers and were not used. If they are "
                f"boxes: --columns 'box={','.join(four)}' --box xywh for x, y, width, height, or --box xyxy "
                "for two corners."
            )
        ]
    if not found:
        return []
    return [
        LeftOut(
            f"{path.name}: the column {found[0]} has four numbers in each row and was not used. If they are "
            f"boxes: --columns box={found[0]} --box xywh for x, y, width, height, or --box xyxy for two "
            "corners."
        )
    ]


def _four_in_a_row(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[str, ...]:
    """The first four columns without names of their own, one behind the other, that hold numbers."""
    numbers = {int(match[1]): name for name in names if (match := _COLUMN.fullmatch(name))}
    for first in numbers:
        four = [numbers[at] for at in range(first, first + 4) if at in numbers]
        cells = [str(row.get(name) or "").replace(",", ".") for name in four for row in rows]
        if len(four) == 4 and cells and all(map(is_number, cells)):
            return tuple(four)
    return ()


def require_pixels(path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse boxes in shares of the picture.

    Raises:
        ValueError: If all of them lie between 0 and 1.
    """
    boxes = [row["box"] for row in rows if row.get("box")]
    if boxes and max(map(max, boxes)) <= 2 and any(value % 1 for four in boxes for value in four):
        raise ValueError(
            f"{path}: the boxes in {', '.join(names)} are shares of the picture, and pixels are read. "
            "Multiply them by "
            "its width and height, or leave them out: --columns box="
        )


def require_corners(
    path: Path,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    empty: int,
    *,
    choice: str = CHOICE,
) -> None:
    """Refuse to take numbers for two corners that may as well be a corner and a size.

    Faces are about as high as wide: where the shapes of the boxes differ as much, read as corners, as they
    would with width and height in the last two numbers, nothing tells what they are.

    Args:
        path: Of the table.
        names: Columns of the boxes.
        rows: What was read.
        empty: Number of further boxes, without an area.
        choice: How to say what the numbers are.

    Raises:
        ValueError: If many boxes would be empty, all end in one point though they begin in many, or their
            shapes are as wild as those of sizes.
    """
    boxes = [row["box"] for row in rows if row.get("box")]
    if empty > _MANY_EMPTY * (len(boxes) + empty):
        raise ValueError(
            f"{path}: taken for corners x0, y0, x1, y1, {empty:,} of {len(boxes) + empty:,} boxes in "
            f"{', '.join(names)} would be empty. Say what the numbers are: {choice}"
        )
    starts, (end, times) = (
        Counter(tuple(b[:2]) for b in boxes),
        max(Counter(tuple(b[2:]) for b in boxes).items(), key=lambda item: item[1], default=((), 0)),
    )
    if times >= _FEW and 2 * times > len(boxes) and len(starts) > times // 2 and len(starts) > 1:
        raise ValueError(
            f"{path}: {times:,} of {len(boxes):,} boxes in {', '.join(names)} end in {list(end)} though "
            "they begin in "
            f"{len(starts):,} places: these may be sizes. Say what the numbers are: {choice}"
        )
    corners, sizes = _wildness(boxes)
    if len(starts) >= _FEW and corners > _CLEARLY * sizes:
        raise ValueError(
            f"{path}: the four numbers in {', '.join(names)}, first {boxes[0]}, may be two corners, or a "
            f"corner, width and height. Say what they are: {choice}"
        )


def other_format(
    path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]], read: BoxFormat
) -> list[str]:
    """A fault where the names of columns say one thing of the boxes and the shapes of faces another."""
    boxes = [row["box"] for row in rows if row.get("box")]
    if len({tuple(box[:2]) for box in boxes}) < _FEW or read == "cxcywh":
        return []
    raw = boxes if read == "xyxy" else [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes]
    corners, sizes = _wildness(raw)
    mine, theirs, other = (corners, sizes, "xywh") if read == "xyxy" else (sizes, corners, "xyxy")
    if mine <= max(_WILD, 2 * theirs):
        return []
    return [
        Fault(
            f"{path.name}: by their names, {', '.join(names)} are {read}, but then the boxes have shapes "
            f"that faces don't have; as {other} they would. Say what they are: --box {other} or --box {read}."
        )
    ]


def _wildness(boxes: Sequence[Sequence[float]]) -> tuple[float, float]:
    """How much the shapes of boxes differ, their last two numbers taken for a corner, and for a size.

    Standard deviations of the logarithm of width by height; infinite where a box would be empty.
    """
    if not boxes:
        return 0.0, 0.0
    x, y, a, b = np.asarray(boxes, np.float64).T
    spreads = []
    for width, height in ((a - x, b - y), (a, b)):
        is_empty = bool((np.minimum(width, height) <= 0).any())
        spreads.append(np.inf if is_empty else float(np.log(width / height).std()))
    return spreads[0], spreads[1]


def _front(key: str) -> str:
    """The words for a box that a name begins with."""
    match = _AROUND.match(key)
    return match[0] if match else ""
