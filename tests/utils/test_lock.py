"""One writer at a time."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

import halfsmile.utils.lock
from halfsmile.utils.lock import lock, unlock

HOLD = """
import sys
from pathlib import Path
from halfsmile.utils.lock import lock
file = lock(Path(sys.argv[1]), "the table")
print("locked", flush=True)
sys.stdin.read()
"""


def test_another_process_is_kept_out_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match=r"Another process is writing the table\. Wait .*--out"):
            lock(path, "the table")
        process.kill()
    unlock(lock(path, "the table"), path)
    assert not path.exists()


def test_a_lock_whose_file_is_gone_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    before = lock(path, "the table")
    take = halfsmile.utils.lock._lock

    def take_late(file: object) -> None:
        if not before.closed:
            unlock(before, path)  # between opening and locking
        take(file)  # type: ignore[arg-type]

    monkeypatch.setattr(halfsmile.utils.lock, "_lock", take_late)
    after = lock(path, "the table")
    assert path.exists()
    with pytest.raises(ValueError, match="Another process"):
        lock(path, "the table")
    unlock(after, path)


def test_a_file_system_without_locks_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(halfsmile.utils.lock, "_lock", refuse)
    path = tmp_path / "lock"
    unlock(lock(path, "the table"), path)
    assert list(tmp_path.iterdir()) == []
