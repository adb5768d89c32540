"""How a result becomes the bytes of a row, and how rows are found again: CSV and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol

from halfsmile.predict.face import Face, NoFace, tells_of_failure
from halfsmile.predict.tables.columns import Row, flat_row, rounded

Result = Face | NoFace
ToRow = Callable[[Result, int], Row]


class FoundRow(NamedTuple):
    """Where a row of a file is.

    Attributes:
        source: What it is about.
        failed: Whether it says that its source could not be read.
        start: Its first byte.
        end: The byte after its last one.
    """

    source: str
    failed: bool
    start: int
    end: int


class RowFormat(Protocol):
    """Rows of one kind of text file."""

    @property
    def suffix(self) -> str:
        """Of the files' names."""
        ...

    def head(self) -> bytes:
        """What a file begins with."""
        ...

    def row(self, result: Result, number: int) -> bytes:
        """One row; ``number`` counts the faces of a picture from 0."""
        ...

    def find(self, file: BinaryIO) -> Iterator[FoundRow]:
        """Every whole row of a file, which is read from its beginning.

        Raises:
            ValueError: If the file has other columns or is damaged.
        """
        ...


@dataclass(frozen=True)
class CsvRows:
    """Comma-separated values in UTF-8, as RFC 4180 has them but with bare line feeds.

    Args:
        names: Columns, ``source`` and ``reason`` among them.
        to_row: Values by column; missing ones are left empty.
    """

    names: Sequence[str]
    to_row: ToRow
    suffix: str = ".csv"

    def head(self) -> bytes:
        """The names."""
        return csv_line(self.names)

    def row(self, result: Result, number: int) -> bytes:
        """Values in the order of the names; truth values are ``true`` and ``false``."""
        row = rounded(self.to_row(result, number))
        values = (row.get(name) for name in self.names)
        return csv_line([str(v).lower() if isinstance(v, bool) else v for v in values])

    def find(self, file: BinaryIO) -> Iterator[FoundRow]:
        """See :class:`RowFormat`."""
        start = end = 0

        def lines() -> Iterator[str]:
            nonlocal end
            for line in file:
                end += len(line)
                yield line.decode("utf-8", "replace")

        source, reason = self.names.index("source"), self.names.index("reason")
        reader = csv.reader(lines())
        try:
            for index, values in enumerate(reader):
                if index == 0:
                    _require_columns(values, self.names)
                elif len(values) == len(self.names):
                    yield FoundRow(values[source], tells_of_failure(values[reason]), start, end)
                start = end
        except csv.Error as error:
            what = str(error).partition(" - ")[0]  # what follows is advice to programmers
            raise ValueError(
                f"line {reader.line_num} is damaged ({what}). Mend or remove that line, or make the table "
                "anew without --resume."
            ) from error


@dataclass(frozen=True)
class JsonRows:
    """One JSON object a line, as ``Face.to_dict`` and ``NoFace.to_dict`` give it.

    Args:
        labels: Of the model; rows of another model are refused when a file is resumed.
    """

    labels: Sequence[str]
    suffix: str = ".jsonl"

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def row(self, result: Result, number: int) -> bytes:
        """The object."""
        return json_line(result.to_dict())

    def find(self, file: BinaryIO) -> Iterator[FoundRow]:
        """See :class:`RowFormat`."""
        for row, start, end in json_objects(file):
            if row.get("expression") is not None:
                _require_columns(list(row.get("probabilities", ())), self.labels)
            yield FoundRow(str(row.get("source")), tells_of_failure(row.get("reason")), start, end)


@dataclass(frozen=True)
class FlatJsonRows:
    """One JSON object a line with the columns of the CSV file: what waits to become Parquet.

    Args:
        names: Columns.
    """

    names: Sequence[str]
    suffix: str = ".jsonl"

    def head(self) -> bytes:
        """The names, as an array."""
        return json_line(list(self.names))

    def row(self, result: Result, number: int) -> bytes:
        """The object; missing columns are unknown."""
        return json_line(flat_row(result))

    def find(self, file: BinaryIO) -> Iterator[FoundRow]:
        """See :class:`RowFormat`."""
        head = file.readline()
        _require_columns(_parsed(head) or [], self.names)
        for row, start, end in json_objects(file, len(head)):
            yield FoundRow(str(row.get("source")), tells_of_failure(row.get("reason")), start, end)


def json_objects(file: BinaryIO, start: int = 0) -> Iterator[tuple[Row, int, int]]:
    """Objects of a JSON Lines file, from where it is read, with the bytes where each begins and ends."""
    for line in file:
        value = _parsed(line)
        if isinstance(value, dict):
            yield value, start, start + len(line)
        start += len(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def csv_line(values: Sequence[Any]) -> bytes:
    """Values as one line of CSV; None is left empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(values)  # values with one of these two are quoted
    return text.getvalue().removesuffix("\r\n").encode("utf-8", "backslashreplace") + b"\n"


def json_line(value: Any) -> bytes:
    """A value as one line of JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _require_columns(found: Sequence[str], expected: Sequence[str]) -> None:
    if list(found) != list(expected):
        raise ValueError(
            f"the table has {', '.join(map(str, found)) or 'no columns'}, but this run writes "
            f"{', '.join(expected)}. Go on with the model, options and version of halfsmile that it was made "
            "with, or without --resume."
        )
