"""The rows of a CSV, Parquet or JSON Lines file as dictionaries, whatever program wrote it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".ndjson")
DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAX_CELL = 1 << 24

Rows = Iterable[Mapping[str, Any]]


def read_rows(path: Path) -> tuple[list[str], Rows, list[str]]:
    """Column names, rows and notes of a table, by the suffix of its name.

    Rows of a CSV file with too few or too many cells, and lines of JSON Lines that are no object, are left
    out and counted in the notes.

    Raises:
        ValueError: If the file is missing, of another kind, empty or damaged, or names a column twice.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ValueError(f"{path} does not exist; expected a table ({', '.join(TABLE_SUFFIXES)}).")
    if suffix not in TABLE_SUFFIXES:
        raise ValueError(f"{path} is no table; tables are named {', '.join(TABLE_SUFFIXES)}.")
    if suffix == ".parquet":
        return _parquet(path)
    lines = _text(path)
    names, rows, notes = _json_lines(path, lines) if suffix in (".jsonl", ".ndjson") else _csv(path, lines)
    return names, rows, notes


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error}). Save it as UTF-8.") from error


def _csv(path: Path, text: str) -> tuple[list[str], Rows, list[str]]:
    lines = list(io.StringIO(text, newline=""))
    delimiter = None
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        delimiter = lines[0][4]
        lines = lines[1:]
    first = next((line for line in lines if line.strip()), "")
    delimiter = delimiter or max(DELIMITERS, key=lambda mark: _count(first, mark))
    before = csv.field_size_limit(_MAX_CELL)
    try:
        table = [cells for cells in csv.reader(lines, delimiter=delimiter) if any(map(str.strip, cells))]
    except csv.Error as error:
        raise ValueError(f"{path} is no table separated by {delimiter!r} ({error}).") from error
    finally:
        csv.field_size_limit(before)
    if not table:
        raise ValueError(f"{path} is empty; expected a line of column names.")
    names = [name.strip() for name in table[0]]
    if len(set(names)) < len(names):
        raise ValueError(f"{path} names a column twice: {names}.")
    rows = [dict(zip(names, cells, strict=True)) for cells in table[1:] if len(cells) == len(names)]
    ragged = len(table) - 1 - len(rows)
    notes = (
        [f"{ragged:,} rows of {path.name} don't have {len(names)} cells and were left out."] if ragged else []
    )
    return names, rows, notes


def _count(line: str, delimiter: str) -> int:
    """Cells that a line has with a delimiter, quotes respected."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _json_lines(path: Path, text: str) -> tuple[list[str], Rows, list[str]]:
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
        names.update(dict.fromkeys(row))
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} has no line with a JSON object; {bad:,} lines have something else.")
    notes = [f"{bad:,} lines of {path.name} are no JSON object and were left out."] if bad else []
    return list(names), rows, notes


def _parquet(path: Path) -> tuple[list[str], Rows, list[str]]:
    try:
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if not _is_bulky(field.type)]
        rows = file.read(columns=names).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}).") from error
    return names, rows, []


def _is_bulky(kind: pa.DataType) -> bool:
    """Bytes and structs of bytes: no column of a manifest comes from them."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_struct(kind))
