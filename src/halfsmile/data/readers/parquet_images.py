"""Parquet files with the image files in their cells, as Hugging Face's ``datasets`` stores them.

``root/**/train-00000-of-00002.parquet``; or one such file. The images are a column of structs ``{bytes,
path}`` (or plain bytes), the labels a column of class numbers whose names stand in the metadata of the
schema (``ClassLabel``), or of names. The split is the beginning of the file's name, or its folder's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from halfsmile.data.containers.parquet import ImageTable, open_image_table
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.words import how_to_name, split_in, split_of
from halfsmile.taxonomy import Taxonomy, from_names
from halfsmile.utils.progress import Progress

LABEL_COLUMNS = ("label", "labels", "expression", "emotion", "fine_label", "class")


def read(
    root: Path,
    *,
    label: str | None = None,
    labels: Mapping[str, str | None] | None = None,
    taxonomy: Taxonomy | None = None,
    progress: bool = True,
) -> Manifest:
    """Read labels and splits; images stay where they are.

    Args:
        root: A Parquet file, or a folder searched with its sub-folders.
        label: Column of the labels; by default the first of :data:`LABEL_COLUMNS` that there is.
        labels: Class by what the files call it, which may be numbers; None leaves its rows without a label.
        taxonomy: Classes that the labels name; by default a known taxonomy with the same names, else the
            order of ``ClassLabel``.
        progress: Show progress on standard error when it takes more than two seconds.

    Returns:
        Rows in the order of the files with ``label`` and ``split`` as far as there are any; the label −1 and
        null mean none. Rows without an image are left out and counted.

    Raises:
        ValueError: If there is no Parquet file, a file is damaged, the files have different classes, or the
            labels are numbers without names.
    """
    root = Path(root)
    files = [root] if root.is_file() else sorted(root.rglob("*.parquet"))
    base = root.parent if root.is_file() else root
    if not files:
        raise ValueError(f"{root} has no .parquet file.")
    parts = []
    with Progress("reading labels", total=len(files), active=progress) as shown:
        for file in files:
            parts.append(_read_file(file, base, label, dict(labels or {})))
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
    columns = {
        "image": pa.chunked_array([part.images for part in parts], type=pa.string()),
        "label": pa.array([renamed[v.casefold()] if v else None for v in present.to_pylist()], pa.string()),
        "split": pa.chunked_array(
            [pa.repeat(pa.scalar(part.split, pa.string()), len(part.images)) for part in parts],
            type=pa.string(),
        ),
    }
    notes = []
    if empty := sum(part.empty for part in parts):
        notes.append(f"{empty:,} rows hold no image file and were left out.")
    if unused := sorted({name for part in parts for name in part.unused}):
        notes.append(f"Columns that were not used: {', '.join(unused)}.")
    if not len(columns["image"]):
        raise ValueError(f"{root}: no row holds an image. {' '.join(notes)}")
    return Manifest.from_columns(columns, base, taxonomy, notes)


@dataclass(frozen=True)
class _Part:
    """What one file gives: locators, labels by name, the names of its ``ClassLabel``."""

    file: Path
    images: pa.Array
    labels: pa.Array
    split: str | None
    classes: tuple[str, ...]
    empty: int
    unused: tuple[str, ...]


def _read_file(file: Path, base: Path, label: str | None, names: dict[str, str | None]) -> _Part:
    try:
        table = open_image_table(file)
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error}).") from error
    schema = table.file.schema_arrow
    column = label or next((name for name in LABEL_COLUMNS if name in schema.names), None)
    if column is not None and column not in schema.names:
        raise ValueError(f"{file} has no column {column!r} for the labels; its columns are {schema.names}.")
    classes = _class_names(schema.metadata or {}, column) if column else ()
    labels = _labels(table, column, classes, names) if column else pa.nulls(len(table), pa.string())
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
    return _Part(
        file,
        pc.binary_join_element_wise(pa.scalar(prefix), rows.cast(pa.string()), ""),
        labels.take(rows),
        _split(file.relative_to(base)),
        classes,
        len(table) - len(rows),
        tuple(name for name in schema.names if name not in (column, table.column.partition(".")[0])),
    )


def _labels(
    table: ImageTable, column: str, classes: tuple[str, ...], names: Mapping[str, str | None]
) -> pa.Array:
    """The labels of a file by name, null where there is none."""
    try:
        values = table.file.read(columns=[column]).column(0).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{table.path}: column {column!r} is damaged ({error}).") from error
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pc.if_else(pc.equal(values, ""), None, values).cast(pa.string())
    if not pa.types.is_integer(values.type):
        raise ValueError(f"{table.path}: labels are names or class numbers; {column!r} is {values.type}.")
    numbers = values.cast(pa.int64())
    numbers = pc.if_else(pc.equal(numbers, -1), None, numbers)
    if not classes:
        texts = numbers.cast(pa.string())
        found = set(texts.unique().to_pylist()) - {None}
        if found - names.keys():
            raise ValueError(
                f"{table.path}: the labels in {column!r} are numbers and the file does not say what they "
                f"mean (no ClassLabel in its metadata). {how_to_name(found)}"
            )
        return texts
    limits = pc.min_max(numbers).as_py()
    if limits["min"] is not None and not 0 <= limits["min"] <= limits["max"] < len(classes):
        raise ValueError(
            f"{table.path}: labels run from {limits['min']} to {limits['max']}, but there are {len(classes)} "
            f"classes {list(classes)}."
        )
    return pa.array(classes, pa.string()).take(numbers)


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
