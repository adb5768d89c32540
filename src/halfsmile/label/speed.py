"""How fast people answer, pauses left out."""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise

PAUSE_SECONDS = 30.0
"""Longer gaps between two answers are pauses and do not count."""
WINDOW = 100
"""Newest messages that count."""
LEAST = 4


class Speed:
    """Answers a minute of each person, by a clock that only goes forward."""

    def __init__(self) -> None:
        self._times: dict[str, deque[tuple[float, int]]] = {}

    def note(self, annotator: str, count: int) -> None:
        """Somebody has just sent so many answers."""
        self._times.setdefault(annotator, deque(maxlen=WINDOW)).append((time.monotonic(), count))

    def per_minute(self, annotator: str | None = None) -> float | None:
        """Of one person, or of all together; None before five answers without a pause."""
        people = [annotator] if annotator is not None else list(self._times)
        rates = []
        for name in people:
            gaps = [
                (later - earlier, count)
                for (earlier, _), (later, count) in pairwise(self._times.get(name, ()))
                if later - earlier <= PAUSE_SECONDS
            ]
            seconds, given = sum(gap for gap, _ in gaps), sum(count for _, count in gaps)
            if given >= LEAST and seconds > 0:
                rates.append(60 * given / seconds)
        return sum(rates) if rates else None
