"""Between two frames."""

from __future__ import annotations

import numpy as np
import pytest
from tests.faces.tracking.test_track import face, landmarks

from halfsmile.faces.tracking.motion import interpolate, move_along
from halfsmile.faces.tracking.track import Tracker


def test_interpolation_lies_on_the_line_between() -> None:
    tracker = Tracker()
    before = tracker.update([face(100, 100, 60), face(400, 100)], 1.0)
    after = tracker.update([face(112, 106, 66)], 1.12)
    (track,) = interpolate(before, after, 1.04)
    assert (track.id, track.time, track.detected) == (1, 1.04, False)
    assert np.allclose(track.box, face(104, 102, 62).box, atol=1e-4)
    assert np.allclose(landmarks(track), landmarks(face(104, 102, 62)), atol=1e-4)


def test_points_follow_a_box_that_moves_and_grows() -> None:
    box, points = np.array([10.0, 20, 30, 40]), np.array([[10.0, 20], [20, 30], [30, 40]])
    moved, along = move_along(box, points, box, np.array([110.0, 20, 150, 60]))
    assert moved == pytest.approx(np.array([110.0, 20, 150, 60]))
    assert along == pytest.approx(np.array([[110.0, 20], [130, 40], [150, 60]]))
    assert move_along(box, None, box, box)[1] is None
