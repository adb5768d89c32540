"""Open files that many threads read at any offset, and that are opened once for each process."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")


class OpenFile:
    """A file that may be read at any offset from many threads.

    Args:
        file: Opened for reading in binary mode; closed when nobody has this object any more.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        weakref.finalize(self, file.close)
        self._lock = threading.Lock()
        self.length = file.seek(0, os.SEEK_END)

    def read(self, offset: int, count: int) -> bytes:
        """The bytes [offset, offset + count), fewer at the end of the file."""
        if offset >= self.length:
            return b""
        count = min(count, self.length - offset)
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), count, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(count)


def per_file(open_file: Callable[[Path], T], maxsize: int = 64) -> Callable[[Path], T]:
    """Remember what ``open_file`` returns until the file changes, in each process for itself.

    Args:
        open_file: Opens a path; called by one thread at a time.
        maxsize: Files that are kept open: fewer than a data set has, and reading it in any order opens them
            again and again.

    Returns:
        A function of the path; it raises OSError where there is no such file.
    """
    locks: dict[int, threading.Lock] = {}

    @functools.lru_cache(maxsize=maxsize)
    def opened(path: Path, mtime: int, size: int, process: int) -> T:
        return open_file(path)

    def get(path: Path) -> T:
        status = path.stat()
        process = os.getpid()
        with locks.setdefault(process, threading.Lock()):
            return opened(path, status.st_mtime_ns, status.st_size, process)

    return get
