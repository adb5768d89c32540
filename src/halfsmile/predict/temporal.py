"""What several frames say of each person while a video runs: their average, or a network over frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from halfsmile.predict.answers.judgment import Judge
from halfsmile.predict.face import Face
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.temporal_model import TemporalModel
from halfsmile.sequences.smoothing_stream import StreamingAverage
from halfsmile.sequences.windowed import Floats

if TYPE_CHECKING:
    from halfsmile.predict.video import Seen

Row = npt.NDArray[np.float64]
Decided = tuple[float, Row | None]
"""Time of a frame, and its probabilities (classes,); None for a frame that needs none."""

MAX_GAP = 0.5
"""Seconds, or else one frame, that a person may be out of sight without the average starting anew."""

PATIENCE = 1.0
"""Seconds out of sight after which a track ends for good, as the tracker has it."""


def open_temporal(
    temporal: str | Path | TemporalModel | None, model: ExpressionModel, *, smoothing: float | None = None
) -> TemporalModel | None:
    """The network over frames that goes with a model of single frames.

    Args:
        temporal: An exported run with Stage IV, its ONNX file, or a loaded one; None for none.
        model: Of single frames, whose features it reads.
        smoothing: Seconds of smoothing that were asked for.

    Raises:
        ValueError: If it can't be had, reads the features of another model, or smoothing was asked for, too.
    """
    if temporal is None:
        return None
    if smoothing is not None:
        raise ValueError(
            "smoothing and temporal both decide a frame by its neighbors: choose one; a network over frames "
            "needs no smoothing."
        )
    loaded = temporal if isinstance(temporal, TemporalModel) else TemporalModel(temporal)
    loaded.require_features_of(model)
    return loaded


def smooth_tracks(frames: Iterator[Seen], judge: Judge, *, width: float, delay: float) -> Iterator[Seen]:
    """The same frames in the same order, each face with the average of its track.

    A frame is given out when all its faces are decided: at most ``delay`` and :data:`MAX_GAP`, or one frame,
    later.

    Args:
        frames: In order of time.
        judge: Of the model's answers.
        width: Seconds of the window.
        delay: Seconds of it that lie after the frame.
    """
    return _decide(frames, judge, lambda: _Average(width, delay), patience=2 * MAX_GAP)


def relate_tracks(frames: Iterator[Seen], judge: Judge, temporal: TemporalModel) -> Iterator[Seen]:
    """The same frames in the same order, each face with what the network over frames says of it.

    Its sequence begins with the first frame of a track and ends when the person has been out of sight for
    more than :data:`PATIENCE`, or with the video; frames in which they are not seen are in it, without a
    face. The probabilities are those that the network gives for the sequence as a whole, see
    :meth:`TemporalModel.predict`. A frame is given out when as many later ones are known as its answer
    depends on; where the network has no bounded context, as many as its window has.

    Args:
        frames: In order of time, with features.
        judge: Of the model's answers.
        temporal: The network.
    """
    return _decide(frames, judge, lambda: _Network(temporal), patience=PATIENCE)


class _TrackStream(Protocol):
    """The frames of one person, from the first in which they are seen."""

    def push(self, time: float, face: Face | None, features: Floats | None) -> Iterable[Decided]:
        """Take a frame, without face and features (F,) where they are not seen; give those now decided."""
        ...

    def finish(self) -> Iterable[Decided]:
        """Decide all frames that are left: the person is gone, or the video is over."""
        ...


class _Average:
    def __init__(self, width: float, delay: float) -> None:
        self.average = StreamingAverage(width, delay=delay, max_gap=MAX_GAP)
        self.last: float | None = None

    def push(self, time: float, face: Face | None, features: Floats | None) -> list[Decided]:
        if self.last is not None:
            self.average.max_gap = max(MAX_GAP, time - self.last)
        self.last = time
        row = None if face is None else np.array(list(face.probabilities.values()), np.float64)
        return self.average.push(time, None if row is None else row / row.sum())

    def finish(self) -> list[Decided]:
        return self.average.flush()


class _Network:
    def __init__(self, temporal: TemporalModel) -> None:
        self.stream = temporal.stream()

    def push(self, time: float, face: Face | None, features: Floats | None) -> Iterator[Decided]:
        return _normalized(self.stream.push(time, features))

    def finish(self) -> Iterator[Decided]:
        return _normalized(self.stream.finish())


def _normalized(decided: Iterable[tuple[float, Floats]]) -> Iterator[Decided]:
    """The rows in double precision, in which they sum to 1."""
    for time, row in decided:
        exact = row.astype(np.float64)
        yield time, exact / exact.sum()


@dataclass(eq=False)
class _Waiting:
    seen: Seen
    rows: dict[int, Row] = field(default_factory=dict)  # by track

    @property
    def decided(self) -> bool:
        return all((face.track or 0) in self.rows for face in self.seen.faces)


@dataclass(eq=False)
class _Person:
    stream: _TrackStream
    last_seen: float


def _decide(
    frames: Iterator[Seen],
    judge: Judge,
    new_stream: Callable[[], _TrackStream],
    *,
    patience: float,
) -> Iterator[Seen]:
    """The same frames in the same order, each face with the probabilities that are decided for its track.

    A frame is given out when all its faces are decided. Expression, confidence and certainty follow the new
    probabilities. Nothing reaches from one shot into the next: there every track begins anew.

    Args:
        frames: In order of time.
        judge: Of the model's answers.
        new_stream: Called for each track of each shot.
        patience: Seconds out of sight after which a person is gone.
    """
    waiting: OrderedDict[float, _Waiting] = OrderedDict()  # by time
    people: dict[tuple[int, int], _Person] = {}  # by shot and track

    def note(key: tuple[int, int], decided: Iterable[Decided]) -> None:
        shot, track = key
        for time, row in decided:
            if row is not None and time in waiting and waiting[time].seen.shot == shot:
                waiting[time].rows[track] = row

    def ready() -> Iterator[Seen]:
        while waiting and next(iter(waiting.values())).decided:
            yield _with_rows(waiting.popitem(last=False)[1], judge)

    for seen in frames:
        time = seen.frame.time
        waiting[time] = _Waiting(seen)
        present = {(seen.shot, face.track or 0): place for place, face in enumerate(seen.faces)}
        for key in {*people, *present}:
            if key not in people:
                people[key] = _Person(new_stream(), time)
            person, place = people[key], present.get(key)
            if place is None:
                note(key, person.stream.push(time, None, None))
            else:
                person.last_seen = time
                note(key, person.stream.push(time, seen.faces[place], seen.features[place]))
            if time - person.last_seen > patience:
                note(key, people.pop(key).stream.finish())
        yield from ready()
    for key, person in people.items():
        note(key, person.stream.finish())
    yield from ready()


def _with_rows(frame: _Waiting, judge: Judge) -> Seen:
    rows = [frame.rows[face.track or 0] for face in frame.seen.faces]
    return replace(frame.seen, faces=judge.judged(frame.seen.faces, rows))
