"""What an earlier run left of a table: which sources are done, and which rows have to go.

Rows may be missing of the last source of an unfinished table, so it is done again. What could not be read is
processed again, too: a disk may be there now, a file whole. A video that broke off has rows like any other
and is done.
"""

from __future__ import annotations

import shutil
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from halfsmile.predict.tables.row_formats import RowFormat
from halfsmile.utils.files import atomic_write

_BYTES = 1 << 20  # that are copied at a time


@dataclass(frozen=True)
class Begun:
    """What is there.

    Args:
        done: Sources that need no processing.
        failures: First byte and end of each row to drop.
        end: Where the rows to keep end; None where all of the file is kept.
    """

    done: frozenset[str]
    failures: tuple[tuple[int, int], ...]
    end: int | None


def find_begun(file: BinaryIO, rows: RowFormat, again: Container[str], *, is_finished: bool) -> Begun:
    """Read a table from its beginning, row by row.

    Args:
        file: The table.
        rows: What its rows look like.
        again: Sources to process again if they could not be read; the rows of others stay.
        is_finished: Whether rows of its last source can't be missing.

    Raises:
        ValueError: If it has other columns or is damaged.
    """
    done: set[str] = set()
    failures = []
    last, end = None, len(rows.head())
    for row in rows.find(file):
        if row.source != last:
            last, end = row.source, row.start
        if row.failed and row.source in again and row.source not in done:
            failures.append((row.start, row.end))
        else:
            done.add(row.source)
    if is_finished:
        return Begun(frozenset(done), tuple(failures), None)
    done.discard(last or "")
    return Begun(frozenset(done), tuple(failure for failure in failures if failure[0] < end), end)


def keep(path: Path, begun: Begun) -> None:
    """Leave in a table what is to be kept, in bounded memory; a kill in between leaves it as it was."""
    if begun.end is not None:
        with path.open("r+b") as file:
            file.truncate(begun.end)
    if not begun.failures:
        return
    with atomic_write(path) as temporary, path.open("rb") as file, temporary.open("wb") as kept:
        for start, end in begun.failures:
            _copy(file, kept, start - file.tell())
            file.seek(end)
        shutil.copyfileobj(file, kept)


def _copy(file: BinaryIO, to: BinaryIO, count: int) -> None:
    while count:
        part = file.read(min(count, _BYTES))
        count -= len(part)
        to.write(part)
