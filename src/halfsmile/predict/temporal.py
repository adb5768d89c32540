"""A network over frames in place of the answers for single frames, person by person while a video runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.predict.face import Face
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.over_time import Decided, over_time
from halfsmile.predict.temporal_blend import BlendedStream
from halfsmile.predict.temporal_model import Floats, TemporalModel

if TYPE_CHECKING:
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video import Seen

PATIENCE = 1.0  # seconds out of sight after which a track ends for good, as the tracker has it


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


def related(looked: Iterator[Seen], predictor: Predictor, temporal: TemporalModel) -> Iterator[Seen]:
    """The same frames in the same order, each face with what the network over frames says of it.

    Its sequence begins with the first frame of a track and ends when the person has been out of sight for
    more than :data:`PATIENCE`, or with the video; frames in which they are not seen are in it, without a
    face. The answers are those that the network gives for the sequence as a whole, see
    :meth:`TemporalModel.predict`. A frame is given out when as many later ones are known as an answer depends
    on; where the network has no bounded context, as many as its window has.

    Args:
        looked: Frames in order of time, with features.
        predictor: Its labels and threshold are used.
        temporal: The network.
    """
    return over_time(looked, predictor, lambda: _Sequence(temporal), patience=PATIENCE)


class _Sequence:
    def __init__(self, temporal: TemporalModel) -> None:
        bounded = temporal.facts.context is not None
        self.stream = temporal.stream() if bounded else BlendedStream(temporal)
        self.times: deque[float] = deque()  # of frames without an answer

    def push(self, time: float, face: Face | None, feature: npt.NDArray[np.float32] | None) -> list[Decided]:
        self.times.append(time)
        answer = self.stream.push(time, feature)
        return self._decided([] if answer is None else [answer])

    def finish(self) -> list[Decided]:
        return self._decided(self.stream.finish())

    def _decided(self, answers: list[Floats]) -> list[Decided]:
        rows = (answer.astype(np.float64) for answer in answers)
        return [(self.times.popleft(), row / row.sum()) for row in rows]
