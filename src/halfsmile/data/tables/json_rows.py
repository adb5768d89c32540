"""Rows of labels in JSON, in whatever form a program wrote them.

Read are lists of objects or of pairs, objects by the name of the picture (with its label or with more), by
column (as pandas writes), by label or by split (with lists of names, or with any of the other forms), and
objects that wrap one of these. Objects in objects become columns, and lists of objects, such as the faces of
a picture, a row each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from halfsmile.data.readers.words import EXPRESSIONS, split_of
from halfsmile.data.tables.values import names_file, names_picture

Row = dict[str, Any]

LABEL_STUDIO = (
    "it is an export of Label Studio: `halfsmile data import PICTURES '{path}' --layout folder --out "
    "list.parquet`"
)
_CENTERS = {"x": "x_center", "y": "y_center"}
_CREATE_ML = {"x", "y", "width", "height"}
_DEEPEST = 3


def json_rows(document: Any) -> list[Row]:
    """One row for each face that a document tells of.

    Raises:
        ValueError: If it has none of the forms above, with what it has instead.

    Example:
        >>> json_rows({"a.png": "happy", "b.png": "sad"})
        [{'image': 'a.png', 'label': 'happy'}, {'image': 'b.png', 'label': 'sad'}]
        >>> json_rows({"image": {"0": "a.png"}, "label": {"0": "happy"}})
        [{'image': 'a.png', 'label': 'happy'}]
        >>> json_rows({"train": {"happy": ["a.png"]}})
        [{'split': 'train', 'image': 'a.png', 'label': 'happy'}]
    """
    return [row for record in _records(document, 0) for row in flattened(record)]


def flattened(record: Mapping[str, Any]) -> list[Row]:
    """A row without objects in its cells, or one for each object of a list in a cell.

    What is in an object has its own name where no other column has it, else that of the object in front; what
    is around a list has ``(of all)`` behind its name where what is in it has the same.

    Example:
        >>> flattened({"image": "a.png", "faces": [{"box": {"x": 1, "y": 2}, "mood": "sad"}]})
        [{'image': 'a.png', 'x': 1, 'y': 2, 'mood': 'sad'}]
    """
    answers = ("annotations", "completions", *(("predictions",) if "data" in record else ()))
    if any(_is_task(record.get(key)) for key in answers):
        raise ValueError(LABEL_STUDIO)
    record = _by_face(record)
    lists = [key for key, value in record.items() if _is_list_of(value, dict)]
    row = _flat({key: value for key, value in record.items() if key not in lists[:1]})
    if not lists:
        return [row]
    rows = []
    for item in record[lists[0]]:
        for inner in flattened(item):
            around = {f"{key} (of all)" if key in inner else key: cell for key, cell in row.items()}
            rows.append(around | inner)
    return rows


def _by_face(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record whose lists tell something of each face, with a list of faces instead.

    Example:
        >>> _by_face({"image": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "label": ["sad"]}})
        {'image': 'a.png', 'objects': [{'bbox': [1, 2, 3, 4], 'label': 'sad'}]}
    """
    found = {key: _faces_of(value) if isinstance(value, dict) else value for key, value in record.items()}
    boxes = [value for value in found.values() if _are_boxes(value)]
    if not boxes:
        return found
    names = [key for key, value in found.items() if isinstance(value, list) and len(value) == len(boxes[0])]
    faces = [{name: found[name][i] for name in names} for i in range(len(boxes[0]))]
    return {**{key: value for key, value in found.items() if key not in names}, "faces": faces}


def _faces_of(columns: Mapping[str, Any]) -> Any:
    """The faces of an object whose values are lists with something of each; other objects as they are."""
    cells = list(columns.values())
    are_lists = all(isinstance(cell, list) for cell in cells)
    if not are_lists or not any(map(_are_boxes, cells)) or len({len(cell) for cell in cells}) > 1:
        return columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _are_boxes(cell: Any) -> bool:
    """Whether a cell is a list of four numbers for each face."""
    return _is_list_of(cell, list) and all(
        len(box) == 4 and all(isinstance(number, int | float) for number in box) for box in cell
    )


def _records(document: Any, depth: int) -> list[Row]:
    """The objects of a document, one for each picture or face."""
    if _is_list_of(document, dict):
        return list(document)
    if _is_list_of(document, list):
        width = len(document[0])
        if width > 1 and all(len(row) == width for row in document):
            return [{f"column {number}": cell for number, cell in enumerate(row, 1)} for row in document]
        raise ValueError("its lists have different lengths.")
    if not isinstance(document, dict) or not document or depth > _DEEPEST:
        raise ValueError(f"it is {_said(document)}.")
    if isinstance(document.get("columns"), list) and _is_list_of(document.get("data"), list):
        names = list(map(str, document["columns"]))
        return [dict(zip(names, row, strict=False)) for row in document["data"]]
    if all(map(split_of, document)):
        return [
            {"split": split, **record}
            for split, inner in document.items()
            for record in _of_split(inner, depth)
        ]
    for form in (_by_name, _by_column, _by_label):
        if (found := form(document)) is not None:
            return found
    inside = [value for value in document.values() if _is_list_of(value, dict) or _is_list_of(value, list)]
    inside = inside or [value for value in document.values() if isinstance(value, dict) and value]
    if len(inside) == 1:
        return _records(inside[0], depth + 1)
    raise ValueError(f"it is {_said(document)}.")


def _of_split(inner: Any, depth: int) -> list[Row]:
    """The objects of a split, which may be a mere list of names."""
    if _is_list_of(inner, str):
        return [{"image": name} for name in inner]
    return _records(inner, depth + 1)


def _by_name(document: Mapping[str, Any]) -> list[Row] | None:
    """``{"a.png": "happy"}``, ``{"a.png": {"emotion": "happy"}}``; None for other forms."""
    values = list(document.values())
    has_names = _most(map(names_file, document))
    if all(map(_is_scalar, values)):
        words = [str(value).strip().casefold() in EXPRESSIONS for value in values]
        if has_names or (_most(words) and len(set(values)) < len(values)):
            return [{"image": name, "label": value} for name, value in document.items()]
        return None
    if all(isinstance(value, dict) for value in values) and (
        has_names or not (_are_columns(values) or _names_within(values))
    ):
        columns = {key for value in values for key in value}
        if has_names or any(set(value) == columns for value in values):
            return [_named(name, value) for name, value in document.items()]
    if has_names and all(_is_list_of(value, dict) for value in values):
        return [_named(name, item) for name, items in document.items() for item in items]
    if has_names and all(_is_list_of(value, str) for value in values):
        return [{"image": name, "label": value} for name, value in document.items()]
    return None


def _named(name: str, record: Mapping[str, Any]) -> Row:
    """An object with the name that it stands under, unless it says it itself."""
    says = names_picture if names_picture(name) else names_file  # a picture may be of a video
    says_so = any(isinstance(value, str) and says(value) for value in record.values())
    return dict(record) if says_so else {"image": name, **record}


def _by_column(document: Mapping[str, Any]) -> list[Row] | None:
    """``{"image": ["a.png"], "label": ["happy"]}``, or with objects by row instead of lists."""
    columns = list(document.values())
    if all(isinstance(column, dict) for column in columns):
        keys = list(dict.fromkeys(key for column in columns for key in column))
        rows = [{name: column.get(key) for name, column in document.items()} for key in keys]
        if _most(map(names_file, keys)) or (
            _are_columns(columns) and keys != list(map(str, range(len(keys))))
        ):
            return [{"image": key, **row} for key, row in zip(keys, rows, strict=True)]
        return rows if _are_columns(columns) else None
    if not all(isinstance(column, list) for column in columns) or len(columns) < 2:
        return None
    named = [_names_pictures(column) for column in columns]
    if len({len(column) for column in columns}) == 1 and named.count(True) == 1:
        return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return None


def _by_label(document: Mapping[str, Any]) -> list[Row] | None:
    """``{"happy": ["a.png", "b.png"]}``; None for other forms."""
    if not all(isinstance(names, list) for names in document.values()):
        return None
    names = [name for of_label in document.values() for name in of_label]
    if not names or not all(isinstance(name, str) for name in names):
        return None
    words = [label.strip().casefold() in EXPRESSIONS for label in document]
    if not (_most(words) or (_names_pictures(names) and len(document) > 1)):
        return None
    return [{"image": name, "label": label} for label, of_label in document.items() for name in of_label]


def _are_columns(columns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects have numbers of rows for keys, as pandas writes columns."""
    return all(key.isdecimal() for column in columns for key in column)


def _names_within(objects: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects have names of pictures for keys."""
    return _most(names_file(key) for each in objects for key in each)


def _names_pictures(cells: Sequence[Any]) -> bool:
    return _most(isinstance(cell, str) and names_file(cell) for cell in cells)


def _flat(record: Mapping[str, Any]) -> Row:
    """A record whose objects are columns of their own."""
    row: Row = {}
    taken = {key for key, value in record.items() if not isinstance(value, dict)}
    objects = {key: _flat(value) for key, value in record.items() if isinstance(value, dict)}
    if objects.get("coordinates", {}).keys() == _CREATE_ML:  # CreateML's, whose x and y are the center
        objects["coordinates"] = {_CENTERS.get(key, key): v for key, v in objects["coordinates"].items()}
    for key, value in record.items():
        if key not in objects:
            row[key] = value
            continue
        others = {name for other, inner in objects.items() if other != key for name in inner} | taken
        prefix = f"{key}." if objects[key].keys() & others else ""
        row |= {f"{prefix}{name}": cell for name, cell in objects[key].items()}
    return row


def _is_task(value: Any) -> bool:
    """Whether a cell has what annotators said in Label Studio."""
    return isinstance(value, list) and any(isinstance(one, dict) and "result" in one for one in value)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, kind) for item in value)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _most(tests: Iterable[bool]) -> bool:
    """Whether more than half of the tests are passed, of one at least."""
    passed = [bool(test) for test in tests]
    return 2 * sum(passed) > len(passed)


def _said(document: Any) -> str:
    """What a document is, for messages."""
    if isinstance(document, dict):
        shown = ", ".join(list(document)[:6]) + (" …" if len(document) > 6 else "")
        return f"an object with {shown}" if document else "an empty object"
    return "an empty list" if document == [] else f"a {type(document).__name__}"
