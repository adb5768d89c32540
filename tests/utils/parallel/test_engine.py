"""Where work is done: which pool an engine is, and what it says when it is not there."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from halfsmile.utils.cpu import processors
from halfsmile.utils.parallel.engine import open_pool
from halfsmile.utils.parallel.pool import OrderedPool


def doubling() -> Callable[[int], Iterator[int]]:
    return lambda task: iter([2 * task])


def test_local_work_has_a_process_for_each_processor() -> None:
    with open_pool("local", doubling) as pool:
        assert pool.workers == processors() >= 1
    with open_pool("local", doubling, workers=0) as pool:
        assert isinstance(pool, OrderedPool)
        assert [(task, list(pieces)) for task, pieces in pool.run([1, 2])] == [(1, [2]), (2, [4])]


def test_a_missing_ray_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without_ray(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without_ray)
    with pytest.raises(ValueError, match=r"ray, which is not installed: pip install 'halfsmile\[ray\]'"):
        open_pool("ray", doubling)


@pytest.mark.parametrize(("engine", "workers"), [("local", -1), ("ray", 0), ("ray", -1)])
def test_the_number_of_workers_has_a_range(engine: Any, workers: int) -> None:
    with pytest.raises(ValueError, match=f"or more, found {workers}"):
        open_pool(engine, doubling, workers=workers)
