"""Files that are read at any offset and opened once for each process."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from halfsmile.data.containers.open_file import OpenFile, per_file


@pytest.mark.parametrize("has_pread", [True, False])
def test_any_part_from_any_thread(tmp_path: Path, has_pread: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_pread:
        monkeypatch.delattr(os, "pread", raising=False)
    data = bytes(i % 251 for i in range(10_000))
    (tmp_path / "a").write_bytes(data)
    file = OpenFile((tmp_path / "a").open("rb"))
    assert file.length == len(data)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: file.read(at, 700), range(0, 11_000, 13)))
    assert parts == [data[at : at + 700] for at in range(0, 11_000, 13)]


def test_the_file_is_closed_when_nobody_has_it_any_more(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    opened = (tmp_path / "a").open("rb")
    readers = [OpenFile(opened)] * 2
    readers.pop()
    assert readers[0].read(0, 1) == b"1"
    readers.pop()
    assert opened.closed


def test_opened_once_until_the_file_changes(tmp_path: Path) -> None:
    opened: list[bytes] = []

    def open_file(path: Path) -> bytes:
        opened.append(path.read_bytes())
        return opened[-1]

    get = per_file(open_file)
    path = tmp_path / "a"
    path.write_bytes(b"1")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(get, [path] * 50)) == {b"1"}
    assert opened == [b"1"]
    path.write_bytes(b"22")
    assert get(path) == b"22"
    with pytest.raises(FileNotFoundError):
        get(tmp_path / "none")


def _process_of(path: Path) -> int:
    return os.getpid()


def test_each_process_opens_for_itself(tmp_path: Path) -> None:
    get = per_file(_process_of)
    (tmp_path / "a").touch()
    assert get(tmp_path / "a") == os.getpid()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    child = context.Process(target=lambda: sender.send(get(tmp_path / "a")))
    child.start()
    assert receiver.recv() == child.pid
    child.join()


def test_files_read_in_any_order_are_opened_once(tmp_path: Path) -> None:
    opened: list[str] = []

    def open_file(path: Path) -> str:
        opened.append(path.name)
        return path.read_text()

    get = per_file(open_file)
    for i in range(64):
        (tmp_path / f"{i}").write_text(f"{i}")
    for shift in (0, 7, 31):
        for i in range(64):
            assert get(tmp_path / f"{(i * 5 + shift) % 64}") == f"{(i * 5 + shift) % 64}"
    assert sorted(opened, key=int) == [f"{i}" for i in range(64)]
