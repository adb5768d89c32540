"""The rows of a CSV, Parquet, JSON or JSON Lines file as dictionaries, whatever program wrote it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.containers.archive import open_archive, split_locator
from halfsmile.data.manifest import Fault
from halfsmile.data.tables.csv_rows import csv_table
from halfsmile.data.tables.json_rows import flattened, json_rows
from halfsmile.data.tables.table import Table

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".parquet", ".jsonl", ".ndjson", ".json")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 1 << 18
_HEAD_ROWS = 200


def read_rows(path: Path, *, only_head: bool = False) -> Table:
    """A table, by the suffix of its name; ``archive.zip!labels.csv`` is one in an archive.

    Args:
        path: The table.
        only_head: Read the first rows only, to see what it holds.

    Rows of a CSV file with too few or too many cells, and lines of JSON Lines that are no object, are left
    out and counted in the notes. A list without a line of names is known by the name of a picture in its
    first line.

    Raises:
        ValueError: If the file is missing, of another kind, empty or damaged, or names a column twice.
    """
    suffix = path.suffix.lower()
    member = None if path.is_file() else split_locator(str(path))
    if path.is_dir():
        raise ValueError(f"{path} is a folder and no table; give the path of the table in it.")
    if member is None and not path.is_file():
        raise ValueError(f"{path} does not exist; expected a table ({', '.join(TABLE_SUFFIXES)}).")
    if suffix not in TABLE_SUFFIXES:
        raise ValueError(f"{path} is no table; tables are named {', '.join(TABLE_SUFFIXES)}.")
    if suffix == ".parquet":
        source = path if member is None else io.BytesIO(open_archive(Path(member[0])).read(member[1]))
        return _parquet(path, source, only_head=only_head)
    if member is not None:
        data = open_archive(Path(member[0])).read(member[1])
    else:
        with path.open("rb") as file:
            data = file.read(_HEAD if only_head and suffix != ".json" else -1)
    if suffix == ".json":
        return _json(path, data)
    if only_head and len(data) >= _HEAD:
        data = data[: data.rfind(b"\n", 0, _HEAD) + 1 or _HEAD]
    text, notes = _text(path, data)
    table = _json_lines(path, text) if suffix in (".jsonl", ".ndjson") else csv_table(path, text)
    table.notes[:0] = notes
    return table


def _text(path: Path, data: bytes) -> tuple[str, list[str]]:
    """The text of a file in UTF-8, UTF-16 or, where it can be neither, Windows-1252."""
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig"), []
    except UnicodeDecodeError as error:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = ""
        if not text or data.startswith(_UTF16) or "\0" in text:
            raise ValueError(
                f"{path} is neither UTF-8 nor Windows-1252 ({error}). Save it as UTF-8."
            ) from error
    return text, [
        f"{path.name} is not UTF-8 and was read as Windows-1252; save it as UTF-8 if letters are wrong."
    ]


def _json(path: Path, data: bytes) -> Table:
    """Rows of one JSON document, or of JSON Lines under its name."""
    text, notes = _text(path, data)
    try:
        rows = json_rows(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        if text.lstrip().startswith("{") and text.strip().count("\n"):
            return _json_lines(path, text)
        raise ValueError(f"{path} is no JSON ({error}).") from error
    except ValueError as error:
        raise ValueError(f"{path} is no table: {str(error).replace('{path}', str(path))}") from error
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(names, rows, notes, has_header="column 1" not in names)


def _json_lines(path: Path, text: str) -> Table:
    names: dict[str, None] = {}
    rows, bad = [], 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            bad += 1
            continue
        try:
            found = flattened(row)
        except ValueError as error:
            raise ValueError(f"{path} is no table: {str(error).replace('{path}', str(path))}") from error
        names.update(dict.fromkeys(name for one in found for name in one))
        rows += found
    if not rows:
        raise ValueError(f"{path} has no line with a JSON object; {bad:,} lines have something else.")
    notes: list[str] = (
        [Fault(f"{bad:,} lines of {path.name} are no JSON object and were left out.")] if bad else []
    )
    return Table(list(names), rows, notes)


def _parquet(path: Path, source: Path | io.BytesIO, *, only_head: bool) -> Table:
    try:
        file = pq.ParquetFile(source)
        names = [field.name for field in file.schema_arrow if not _is_bulky(field.type)]
        if only_head:
            batch = next(file.iter_batches(_HEAD_ROWS, columns=names), None)
            rows = [] if batch is None else batch.to_pylist()
        else:
            rows = file.read(columns=names).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}).") from error
    return Table(names, rows, [])


def _is_bulky(kind: pa.DataType) -> bool:
    """Bytes and structs of bytes: no column of a manifest comes from them."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_struct(kind))
