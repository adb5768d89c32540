"""Work for pools, in a module that takes no time to import: each process of a pool imports it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def worker() -> Callable[[int], Iterator[tuple[int, int]]]:
    """Task n gives n pieces; 5 takes long, 13 kills its process, 14 is a mistake."""

    def work(task: int) -> Iterator[tuple[int, int]]:
        for piece in range(task):
            if task == 5:
                time.sleep(0.02)
            if task == 13 and piece == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            if task == 14:
                raise ZeroDivisionError("a mistake in the code")
            yield task, piece

    return work


def endless() -> Callable[[int], Iterator[int]]:
    Path(os.environ["PIDS"], str(os.getpid())).touch()

    def work(task: int) -> Iterator[int]:
        while True:
            time.sleep(0.01)
            yield task

    return work
