"""Probabilities of each person averaged over time while a video runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.evaluate.smoothing_stream import Smoothed, StreamingAverage
from halfsmile.predict.face import Face, Faces

if TYPE_CHECKING:
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video import Seen

MAX_GAP = 0.5  # seconds that a person may be out of sight without the average starting anew


@dataclass(eq=False)
class _Waiting:
    seen: Seen
    averages: dict[int, npt.NDArray[np.float64]]  # by track


def smoothed(looked: Iterator[Seen], predictor: Predictor, *, width: float, delay: float) -> Iterator[Seen]:
    """The same frames in the same order, each face with the average of its track.

    A frame is given out when all its faces are decided: at most ``delay`` and :data:`MAX_GAP` later.
    Expression, confidence and certainty follow the averaged probabilities.

    Args:
        looked: Frames in order of time.
        predictor: Its labels and threshold are used.
        width: Seconds of the window.
        delay: Seconds of it that lie after the frame.
    """
    waiting: deque[_Waiting] = deque()
    averages: dict[int, StreamingAverage] = {}
    last_seen: dict[int, float] = {}

    def decide(track: int, done: list[Smoothed]) -> None:
        decided = {time: row for time, row in done if row is not None}
        for frame in waiting:
            row = decided.get(frame.seen.frame.time)
            if row is not None:
                frame.averages[track] = row

    def ready() -> Iterator[Seen]:
        while waiting and all((face.track or 0) in waiting[0].averages for face in waiting[0].seen.faces):
            yield _averaged(waiting.popleft(), predictor)

    for seen in looked:
        time = seen.frame.time
        waiting.append(_Waiting(seen, {}))
        present = {face.track or 0: face for face in seen.faces}
        for track in {*averages, *present}:
            face = present.get(track)
            if face is not None:
                last_seen[track] = time
            average = averages.setdefault(track, StreamingAverage(width, delay=delay, max_gap=MAX_GAP))
            decide(track, average.push(time, None if face is None else _row(face)))
            if time - last_seen[track] > 2 * MAX_GAP:  # after the first gap all of its frames are decided
                del averages[track], last_seen[track]
        yield from ready()
    for track, average in averages.items():
        decide(track, average.flush())
    yield from ready()


def _row(face: Face) -> npt.NDArray[np.float64]:
    row = np.array(list(face.probabilities.values()), np.float64)
    return np.asarray(row / row.sum(), np.float64)


def _averaged(frame: _Waiting, predictor: Predictor) -> Seen:
    faces = Faces()
    for face in frame.seen.faces:
        row = frame.averages[face.track or 0]
        best = int(row.argmax())
        confidence = float(row[best])
        faces.append(
            replace(
                face,
                expression=predictor.labels[best],
                probabilities=dict(zip(predictor.labels, map(float, row), strict=True)),
                confidence=confidence,
                uncertain=predictor.is_uncertain(confidence),
            )
        )
    return replace(frame.seen, faces=faces)
