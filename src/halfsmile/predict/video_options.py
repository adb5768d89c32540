"""How a video is processed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from halfsmile.predict.temporal_model import TemporalModel


class VideoOptions(TypedDict):
    """What :meth:`halfsmile.predict.predictor.Predictor.video` takes."""

    every: int
    detect_every: int
    smoothing: float | None
    temporal: TemporalModel | None


def require_video_options(*, every: int, detect_every: int, smoothing: float | None) -> None:
    """Refuse options that no video can be processed with.

    Raises:
        ValueError: If a number is out of range.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1 frame, found {every}.")
    if detect_every < 1:
        raise ValueError(f"detect_every must be at least 1 frame, found {detect_every}.")
    if smoothing is not None and not 0 < smoothing < float("inf"):
        raise ValueError(f"smoothing must be a positive number of seconds, found {smoothing}.")
