"""One writer at a time: a file that only one process can lock."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO


def lock(path: Path, what: str) -> IO[str]:
    """An open file that nobody else may lock until it is closed or this process ends.

    Where the file system knows no locks, nothing keeps two writers apart.

    Args:
        path: The file, which holds nothing; it is made.
        what: Says in the message what is written.

    Raises:
        ValueError: If it is locked.
        OSError: If the file can't be made.
    """
    while True:
        file = path.open("w")
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            file.close()
            raise ValueError(
                f"Another process is writing {what}. Wait for it to end, or choose another place (--out)."
            ) from error
        except OSError:
            return file
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # removed by its last owner after it was opened here


def unlock(file: IO[str], path: Path) -> None:
    """Close the file of a lock and remove it."""
    if sys.platform == "win32":  # which removes no open file, and none that the next owner has opened
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        path.unlink(missing_ok=True)
        file.close()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
