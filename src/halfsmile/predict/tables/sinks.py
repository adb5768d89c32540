"""Tables of faces: CSV, JSON Lines and Parquet, written row by row, resumable, whole at the end.

While a run goes on its rows stand in ``<name>.partial.csv`` (or ``.jsonl``) beside the table, each flushed as
soon as it is known; when it ends the file gets its final name. A run that is killed, or that finds the disk
full, leaves the partial file with its rows. Parquet can't be read before it is finished, so its rows wait in
JSON Lines and are converted at the end. ``.<table>.lock`` keeps a second run from the same table meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from rich.console import Console

from halfsmile.predict.face import Face, NoFace, tells_of_failure
from halfsmile.predict.tables.columns import (
    TEXTS,
    WHOLE_NUMBERS,
    Row,
    column_names,
    flat_row,
    openface_names,
    openface_row,
)
from halfsmile.predict.tables.resume import find_begun, keep
from halfsmile.predict.tables.row_formats import (
    CsvRows,
    FlatJsonRows,
    JsonRows,
    RowFormat,
    json_line,
    json_objects,
)
from halfsmile.predict.tables.settings import Settings, move_settings, resumed_settings, write_settings
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write
from halfsmile.utils.lock import lock, unlock
from halfsmile.utils.percent import percent_number

TableFormat = Literal["auto", "openface"]
SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
_ROWS = 10_000  # of Parquet that are held in memory


class Sink:
    """Takes results and writes them to a table; use it in a ``with`` block.

    The table appears when the block ends without an error; an error leaves the partial file.

    Args:
        path: The table.
        rows: What its rows look like.
        resume: Go on with the partial file, or with the finished table, if there is one.
        again: Sources that are then processed again if they could not be read.
        settings: How the rows are made, to be written beside the table; see
            :mod:`halfsmile.predict.tables.settings`.

    Attributes:
        partial: Where the rows are while the run goes on.
        done: Sources whose rows are already there.

    Raises:
        ValueError: If the file can't be written, another run is writing it, or the one to go on with has
            other columns or was made with other settings.
        OSError: If the disk is full.
    """

    def __init__(
        self,
        path: Path,
        rows: RowFormat,
        *,
        resume: bool = False,
        again: Container[str] = (),
        settings: Settings | None = None,
    ) -> None:
        self.path = path
        self.rows = rows
        self.settings = settings
        self._lock_path = path.with_name(f".{path.name}.lock")
        stem = path.stem if path.suffix.lower() == rows.suffix else path.name
        self.partial = path.with_name(f"{stem}.partial{rows.suffix}")
        self._copied: int | None = None  # bytes of the finished table in the partial file, all of them kept
        self.done: frozenset[str] = frozenset()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self._lock_path, f"the table {path}")
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._open(resume, again)
        except BaseException:
            unlock(self._lock, self._lock_path)
            raise

    def write(self, results: Sequence[Face | NoFace]) -> None:
        """Append the results of one picture or frame.

        Raises:
            OSError: If the disk is full; the file then ends with its last whole row.
        """
        self._append(b"".join(self.rows.row(result, i) for i, result in enumerate(results)))

    def finish(self) -> None:
        """Make the table of what was written.

        Raises:
            OSError: If it can't be written; the partial file stays.
        """
        os.fsync(self._file.fileno())
        self._file.close()
        move_settings(self.partial, self.path)
        self.partial.replace(self.path)

    def restore(self) -> None:
        """Make the partial file of the finished table."""
        with atomic_write(self.partial) as temporary:
            shutil.copyfile(self.path, temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
            else:
                self._file.close()
                if self._end == self._copied:  # nothing is new: the finished table is all there is
                    self.partial.unlink()
                    write_settings(self.partial, None)
        finally:
            unlock(self._lock, self._lock_path)

    def _open(self, resume: bool, again: Container[str]) -> None:
        try:
            end = self._resume(again) if resume else 0
            self._file = self.partial.open("r+b" if end else "wb", buffering=0)
            if not end:
                write_settings(self.partial, self.settings)
        except OSError as error:
            raise self._unwritable(error) from error
        self._end = self._file.seek(end)
        if not end:
            self._append(self.rows.head())

    def _unwritable(self, error: OSError) -> ValueError:
        return ValueError(f"{self.path} can't be written ({error.strerror}: {error.filename}).")

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except BaseException as error:
            self._file.truncate(self._end)
            if not isinstance(error, OSError):
                raise
            message = f"{error.strerror}; the rows so far are whole, and --resume goes on from them"
            raise OSError(error.errno, message, str(self.partial)) from error
        self._end += len(data)

    def _resume(self, again: Container[str]) -> int:
        """Leave in the partial file what need not be done again; its length."""
        is_finished = not self.partial.exists() and self.path.exists()
        table = self.path if is_finished else self.partial
        if not table.exists() or not table.stat().st_size:
            return 0
        write_settings(
            self.partial, None if self.settings is None else resumed_settings(table, self.settings)
        )
        if is_finished:
            self.restore()
        try:
            with self.partial.open("rb") as file:
                begun = find_begun(file, self.rows, again, is_finished=is_finished)
        except ValueError as error:
            if is_finished:
                self.partial.unlink()
                write_settings(self.partial, None)
            raise ValueError(f"{table} can't be resumed: {error}") from error
        keep(self.partial, begun)
        self.done = begun.done
        length = self.partial.stat().st_size
        if is_finished and not begun.failures:
            self._copied = length
        return length


class ParquetSink(Sink):
    """A sink that converts its rows at the end; the columns are those of the CSV file, with their types."""

    def finish(self) -> None:
        """Convert, then remove the partial file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._file.close()
        with self.partial.open("rb") as file, atomic_write(self.path) as temporary:
            schema = pa.schema([(name, _type(name)) for name in json.loads(file.readline())])
            rows = (row for row, _, _ in json_objects(file))
            with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                for part in _parts(rows):
                    writer.write_table(pa.Table.from_pylist(part, schema))
        move_settings(self.partial, self.path)
        self.partial.unlink()

    def restore(self) -> None:
        """Make the partial file of the finished table."""
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(self.path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{self.path} can't be resumed: it is no Parquet file.") from error
        with table, atomic_write(self.partial) as temporary, temporary.open("wb") as file:
            file.write(json_line(table.schema_arrow.names))
            for batch in table.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    file.write(json_line({name: value for name, value in row.items() if value is not None}))


class Printer:
    """Prints a line for each face, for people, where no table is asked for.

    Args:
        console: Where to.
        failures: Whether to print a line for what could not be read, too.
    """

    partial = None
    done: frozenset[str] = frozenset()

    def __init__(self, console: Console | None = None, *, failures: bool = True) -> None:
        self.console = console or make_console()
        self.failures = failures

    def write(self, results: Sequence[Face | NoFace]) -> None:
        """Print the results of one picture or frame."""
        for result in results:
            where = result.source if result.time is None else f"{result.source} {result.time:.2f} s"
            if isinstance(result, NoFace):
                if tells_of_failure(result.reason) and not self.failures:
                    continue
                what = result.reason
            else:
                who = "" if result.track is None else f"person {result.track}: "
                doubt = ", uncertain" if result.uncertain else ""
                what = f"{who}{result.expression} {percent_number(result.confidence, 0)}%{doubt}"
            self.console.print(f"{where}: {what}", markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be closed."""


def open_sink(
    path: str | Path,
    labels: Sequence[str],
    *,
    quality: Sequence[str] = (),
    votes: bool = False,
    table_format: TableFormat = "auto",
    resume: bool = False,
    again: Container[str] = (),
    settings: Settings | None = None,
) -> Sink:
    """The sink for a path.

    Args:
        path: ``.csv``, ``.jsonl`` or ``.ndjson`` (one object a face), or ``.parquet``.
        labels: Of the model.
        quality: Names of the quality scores that the faces have.
        votes: Whether the faces have shares of votes.
        table_format: ``openface`` writes a CSV file with OpenFace's columns.
        resume: Go on with what an earlier run left.
        again: Sources that are then processed again if they could not be read.
        settings: How the rows are made, to be written beside the table.

    Raises:
        ValueError: If the suffix is unknown, the file can't be written, another run is writing it, or the one
            to go on with has other columns or was made with other settings.
        OSError: If the disk is full.
    """
    path = require_table(path, table_format)
    names = column_names(labels, quality, votes=votes)
    kind: type[Sink] = Sink
    rows: RowFormat = JsonRows(labels)
    if table_format == "openface":
        rows = CsvRows(openface_names(labels), openface_row)
    elif path.suffix.lower() == ".csv":
        rows = CsvRows(names, lambda result, _: flat_row(result))
    elif path.suffix.lower() == ".parquet":
        kind, rows = ParquetSink, FlatJsonRows(names)
    return kind(path, rows, resume=resume, again=again, settings=settings)


def require_table(path: str | Path, table_format: TableFormat = "auto") -> Path:
    """Refuse a path that no table can be written to.

    Raises:
        ValueError: If it is a folder, or its suffix is unknown or not that of the format.
    """
    path = Path(path)
    known = SUFFIXES if table_format == "auto" else (".csv",)
    if path.suffix.lower() not in known:
        found = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ValueError(f"{path} has {found}; a table is a file named {', '.join(known)}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a file name for the table.")
    return path


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while part := list(islice(remaining, _ROWS)):
        yield part


def _type(name: str) -> Any:
    import pyarrow as pa

    if name in TEXTS:
        return pa.string()
    if name in WHOLE_NUMBERS:
        return pa.int64()
    return pa.bool_() if name == "uncertain" else pa.float64()
