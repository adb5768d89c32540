"""Frames of one person as they come, for a network whose answers only its window bounds."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from halfsmile.predict.temporal_model import Floats, TemporalModel, require_later, slope


class BlendedStream:
    """Overlapping windows, blended as :meth:`TemporalModel.predict` blends them, in memory of one window.

    Args:
        model: The network.
    """

    def __init__(self, model: TemporalModel) -> None:
        self.model = model
        self.window = model.facts.window
        self._frames: list[tuple[float, Floats | None]] = []
        self._sums: list[Floats] = []
        self._weights: list[float] = []
        self._first = 0  # number of the first frame that is held
        self._next = 0  # number of the frame at which the next window begins
        self._last = -1  # and where the last one began

    def push(self, time: float, feature: Floats | None) -> Floats | None:
        """Take a frame; answer with the probabilities (classes,) of the one ``window`` frames before it.

        Args:
            time: Seconds, later than that of the frame before.
            feature: (F,); None where there is no face.

        Returns:
            None until there are frames enough.

        Raises:
            ValueError: If times do not rise, or the feature has another shape.
        """
        require_later(self._frames[-1][0] if self._frames else None, time)
        self.model.require_feature(feature)
        self._frames.append((time, feature))
        self._sums.append(np.zeros(len(self.model.labels), np.float32))
        self._weights.append(0.0)
        if self._first + len(self._frames) == self._next + self.window:
            self._run(self._next)
            self._next += max(1, self.window // 2)
        return self._settle() if len(self._frames) > self.window else None

    def finish(self) -> list[Floats]:
        """Probabilities of the frames that are still held; the stream then is as new."""
        last = max(0, self._first + len(self._frames) - self.window)
        if self._frames and last > self._last:
            self._run(last)
        answers = [self._settle() for _ in range(len(self._frames))]
        self._first, self._next, self._last = 0, 0, -1
        return answers

    def _run(self, start: int) -> None:
        place = start - self._first
        frames = self._frames[place : place + self.window]
        logits = self.model.answer(frames)
        shares = slope(len(frames))
        for i, (row, share) in enumerate(zip(logits, shares, strict=True), start=place):
            self._sums[i] += share * row
            self._weights[i] += float(share[0])
        self._last = start

    def _settle(self) -> Floats:
        """The answer for the first frame that is held; it is forgotten."""
        self._first += 1
        self._frames.pop(0)
        return np.asarray(softmax(self._sums.pop(0) / self._weights.pop(0)), np.float32)
