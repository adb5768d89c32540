"""Parquet files with the image files in their cells, as Hugging Face's ``datasets`` stores them.

``root/**/train-00000-of-00002.parquet``; or one such file. The images are a column of structs ``{bytes,
path}`` (or plain bytes), the labels a column of class numbers whose names stand in the metadata of the
schema (``ClassLabel``), or of names: one with a usual name, or else the one with words of expressions. The
split is what a column says, the beginning of the file's name, or its folder's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from halfsmile.data.containers.parquet import ImageTable, open_image_table
from halfsmile.data.manifest import Manifest, UnreadLabelsError
from halfsmile.data.readers.beside.class_names import class_names_beside
from halfsmile.data.readers.words import EXPRESSIONS, how_to_name, split_in, split_of
from halfsmile.data.tables.columns import Columns
from halfsmile.data.tables.maybe_labels import maybe_labels
from halfsmile.data.tables.names import NAMES
from halfsmile.taxonomy import Taxonomy, from_names
from halfsmile.utils.progress import Progress

LABEL_COLUMNS = (*(name for name in NAMES["label"] if isinstance(name, str)), "fine_label")
SPLIT_COLUMNS = tuple(name for name in NAMES["split"] if isinstance(name, str))
_LEFT_OUT = "To take the pictures without labels: --columns label="


def read(
    root: Path,
    *,
    columns: Columns | None = None,
    labels: Mapping[str, str | None] | None = None,
    taxonomy: Taxonomy | None = None,
    progress: bool = True,
) -> Manifest:
    """Read labels and splits; images stay where they are.

    Args:
        root: A Parquet file, or a folder searched with its sub-folders.
        columns: Column of the ``label`` and of the ``split``; by default the first of :data:`LABEL_COLUMNS`
            and :data:`SPLIT_COLUMNS` that there is, or the labels' one by its words of expressions. An empty
            name leaves a part out.
        labels: Class by what the files call it, which may be numbers; None leaves its rows without a label.
        taxonomy: Classes that the labels name; by default a known taxonomy with the same names, else the
            order of ``ClassLabel``.
        progress: Show progress on standard error when it takes more than two seconds.

    Returns:
        Rows in the order of the files with ``label`` and ``split`` as far as there are any; the label −1 and
        null mean none. Rows without an image are left out and counted.

    Raises:
        UnreadLabelsError: If no column is known for the labels though some could hold them.
        ValueError: If there is no Parquet file, a file is damaged, the files have different classes, or the
            labels are numbers without names.
    """
    root = Path(root)
    columns = columns or {}
    if unknown := sorted(set(columns) - {"label", "split"}):
        raise ValueError(f"{root} holds pictures: --columns names its label and split, not {unknown[0]}.")
    files = [root] if root.is_file() else sorted(root.rglob("*.parquet"))
    base = root.parent if root.is_file() else root
    if not files:
        raise ValueError(f"{root} has no .parquet file.")
    parts = []
    with Progress("reading labels", total=len(files), active=progress) as shown:
        for file in files:
            parts.append(_read_file(file, base, columns, dict(labels or {})))
            shown.advance(1)

    classes = {part.classes: part.file for part in parts if part.classes}
    if len(classes) > 1:
        (first, one), (second, other) = list(classes.items())[:2]
        raise ValueError(f"{one} has the classes {list(first)}, but {other} has {list(second)}.")
    present = pa.chunked_array([part.labels for part in parts], type=pa.string())
    names = next(iter(classes), tuple(sorted(set(present.unique().to_pylist()) - {None})))
    if taxonomy is None and len(names) > 1:
        taxonomy = from_names(names)
    renamed = {name.casefold(): name for name in taxonomy.labels} if taxonomy else {}
    unknown = sorted(set(present.unique().to_pylist()) - {None}, key=str)
    unknown = [name for name in unknown if name.casefold() not in renamed]
    if unknown:
        raise ValueError(
            f"{root}: the labels {unknown} are not in the taxonomy "
            f"{list(taxonomy.labels) if taxonomy else '(one label makes none)'}."
        )
    found = {
        "image": pa.chunked_array([part.images for part in parts], type=pa.string()),
        "label": pa.array([renamed[v.casefold()] if v else None for v in present.to_pylist()], pa.string()),
        "split": pa.chunked_array([part.splits for part in parts], type=pa.string()),
    }
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    if empty := sum(part.empty for part in parts):
        notes.append(f"{empty:,} rows hold no image file and were left out.")
    if unused := sorted({name for part in parts for name in part.unused}):
        notes.append(f"Columns that were not used: {', '.join(unused)}.")
    if not len(found["image"]):
        raise ValueError(f"{root}: no row holds an image. {' '.join(notes)}")
    manifest = Manifest.from_columns(found, base, taxonomy, notes)
    maybe = next((part for part in parts if part.maybe_labels), None)
    if maybe and taxonomy is None:
        raise UnreadLabelsError(
            f"{maybe.file} has no column that is known to hold labels, but the columns "
            f"{'; '.join(maybe.maybe_labels)}.",
            f"Name it: --columns label={maybe.maybe_labels[0].split(' (')[0]}, or --columns label= where "
            "none of them does.",
            manifest,
        )
    return manifest


@dataclass(frozen=True)
class _Part:
    """What one file gives: locators, labels by name, splits, the names of its ``ClassLabel``."""

    file: Path
    images: pa.Array
    labels: pa.Array
    splits: pa.Array
    classes: tuple[str, ...]
    empty: int
    unused: tuple[str, ...]
    maybe_labels: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Chosen:
    """Columns of a file: of the label and the split, and those that could hold labels."""

    label: str | None
    split: str | None
    maybe_labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _read_file(file: Path, base: Path, columns: Columns, names: dict[str, str | None]) -> _Part:
    try:
        table = open_image_table(file)
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error}).") from error
    schema = table.file.schema_arrow
    chosen = _choose(table, columns)
    column = chosen.label
    classes = _class_names(schema.metadata or {}, column) if column else ()
    labels, said_beside = pa.nulls(len(table), pa.string()), ""
    if column:
        labels, said_beside = _labels(table, column, classes, names, file, base)
    if names:
        said = labels.to_pylist()
        labels = pa.array([None if name is None else names.get(name, name) for name in said], pa.string())
        classes = tuple(dict.fromkeys(new for name in classes if (new := names.get(name, name))))

    keep = np.ones(len(table), np.bool_)
    for group, (start, end) in enumerate(pairwise(table.starts.tolist())):
        missing = table.missing(group)
        if missing is not None:
            keep[start:end] = ~missing.to_numpy()
    rows = pa.array(np.flatnonzero(keep))
    prefix = f"{file.relative_to(base).as_posix()}#"
    used = (column, chosen.split, table.column.partition(".")[0])
    return _Part(
        file,
        pc.binary_join_element_wise(pa.scalar(prefix), rows.cast(pa.string()), ""),
        labels.take(rows),
        _splits(table, chosen.split, _split(file.relative_to(base))).take(rows),
        classes,
        len(table) - len(rows),
        tuple(name for name in schema.names if name not in used),
        chosen.maybe_labels,
        (*chosen.notes, *([said_beside] if said_beside else [])),
    )


def _choose(table: ImageTable, columns: Columns) -> _Chosen:
    """The columns of the label and the split: as named, by usual names, or by what they hold."""
    schema = table.file.schema_arrow
    by_name = {name.casefold(): name for name in reversed(schema.names)}
    plain = [field.name for field in schema if _is_plain(field.type)]
    found: dict[str, str | None] = {}
    for part, usual in (("label", LABEL_COLUMNS), ("split", SPLIT_COLUMNS)):
        name = columns.get(part)
        if name is not None and name != "" and name not in schema.names:
            raise ValueError(
                f"{table.path} has no column {name!r} for the {part}; its columns are {schema.names}."
            )
        found[part] = str(name or "") if part in columns else None
        if name is None:
            found[part] = next((by_name[usual] for usual in usual if usual in by_name), None)
    if found["split"] and "split" not in columns:
        said = {text for text in _texts(table, found["split"]) if text}
        if not said or None in map(split_of, said):
            found["split"] = None
    chosen = _Chosen(found["label"] or None, found["split"] or None)
    if chosen.label or "label" in columns:
        return chosen
    rest = [name for name in plain if name != chosen.split]
    if len(named := [name for name in rest if _class_names(schema.metadata or {}, name)]) == 1:
        return replace(chosen, label=named[0], notes=(f"The column {named[0]} is the label: a ClassLabel.",))
    head = table.file.read_row_group(0, columns=rest).to_pylist() if rest and len(table) else []
    words = [name for name in rest if _are_words([row[name] for row in head])]
    if len(words) == 1:
        note = f"The column {words[0]} is taken for the label: it holds words of expressions."
        return replace(chosen, label=words[0], notes=(note,))
    return replace(chosen, maybe_labels=tuple(maybe_labels(head, rest)))


def _is_plain(kind: pa.DataType) -> bool:
    """Whether cells are text or whole numbers."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _are_words(cells: list[object]) -> bool:
    said = [str(cell).strip().casefold() for cell in cells if cell not in (None, "")]
    return bool(said) and 2 * sum(word in EXPRESSIONS for word in said) > len(said)


def _texts(table: ImageTable, column: str) -> list[str | None]:
    """A column as text."""
    cells = table.file.read(columns=[column]).column(0).to_pylist()
    return [None if cell is None else str(cell).strip() for cell in cells]


def _splits(table: ImageTable, column: str | None, of_file: str | None) -> pa.Array:
    """The split of each row: what the column says, else the file's."""
    if column is None:
        return pa.repeat(pa.scalar(of_file, pa.string()), len(table))
    texts = _texts(table, column)
    if unknown := sorted({text for text in texts if text and split_of(text) is None}):
        raise ValueError(
            f"{table.path}: the splits {unknown[:5]} in {column!r} are unknown: train, valid, test."
        )
    return pa.array([split_of(text) if text else of_file for text in texts], pa.string())


def _labels(
    table: ImageTable,
    column: str,
    classes: tuple[str, ...],
    names: Mapping[str, str | None],
    file: Path,
    base: Path,
) -> tuple[pa.Array, str]:
    """The labels of a file by name, null where there is none, and what a file beside says of numbers."""
    try:
        values = table.file.read(columns=[column]).column(0).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{table.path}: column {column!r} is damaged ({error}).") from error
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_list(values.type) and pc.all(pc.equal(pc.list_value_length(values), 1)).as_py():
        values = values.flatten()
    if pa.types.is_floating(values.type) and pc.all(pc.equal(values, pc.round(values))).as_py():
        values = values.cast(pa.int64())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pc.if_else(pc.equal(values, ""), None, values).cast(pa.string()), ""
    if not pa.types.is_integer(values.type):
        raise ValueError(
            f"{table.path}: labels are names or class numbers; {column!r} is {values.type}. {_LEFT_OUT}, or "
            "name another column: --columns label=COLUMN."
        )
    numbers = values.cast(pa.int64())
    numbers = pc.if_else(pc.equal(numbers, -1), None, numbers)
    if not classes:
        texts = numbers.cast(pa.string())
        found = set(texts.unique().to_pylist()) - {None}
        if unnamed := found - names.keys():
            inside = [file.relative_to(base).as_posix()] if base in file.parents else []
            beside = class_names_beside((file.parent, base), unnamed, inside)
            if not beside.names:
                raise ValueError(
                    f"{table.path}: the labels in {column!r} are numbers and the file does not say what they "
                    f"mean (no ClassLabel in its metadata). {beside.note} {how_to_name(found)}".replace(
                        "  ", " "
                    )
                )
            named = [beside.names.get(text, text) for text in texts.to_pylist()]
            return pa.array(named, pa.string()), beside.note
        return texts, ""
    limits = pc.min_max(numbers).as_py()
    if limits["min"] is not None and not 0 <= limits["min"] <= limits["max"] < len(classes):
        raise ValueError(
            f"{table.path}: labels run from {limits['min']} to {limits['max']}, but there are {len(classes)} "
            f"classes {list(classes)}."
        )
    return pa.array(classes, pa.string()).take(numbers), ""


def _class_names(metadata: dict[bytes, bytes], column: str) -> tuple[str, ...]:
    """Names of a ``ClassLabel`` in the metadata of ``datasets``; empty where there are none."""
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
        if isinstance(names, dict):
            names = [names[str(i)] for i in range(len(names))]
        return tuple(str(name) for name in names)
    except (KeyError, TypeError, ValueError):
        return ()


def _split(path: Path) -> str | None:
    """The split that a file's name tells, or that one of its folders is named after."""
    found = (split_in(path.stem), *map(split_of, reversed(path.parts[:-1])))
    return next((split for split in found if split), None)
