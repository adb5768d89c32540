"""The rows of a CSV file or of a list that blanks separate: delimiters, quotes, headers, objects in cells."""

from __future__ import annotations

import ast
import csv
import io
import json
from pathlib import Path
from typing import Any

from halfsmile.data.manifest import Fault
from halfsmile.data.readers.words import EXPRESSIONS, word_in
from halfsmile.data.tables.json_rows import flattened
from halfsmile.data.tables.names import NAMES, VOTES
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.values import names_file

DELIMITERS = ",;\t|"
_MAX_CELL = 1 << 24


def csv_table(path: Path, text: str) -> Table:
    """The table in the text of a CSV file, or in a list such as ``a.jpg 3``.

    Args:
        path: Of the file, for messages.
        text: What it holds.

    Raises:
        ValueError: If it is empty, names a column twice, or can't be taken apart.
    """
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
    return any(names_file(field.rstrip(":,;")) for field in line.split())


def _blank_separated(path: Path, lines: list[str]) -> Table | None:
    """A list such as ``a.jpg 3`` or ``happy a.jpg``, or a table with a line of names; None for others.

    Names may hold blanks in a list: the other columns are counted from the end, or from the start where names
    come last.
    """
    found = [line.split() for line in lines if line.strip()]
    if _has_names(found):
        return _table(path, found, is_comma_decimal=True)
    named = [position for position, field in enumerate(found[0]) if names_file(field.rstrip(":,;"))]
    if not named or len(found[0]) < 2:
        return None
    if named[-1] < len(found[0]) - 1:
        width = len(found[0]) - 1 - named[-1]
        table = [[" ".join(fields[:-width]).rstrip(":,;"), *fields[-width:]] for fields in found]
    elif all(len(fields) == len(found[0]) and names_file(fields[-1]) for fields in found):
        width = len(found[0]) - 1
        table = [[*(field.rstrip(":,;") for field in fields[:width]), fields[-1]] for fields in found]
    else:
        return None
    return _table(path, table, is_comma_decimal=True)


def _has_names(lines: list[list[str]]) -> bool:
    """Whether the first of some lines of fields names columns, of which the others have as many."""
    names, *others = lines
    usual = {name for known in NAMES.values() for name in known if isinstance(name, str)}
    return (
        len(names) > 1
        and any(name.casefold() in usual for name in names)
        and not any(map(names_file, names))
        and any(any(map(names_file, fields)) for fields in others)
        and all(len(fields) == len(names) for fields in others)
    )


def _table(path: Path, table: list[list[str]], *, is_comma_decimal: bool) -> Table:
    """Cells by column, without columns that have neither a name nor a cell, as spreadsheets leave them."""
    has_header = not any(map(names_file, table[0])) and not _begins_with_a_label(table)
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
