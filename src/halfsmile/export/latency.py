"""How long an answer takes: every file in turn, round after round, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Crops = npt.NDArray[np.uint8]
BATCHES = (1, 32)


@dataclass(frozen=True)
class Latency:
    """Time of one file at one batch size.

    Args:
        name: The file.
        batch: Faces at a time.
        median_ms: Half of the calls took at most so many milliseconds.
        p95_ms: 19 of 20 calls did.
        calls: Number of calls.
    """

    name: str
    batch: int
    median_ms: float
    p95_ms: float
    calls: int

    @property
    def faces_per_second(self) -> float:
        """Faces that the median call answers in a second."""
        return 1000 * self.batch / self.median_ms


def measure(
    answers: Mapping[str, Callable[[Crops], Any]],
    images: Crops,
    *,
    batches: Sequence[int] = BATCHES,
    seconds: float = 1.0,
    warmup: int = 3,
) -> list[Latency]:
    """Time files against each other.

    They alternate call by call, so that whatever else the machine does meets all of them.

    Args:
        answers: The call to time, by name of the file.
        images: (N, S, S, C) uint8, at least one face; repeated to fill a batch.
        batches: Batch sizes.
        seconds: Time for each file and batch size; at least one call is made.
        warmup: Calls before that are not counted.

    Raises:
        ValueError: If there is no face.
    """
    if not len(images):
        raise ValueError("There is no face to measure with.")
    found = []
    for batch in batches:
        faces = images[np.arange(batch) % len(images)]
        times: dict[str, list[float]] = {name: [] for name in answers}
        for _ in range(warmup):
            for answer in answers.values():
                answer(faces)
        end = time.perf_counter() + seconds * len(answers)
        while not all(times.values()) or time.perf_counter() < end:
            for name, answer in answers.items():
                start = time.perf_counter()
                answer(faces)
                times[name].append(time.perf_counter() - start)
        for name, values in times.items():
            median, p95 = np.percentile(values, (50, 95)) * 1000
            found.append(Latency(name, batch, float(median), float(p95), len(values)))
    return found
