"""How a video is processed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from halfsmile.faces.tracking.gallery import Gallery
    from halfsmile.predict.answers.baseline import Baseline
    from halfsmile.predict.answers.neutral import NeutralFace
    from halfsmile.predict.temporal_model import TemporalModel


class VideoOptions(TypedDict):
    """What :meth:`halfsmile.predict.predictor.Predictor.video` takes."""

    start: float
    end: float | None
    every: int
    every_seconds: float | None
    retries: int
    detect_every: int
    smoothing: float | None
    temporal: TemporalModel | None
    people: Gallery | None
    baseline: Baseline | None
    neutral: NeutralFace | None


def require_video_options(
    *,
    every: int,
    detect_every: int,
    smoothing: float | None,
    every_seconds: float | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> None:
    """Refuse options that no video can be processed with.

    Raises:
        ValueError: If a number is out of range.
    """
    if not 0 <= start < math.inf:
        raise ValueError(f"start must be a time in seconds from 0 on, found {start}.")
    if end is not None and not end > start:
        raise ValueError(f"end must be later than start ({start:g} s), found {end:g} s.")
    if every_seconds is not None and not 0 < every_seconds < math.inf:
        raise ValueError(f"every_seconds must be a positive number of seconds, found {every_seconds}.")
    if every_seconds is not None and every != 1:
        raise ValueError("every and every_seconds both thin the frames out: choose one.")
    if every < 1:
        raise ValueError(f"every must be at least 1 frame, found {every}.")
    if detect_every < 1:
        raise ValueError(f"detect_every must be at least 1 frame, found {detect_every}.")
    if smoothing is not None and not 0 < smoothing < float("inf"):
        raise ValueError(f"smoothing must be a positive number of seconds, found {smoothing}.")


def seconds_of(time: float | str) -> float:
    """A time as people write it, in seconds.

    Args:
        time: Seconds, or ``minutes:seconds``, or ``hours:minutes:seconds``.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> seconds_of("90"), seconds_of("1:30.5"), seconds_of("1:00:00"), seconds_of(2.5)
        (90.0, 90.5, 3600.0, 2.5)
    """
    if isinstance(time, int | float):
        return float(time)
    parts = time.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(number >= 0 for number in numbers):
        raise ValueError(f"{time!r} is no time: expected seconds (90), minutes (1:30) or hours (1:00:30).")
    return float(sum(number * 60**place for place, number in enumerate(reversed(numbers))))
