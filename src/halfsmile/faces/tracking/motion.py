"""Where a face is between two frames: its box and landmarks move and grow together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from halfsmile.faces.tracking.track import TrackedFace

Floats = npt.NDArray[np.float64]


def interpolate(
    before: Sequence[TrackedFace], after: Sequence[TrackedFace], time: float
) -> list[TrackedFace]:
    """Tracks between two frames with detections: boxes and landmarks move on straight lines.

    Args:
        before: Tracks of an earlier frame.
        after: Tracks of a later frame.
        time: Seconds, between theirs.

    Returns:
        Those who are in both, in order of their ids.
    """
    later = {track.id: track for track in after}
    found = []
    for first in sorted(before, key=lambda track: track.id):
        last = later.get(first.id)
        if last is None:
            continue
        share = (time - first.time) / (last.time - first.time)
        points = None
        if first.landmarks is not None and last.landmarks is not None:
            points = first.landmarks + share * (last.landmarks - first.landmarks)
        box = first.box + share * (last.box - first.box)
        score = min(first.score, last.score)
        found.append(replace(first, time=time, box=box, landmarks=points, score=score, detected=False))
    return found


def move_along(
    box: Floats, points: Floats | None, origin: Floats, goal: Floats
) -> tuple[Floats, Floats | None]:
    """Carry a box and its points along as ``origin`` moves to ``goal``."""
    scale = (goal[2:] - goal[:2]) / (origin[2:] - origin[:2])
    shift = (goal[:2] + goal[2:] - origin[:2] - origin[2:]) / 2
    center = (box[:2] + box[2:]) / 2

    def moved(places: Floats) -> Floats:
        return np.asarray((places - center) * scale + center + shift, np.float64)

    return moved(box.reshape(2, 2)).ravel(), None if points is None else moved(points)
