"""The journal of answers: one JSON object a line, appended and never changed, on disk before anybody is told.

Each line has ``seq``, which counts up and is the only order (the clock may jump), ``time`` (UTC, for people)
and ``event``. What an event holds says :mod:`halfsmile.label.state`. A process that is killed in the middle
of a line leaves a last line without its end: it was promised to nobody, and is cut off when the file is
opened again. A line that can't be read elsewhere is damage, and refused with its number.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from halfsmile.utils.lock import lock, unlock

JOURNAL_NAME = "answers.jsonl"
_LOCK_NAME = ".answers.lock"

Event = dict[str, Any]


class DiskFullError(OSError):
    """Events could not be written; none of them is in the file."""


class Journal:
    """The journal in a folder, open for writing by this process alone.

    Args:
        folder: Made if missing.

    Raises:
        ValueError: If the folder is a file or can't be written, another process is writing it, or a line
            before the last is damaged.
    """

    def __init__(self, folder: Path) -> None:
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; the answers need a folder: give another --out.")
        self.path = folder / JOURNAL_NAME
        self._lock_path = folder / _LOCK_NAME
        self._guard = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = lock(self._lock_path, f"the labels in {folder}")
            try:
                self._next, self._end = self._check()
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
                if self.path.stat().st_size > self._end:
                    self._file.truncate(self._end)
            except BaseException:
                unlock(self._owner, self._lock_path)
                raise
        except OSError as error:
            raise ValueError(
                f"The answers can't be kept in {folder} ({error.strerror}): let this program write there, or "
                "give another --out."
            ) from error

    def append(self, events: Sequence[Mapping[str, Any]]) -> list[Event]:
        """Write events, all or none, and return when they are on the disk.

        Returns:
            The events with ``seq`` and ``time``.

        Raises:
            DiskFullError: If they could not be written; the file is as it was.
        """
        with self._guard:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            written: list[Event] = [
                {"seq": self._next + i, "time": now, **event} for i, event in enumerate(events)
            ]
            data = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in written).encode()
            try:
                view = memoryview(data)
                while view:
                    view = view[self._write(view) :]
                self._sync()
            except OSError as error:
                with contextlib.suppress(OSError):
                    self._file.truncate(self._end)
                raise DiskFullError(
                    error.errno, f"The answer could not be written to {self.path} ({error.strerror})."
                ) from error
            self._end += len(data)
            self._next += len(written)
            return written

    @property
    def next_number(self) -> int:
        """What ``seq`` the next event will have."""
        return self._next

    def events(self) -> Iterator[Event]:
        """All events, oldest first."""
        return read_events(self.path)

    def close(self) -> None:
        """Let others write."""
        if not self._file.closed:
            self._file.close()
            unlock(self._owner, self._lock_path)

    def _write(self, data: memoryview) -> int:
        return os.write(self._file.fileno(), data)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())

    def _check(self) -> tuple[int, int]:
        """The next number, and how many bytes are whole lines."""
        if not self.path.exists():
            return 1, 0
        last, end = 0, 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
        for event in read_events(self.path):
            last = event["seq"]
        return last + 1, end


def read_events(path: Path) -> Iterator[Event]:
    """The events of a journal, oldest first; a last line that was cut off is passed over.

    Raises:
        ValueError: If another line is damaged, or numbers don't count up.
    """
    last = 0
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                event = json.loads(line)
                seq = event["seq"]
                if not isinstance(event["event"], str) or seq <= last:
                    raise ValueError(f"seq is {seq} after {last}")
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}, line {number} is damaged ({error}). Take that line out with an editor, after "
                    "making a copy, and start again; the other answers stay."
                ) from error
            last = seq
            yield event
