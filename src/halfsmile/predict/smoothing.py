"""Probabilities of each person averaged over time while a video runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.predict.face import Face
from halfsmile.predict.over_time import Decided, over_time
from halfsmile.sequences.smoothing_stream import StreamingAverage

if TYPE_CHECKING:
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video import Seen

MAX_GAP = 0.5  # seconds that a person may be out of sight without the average starting anew, or one frame


def smoothed(looked: Iterator[Seen], predictor: Predictor, *, width: float, delay: float) -> Iterator[Seen]:
    """The same frames in the same order, each face with the average of its track.

    A frame is given out when all its faces are decided: at most ``delay`` and :data:`MAX_GAP`, or one frame,
    later.

    Args:
        looked: Frames in order of time.
        predictor: Its labels and threshold are used.
        width: Seconds of the window.
        delay: Seconds of it that lie after the frame.
    """
    return over_time(looked, predictor, lambda: _Average(width, delay), patience=2 * MAX_GAP)


class _Average:
    def __init__(self, width: float, delay: float) -> None:
        self.average = StreamingAverage(width, delay=delay, max_gap=MAX_GAP)
        self.last: float | None = None

    def push(self, time: float, face: Face | None, feature: npt.NDArray[np.float32] | None) -> list[Decided]:
        if self.last is not None:
            self.average.max_gap = max(MAX_GAP, time - self.last)
        self.last = time
        row = None if face is None else np.array(list(face.probabilities.values()), np.float64)
        return self.average.push(time, None if row is None else row / row.sum())

    def finish(self) -> list[Decided]:
        return self.average.flush()
