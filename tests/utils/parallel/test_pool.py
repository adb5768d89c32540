"""Order, streaming, crashes and orphans of the worker processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.utils.parallel.tasks import worker

from halfsmile.utils.parallel.pool import OrderedPool, TaskError


def large() -> Callable[[int], Iterator[bytes]]:
    def work(task: int) -> Iterator[bytes]:
        for _ in range(40):
            yield bytes([task]) * 100_000

    return work


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_pieces_come_in_the_order_of_the_tasks(workers: int) -> None:
    tasks = [5, 0, 1, 7, 2, 5, 3, 4]
    with OrderedPool(worker, workers=workers) as pool:
        found = [(task, list(pieces)) for task, pieces in pool.run(tasks)]
        assert found == [(task, [(task, piece) for piece in range(task)]) for task in tasks]
        again = [len(list(pieces)) for _, pieces in pool.run([2, 1])]
    assert again == [2, 1]


def test_a_process_that_dies_is_told_with_its_task_and_replaced() -> None:
    with OrderedPool(worker, workers=2) as pool:
        found = {}
        for task, pieces in pool.run([1, 13, 2, 13, 3]):
            if task == 13:
                with pytest.raises(TaskError, match=r"its process ended \(signal 9, SIGKILL\)"):
                    list(pieces)
            else:
                found[task] = len(list(pieces))
    assert found == {1: 1, 2: 2, 3: 3}


def test_an_error_is_told_and_the_process_goes_on() -> None:
    with OrderedPool(worker, workers=1) as pool:
        for task, pieces in pool.run([14, 3]):
            if task == 14:
                with pytest.raises(TaskError, match="ZeroDivisionError: a mistake in the code"):
                    list(pieces)
            else:
                assert len(list(pieces)) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_pieces_may_be_left_over(workers: int) -> None:
    with OrderedPool(worker, workers=workers) as pool:
        found = [(task, next(pieces)) for task, pieces in pool.run([3, 4, 2, 7])]
    assert found == [(task, (task, 0)) for task in (3, 4, 2, 7)]


def test_who_is_ahead_waits_for_memory() -> None:
    with OrderedPool(large, workers=3, buffer_bytes=500_000) as pool:
        for task, pieces in pool.run(range(1, 9)):
            for piece in pieces:
                assert piece[:1] == bytes([task])
                assert pool._held < 1_000_000
                time.sleep(0.001)


def test_a_pool_needs_no_negative_number() -> None:
    with pytest.raises(ValueError, match="0 or more, found -1"):
        OrderedPool(worker, workers=-1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "if __name__ == '__main__':\n"
        "    from halfsmile.utils.parallel.pool import OrderedPool\n"
        "    from tasks import endless\n"
        "    with OrderedPool(endless, workers=2) as pool:\n"
        "        for _, pieces in pool.run([1, 2]):\n"
        "            print(next(pieces), flush=True)\n"
        "            for _ in pieces: pass\n"
    )
    (tmp_path / "main.py").write_text(program)
    (tmp_path / "pids").mkdir()
    command = [sys.executable, str(tmp_path / "main.py"), str(Path(__file__).parent)]
    environment = {**os.environ, "PIDS": str(tmp_path / "pids")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    deadline = time.monotonic() + 20
    while len(list((tmp_path / "pids").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    workers = [Path("/proc", path.name) for path in (tmp_path / "pids").iterdir()]
    assert len(workers) == 2
    while any(_is_running(path) for path in workers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(_is_running(path) for path in workers)


def _is_running(process: Path) -> bool:
    try:
        return " Z " not in (process / "stat").read_text()
    except OSError:
        return False
