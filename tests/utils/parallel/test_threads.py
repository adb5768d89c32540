"""Threads that keep the order, hold little and stop when nobody asks any more."""

from __future__ import annotations

import ast
import itertools
import threading
import time
from pathlib import Path

import pytest

import halfsmile
from halfsmile.utils.cpu import processors
from halfsmile.utils.parallel import threads
from halfsmile.utils.parallel.threads import default_threads, map_in_threads


def test_results_keep_the_order_of_the_items() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    assert list(map_in_threads(slow_first, range(40), threads=4)) == [n * n for n in range(40)]
    assert list(map_in_threads(slow_first, [], threads=4)) == []


def test_work_is_shared_by_as_many_threads_as_asked_for() -> None:
    together = threading.Barrier(3, timeout=10)
    list(map_in_threads(lambda _: together.wait(), range(3), threads=3))


def test_no_more_is_taken_than_may_wait() -> None:
    taken = itertools.count()
    results = map_in_threads(lambda item: item, taken, threads=2, ahead=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert next(taken) == 5 + 3
    results.close()  # type: ignore[attr-defined]


def test_an_error_comes_where_its_result_was_due_and_drops_the_rest() -> None:
    done = []

    def work(number: int) -> int:
        if number == 2:
            raise ValueError("no 2")
        done.append(number)
        return number

    results = map_in_threads(work, range(1000), threads=1, ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="no 2"):
        next(results)
    assert len(done) < 10


def test_threads_are_those_of_the_container_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_threads() == min(16, processors())
    monkeypatch.setattr(threads, "processors", lambda: 64)
    assert default_threads() == 16
    monkeypatch.setattr(threads, "processors", lambda: 2)
    assert default_threads() == 2


def test_no_pool_takes_its_threads_from_the_machine() -> None:
    """``ThreadPoolExecutor()`` alone counts processors that a container may not have."""
    root = Path(halfsmile.__file__).parent
    calls = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ThreadPoolExecutor"
        if not node.args
    ]
    assert calls == []
