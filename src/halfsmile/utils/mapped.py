"""New arrays that lie in a file, for what memory may not hold."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Mapped: TypeAlias = "np.memmap[Any, np.dtype[Any]]"


def new_mapped_array(path: Path, *, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Mapped:
    """A new array mapped from a ``.npy`` file, whose whole room on the disk is taken at once.

    Else a disk that is full by the time that a part is written ends the process with a signal, and nothing
    tells why.

    Raises:
        OSError: If the disk lacks the room, or the folder can't be written.
    """
    array: Mapped = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):  # which macOS lacks
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # file systems that can't promise it
                    raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    return array
