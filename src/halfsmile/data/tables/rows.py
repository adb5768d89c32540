"""The rows of a CSV, Parquet, JSON or JSON Lines file as dictionaries, whatever program wrote it."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.containers.archive import open_archive, split_locator
from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.manifest import Fault
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.words import EXPRESSIONS, word_in
from halfsmile.data.tables.json_rows import flattened, json_rows
from halfsmile.data.tables.names import NAMES, VOTES

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".parquet", ".jsonl", ".ndjson", ".json")
DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAX_CELL = 1 << 24
_HEAD = 1 << 18
_HEAD_ROWS = 200

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table as it was found.

    Args:
        names: Columns in their order.
        rows: Cells by column.
        notes: What was left out, with counts.
        has_header: False where the columns have no names of their own; they are then ``column 1``, …
        is_comma_decimal: Whether numbers may be written with a comma, since it separates no cells.
    """

    names: list[str]
    rows: Rows
    notes: list[str]
    has_header: bool = True
    is_comma_decimal: bool = False


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
    table = _json_lines(path, text) if suffix in (".jsonl", ".ndjson") else _csv(path, text)
    table.notes[:0] = notes
    return table


def names_picture(cell: Any) -> bool:
    """Whether a cell is the name of a picture."""
    return isinstance(cell, str) and has_image_suffix(
        PurePosixPath(without_query(cell).strip().replace("\\", "/")).name
    )


def _names_file(cell: str) -> bool:
    """Whether a cell is the name of a picture or a video."""
    return names_picture(cell) or has_video_suffix(cell)


def without_query(text: str) -> str:
    """An address without what stands behind its path; other texts as they are."""
    return text.partition("?")[0] if "://" in text else text


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


def _csv(path: Path, text: str) -> Table:
    lines = [line for line in io.StringIO(text, newline="") if not _is_comment(line)]
    delimiter = None
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        delimiter = lines[0][4]
        lines = lines[1:]
    first = next((line for line in lines if line.strip()), "")
    delimiter = delimiter or max(DELIMITERS, key=lambda mark: _count(first, mark))
    if _count(first, delimiter) == 1 and (blank_separated := _blank_separated(path, lines)):
        return blank_separated
    before = csv.field_size_limit(_MAX_CELL)
    try:
        rows = csv.reader(lines, delimiter=delimiter, quotechar=_quote(lines, delimiter))
        table = [cells for cells in rows if any(map(str.strip, cells))]
    except csv.Error as error:
        raise ValueError(f"{path} is no table separated by {delimiter!r} ({error}).") from error
    finally:
        csv.field_size_limit(before)
    if not table:
        raise ValueError(f"{path} is empty; expected a line of column names.")
    return _table(path, table, is_comma_decimal=delimiter != ",")


def _quote(lines: list[str], delimiter: str) -> str:
    """The mark around cells: a single one where all cells of the second line stand in such."""
    line = lines[1].strip() if len(lines) > 1 else ""
    are_single = line.startswith("'") and line.endswith("'") and f"'{delimiter}'" in line
    return "'" if are_single else '"'


def _is_comment(line: str) -> bool:
    """Whether a line is a remark behind ``#``: it has a single cell, and names no picture."""
    text = line.lstrip()
    return text.startswith("#") and not any(mark in text for mark in DELIMITERS) and not _has_picture(text)


def _has_picture(line: str) -> bool:
    return any(_names_file(field.rstrip(":,;")) for field in line.split())


def _blank_separated(path: Path, lines: list[str]) -> Table | None:
    """A list such as ``a.jpg 3`` or ``happy a.jpg``; None for others.

    Names may hold blanks: the other columns are counted from the end, or from the start where names come
    last.
    """
    found = [line.split() for line in lines if line.strip()]
    named = [position for position, field in enumerate(found[0]) if _names_file(field.rstrip(":,;"))]
    if not named or len(found[0]) < 2:
        return None
    if named[-1] < len(found[0]) - 1:
        width = len(found[0]) - 1 - named[-1]
        table = [[" ".join(fields[:-width]).rstrip(":,;"), *fields[-width:]] for fields in found]
    elif all(len(fields) == len(found[0]) and _names_file(fields[-1]) for fields in found):
        width = len(found[0]) - 1
        table = [[*(field.rstrip(":,;") for field in fields[:width]), fields[-1]] for fields in found]
    else:
        return None
    return _table(path, table, is_comma_decimal=True)


def _table(path: Path, table: list[list[str]], *, is_comma_decimal: bool) -> Table:
    """Cells by column, without columns that have neither a name nor a cell, as spreadsheets leave them."""
    has_header = not any(map(_names_file, table[0])) and not _begins_with_a_label(table)
    width = len(table[0])
    cells = [row if len(row) <= width else _trimmed(row, width) for row in table]
    if not has_header:
        names = [f"column {number}" for number in range(1, width + 1)]
        body = cells
    else:
        names = [name.strip() for name in cells[0]]
        body = cells[1:]
    whole = [row for row in body if len(row) == width]
    for position in reversed(range(width)):
        if not names[position]:
            if any(row[position].strip() for row in whole):
                names[position] = f"column {position + 1}"
            else:
                del names[position]
                for row in whole:
                    del row[position]
    if len(set(names)) < len(names):
        raise ValueError(f"{path} names a column twice: {names}.")
    ragged = len(body) - len(whole)
    notes: list[str] = (
        [Fault(f"{ragged:,} rows of {path.name} don't have {width} cells and were left out.")]
        if ragged
        else []
    )
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in whole]
    if unpacked := _unpacked(rows):
        names, rows = list(dict.fromkeys(name for row in unpacked for name in row)), unpacked
    return Table(names, rows, notes, has_header, is_comma_decimal)


def _unpacked(rows: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Rows whose objects, as VIA and pandas write them into cells, are columns; None where there are none.

    A column has objects if all its cells that are not empty look like it. They stay as they are where other
    columns tell labels, which what is in them could contradict.
    """
    names = [
        name
        for name in (rows[0] if rows else ())
        if any(row[name].strip() for row in rows) and all(_begins_an_object(row[name]) for row in rows)
    ]
    if not any(len(row[name].strip()) > 2 for name in names for row in rows) or _tell_labels(rows, names):
        return None
    return [
        found for row in rows for found in flattened({**row, **{name: _object(row[name]) for name in names}})
    ]


def _tell_labels(rows: list[dict[str, Any]], but: list[str]) -> bool:
    """Whether columns tell labels or votes, by their names or by words for expressions in their cells."""
    of_votes = 0
    for name in rows[0].keys() - set(but):
        called = name.casefold()
        cells = [text for row in rows if (text := row[name].strip().casefold())]
        if not cells:
            continue
        if called in NAMES["label"] or called in NAMES["votes"] or 2 * sum(map(_is_word, cells)) > len(cells):
            return True
        of_votes += called.startswith(VOTES) or word_in(called) is not None
    return of_votes > 1


def _begins_an_object(cell: str) -> bool:
    return not cell.strip() or cell.strip()[0] + cell.strip()[-1] == "{}"


def _object(cell: str) -> Any:
    """What a cell has in JSON or as Python writes it, where that is an object; other cells as they are."""
    text = cell.strip()
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):
            return {str(key): value for key, value in found.items()}
    return cell


def _begins_with_a_label(table: list[list[str]]) -> bool:
    """Whether the first line has a word for an expression over others, and so names no columns."""
    for position, cell in enumerate(table[0]):
        below = [row[position].strip().casefold() for row in table[1:] if len(row) > position]
        if cell.strip().casefold() in EXPRESSIONS and below and 2 * sum(map(_is_word, below)) > len(below):
            return True
    return False


def _is_word(cell: str) -> bool:
    return cell in EXPRESSIONS


def _trimmed(row: list[str], width: int) -> list[str]:
    """A row without empty cells behind its last column."""
    while len(row) > width and not row[-1].strip():
        row = row[:-1]
    return row


def _count(line: str, delimiter: str) -> int:
    """Cells that a line has with a delimiter, quotes respected."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


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
