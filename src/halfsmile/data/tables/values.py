"""One row of a table to one row of a manifest: text, numbers, boxes and landmarks out of any cell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.words import split_of

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
"""Two corners; a corner and the size; the center and the size."""
YES_OR_NO = {"true": 1.0, "yes": 1.0, "x": 1.0, "✓": 1.0, "✔": 1.0, "false": 0.0, "no": 0.0}
"""What columns of votes say in words and marks."""
LENGTHS = {"box": 4, "landmarks": 10}
_DECIMAL_COMMA = re.compile(r"0,\d+|\d+,(\d{1,2}|\d{4,})")  # 1,234 may be a thousand


class EmptyBoxError(ValueError):
    """A box without an area, as it was read."""


def parse_row(
    record: Mapping[str, Any],
    chosen: Mapping[str, Sequence[str]],
    box: BoxFormat,
    splits: Mapping[str, str | None] | None = None,
    *,
    is_comma_decimal: bool = False,
    has_marks: bool = False,
) -> dict[str, Any]:
    """Values of one row; labels and votes stay as the table has them.

    Args:
        record: Cells by column: text, numbers, lists or None.
        chosen: Columns for each part of the manifest.
        box: ``xyxy``: x0, y0, x1, y1. ``xywh``: x, y, width, height. ``cxcywh``: the center instead.
        splits: Split by what cells have for it, where they are no usual names; None for none.
        is_comma_decimal: Whether ``0,5`` is a number.
        has_marks: Whether votes are marks, so that an empty cell of them is 0 and not unknown.

    Raises:
        ValueError: If there is no image, or a cell can't be understood.
    """
    row: dict[str, Any] = {}
    for part, names in chosen.items():
        values = [record.get(name) for name in names]
        if part == "votes" and has_marks and any(cell_text(value) for value in values):
            values = [0.0 if cell_text(value) is None else value for value in values]
        if part in ("box", "landmarks", "votes"):
            row[part] = _numbers(part, values, is_comma_decimal=is_comma_decimal)
        else:
            row[part] = cell_text(values[0])
    row["image"] = _path([record.get(name) for name in chosen["image"]])
    if row.get("frame") is not None:
        row["frame"] = _whole(row["frame"])
    if row.get("split") is not None:
        row["split"] = _split(row["split"], splits or {})
    if row.get("box") is not None and len(set(row["box"])) == 1 and row["box"][0] <= 0:
        row["box"] = None  # 0 or -1 four times is how tables say that there is none
    if row.get("box") is not None:
        x0, y0, x1, y1 = row["box"]
        if box == "xywh":
            x1, y1 = x0 + x1, y0 + y1
        elif box == "cxcywh":
            x0, y0, x1, y1 = x0 - x1 / 2, y0 - y1 / 2, x0 + x1 / 2, y0 + y1 / 2
        if not (x0 < x1 and y0 < y1):
            raise EmptyBoxError(f"the box {row['box']} is empty")
        row["box"] = [x0, y0, x1, y1]
    return row


def _path(values: Sequence[Any]) -> str:
    """A picture's path out of one cell, or of cells for folders and the file.

    Raises:
        ValueError: If one is empty.
    """
    parts = [(cell_text(value) or "").replace("\\", "/") for value in values]
    first, *others = parts
    joined = "/".join([first.rstrip("/") if others else first, *(part.strip("/") for part in others)])
    if not all(part.strip("/") for part in others) or not first:
        raise ValueError("the image is empty")
    return joined


def _split(text: str, splits: Mapping[str, str | None]) -> str | None:
    """The split that a cell means."""
    if text in splits:
        return splits[text]
    split = split_of(text)
    if split is None:
        raise ValueError(
            f"the split {text[:40]!r} is unknown; known are train, valid, test and usual names of these, or "
            f"say what it is: --splits {text[:40]}=train"
        )
    return split


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def cell_text(value: Any) -> str | None:
    """A cell as text, whole numbers without a point, lists with commas between; None for an empty one."""
    if isinstance(value, list):
        return ", ".join(text for item in value if (text := cell_text(item))) or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"{text[:40]!r} is no text")
    return text or None


def four_numbers(cell: Any) -> list[float] | None:
    """The four numbers in a cell, as a list or as text; None where it holds something else."""
    try:
        return _numbers("box", [cell], is_comma_decimal=True)
    except ValueError:
        return None


def _whole(text: str) -> int:
    try:
        value = float(text)
        number = int(value) if value.is_integer() and abs(value) < 2**53 else int(text)
    except ValueError:
        raise ValueError(f"the frame {text[:40]!r} is no whole number") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the frame {text[:40]!r} is too large")
    return number


def _numbers(part: str, values: list[Any], *, is_comma_decimal: bool) -> list[float] | None:
    """Numbers from several cells, or from one cell with a list or text such as ``[1, 2]`` or ``1 2``."""
    wanted = LENGTHS.get(part, len(values))
    if len(values) == 1:
        value = values[0]
        if isinstance(value, str):
            values = _separated(value, wanted, is_comma_decimal=is_comma_decimal)
        elif isinstance(value, list):
            values = [number for item in value for number in (item if isinstance(item, list) else [item])]
    if all(value is None or (isinstance(value, str) and not value.strip()) for value in values):
        return None
    if part == "votes":
        values = [_vote(value) for value in values]
    wanted = LENGTHS.get(part, len(values))
    try:
        numbers = [_number(value, is_comma_decimal=is_comma_decimal) for value in values]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if numbers and all(map(math.isnan, numbers)):
        return None
    if len(numbers) != wanted or not all(map(math.isfinite, numbers)):
        leave = f"; --columns {part}= leaves the column out" if part in LENGTHS else ""
        raise ValueError(f"{part} needs {wanted} numbers, found {str(values)[:60]}{leave}")
    return numbers


def _vote(value: Any) -> Any:
    """A cell of votes as a number where it is a word, a mark or a share in percent."""
    if not isinstance(value, str):
        return value
    text = value.strip().casefold()
    if text.endswith("%"):
        text = text.removesuffix("%").strip()
        return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    return YES_OR_NO.get(text, text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)


def are_marks(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    """Whether all filled cells of some columns are crosses, yes and no, or 0 and 1, and there are some."""
    cells = {str(record[name]).strip().casefold() for record in records for name in names
             if record.get(name) not in (None, "")}  # fmt: skip
    cells -= {"", "nan"}
    return bool(cells) and all(cell in YES_OR_NO or cell in ("0", "1", "0.0", "1.0") for cell in cells)


def is_vote(cell: str) -> bool:
    """Whether a cell of votes can be understood: a number, a share in percent, a word or a mark.

    Example:
        >>> is_vote("12,5 %"), is_vote("yes"), is_vote("high")
        (True, True, False)
    """
    found = _vote(cell)
    return not isinstance(found, str) or is_number(found.replace(",", "."))


def _separated(text: str, wanted: int, *, is_comma_decimal: bool) -> list[Any]:
    """The numbers of a text; a comma is a decimal one where blanks or semicolons already separate enough."""
    for mark in "[](){};":
        text = text.replace(mark, " ")
    fields = text.split()
    if is_comma_decimal and len(fields) == wanted > 1 and not any(f.endswith(",") for f in fields):
        return fields
    return text.replace(",", " ").split()


def _number(value: Any, *, is_comma_decimal: bool) -> float:
    if is_comma_decimal and isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    return float(value)


def names_picture(cell: Any) -> bool:
    """Whether a cell is the name of a picture."""
    return isinstance(cell, str) and has_image_suffix(
        PurePosixPath(without_query(cell).strip().replace("\\", "/")).name
    )


def names_file(cell: str) -> bool:
    """Whether a cell is the name of a picture or a video; ``start.ts`` is rather that of a column."""
    return names_picture(cell) or (has_video_suffix(cell) and not cell.lower().endswith(".ts"))


def without_query(text: str) -> str:
    """An address without what stands behind its path; other texts as they are."""
    return text.partition("?")[0] if "://" in text else text


def holds(
    rows: Sequence[Mapping[str, Any]], name: str, test: Callable[[str], Any], *, share: float = 0.5
) -> bool:
    """Whether more than a share of a column's cells pass a test; empty ones don't count."""
    cells = [str(row[name]).strip() for row in rows if row.get(name) not in (None, "")]
    passed = sum(bool(test(cell)) for cell in cells)
    return passed > share * len(cells)
