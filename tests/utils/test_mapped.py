"""An array in a file has its room on the disk before it is filled, or says that there is none."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfsmile.utils.mapped import new_mapped_array

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")


def test_the_room_is_taken_at_once(tmp_path: Path) -> None:
    path = tmp_path / "faces.npy"
    array = new_mapped_array(path, dtype=np.uint8, shape=(1000, 1000))
    assert path.stat().st_blocks * 512 >= array.nbytes
    array[:] = 7
    array.flush()
    assert (np.load(path) == 7).all()


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*of_file: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*faces\.npy'"):
        new_mapped_array(tmp_path / "faces.npy", dtype=np.uint8, shape=(10,))
