"""Files are timed in turn, and the slower one comes out slower."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.export.latency import Latency, measure

IMAGES = np.zeros((3, 4, 4, 1), np.uint8)


def test_files_alternate_and_their_order_is_found() -> None:
    calls: list[tuple[str, int]] = []

    def sleeper(name: str, seconds: float) -> Callable[[npt.NDArray[np.uint8]], None]:
        def answer(crops: npt.NDArray[np.uint8]) -> None:
            calls.append((name, len(crops)))
            time.sleep(seconds)

        return answer

    answers = {"slow": sleeper("slow", 0.01), "fast": sleeper("fast", 0.001)}
    found = measure(answers, IMAGES, batches=(1, 8), seconds=0.05, warmup=1)
    times = {(row.name, row.batch): row for row in found}
    assert set(times) == {("slow", 1), ("fast", 1), ("slow", 8), ("fast", 8)}
    assert all(row.median_ms <= row.p95_ms for row in found)
    for batch in (1, 8):
        assert times["slow", batch].median_ms >= 10
        assert times["fast", batch].median_ms < times["slow", batch].median_ms
        assert times["slow", batch].calls == times["fast", batch].calls
    assert [name for name, _ in calls] == ["slow", "fast"] * (len(calls) // 2)
    assert {count for _, count in calls} == {1, 8}


def test_a_slow_file_is_called_at_least_once() -> None:
    (row,) = measure({"one": lambda _: time.sleep(0.02)}, IMAGES, batches=(1,), seconds=0.0, warmup=0)
    assert row.calls == 1


def test_faces_per_second() -> None:
    assert Latency("file", batch=32, median_ms=64.0, p95_ms=70.0, calls=9).faces_per_second == 500


def test_there_must_be_a_face() -> None:
    with pytest.raises(ValueError, match="no face"):
        measure({}, IMAGES[:0])
