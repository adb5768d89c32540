"""The four small filters against one textbook filter of eight states."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.faces.tracking.kalman import ACCELERATION, MEASUREMENT, VELOCITY, BoxState

Floats = npt.NDArray[Any]


def box_of(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def textbook(times: Floats, positions: Floats) -> tuple[Floats, Floats]:
    """Mean (8,) and covariance (8, 8) of positions, then velocities, after all measurements (N, 4)."""
    eye, zero = np.eye(4), np.zeros((4, 4))
    observe = np.hstack([eye, zero])
    size = np.sqrt(positions[0, 2] * positions[0, 3])
    mean = np.concatenate([positions[0], np.zeros(4)])
    covariance = np.diag([(MEASUREMENT * size) ** 2] * 4 + [(VELOCITY * size) ** 2] * 4)
    for step, position in zip(np.diff(times), positions[1:], strict=True):
        move = np.block([[eye, step * eye], [zero, eye]])
        push = np.block([[step**3 / 3 * eye, step**2 / 2 * eye], [step**2 / 2 * eye, step * eye]])
        mean, covariance = move @ mean, move @ covariance @ move.T + (ACCELERATION * size) ** 2 * push
        size = np.sqrt(position[2] * position[3])
        noise = (MEASUREMENT * size) ** 2 * eye
        gain = covariance @ observe.T @ np.linalg.inv(observe @ covariance @ observe.T + noise)
        mean = mean + gain @ (position - observe @ mean)
        rest = np.eye(8) - gain @ observe
        covariance = rest @ covariance @ rest.T + gain @ noise @ gain.T
    return mean, covariance


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_textbook(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.4, 20))
    positions = rng.normal([300, 200, 80, 100], 8, (20, 4))
    state = BoxState.start(box_of(*positions[0]), times[0])
    for time, position in zip(times[1:], positions[1:], strict=True):
        state = state.update(box_of(*position), time)
    mean, covariance = textbook(times, positions)
    assert np.allclose(state.mean.ravel(), mean)
    assert np.allclose(np.kron(state.covariance, np.eye(4)), covariance)


@given(st.floats(0.001, 3), st.floats(0.001, 3))
def test_two_steps_are_one(first: float, second: float) -> None:
    state = BoxState.start(box_of(100, 80, 40, 50), 0).update(box_of(104, 79, 42, 50), 0.1)
    once = state.predict(0.1 + first + second)
    twice = state.predict(0.1 + first).predict(0.1 + first + second)
    assert np.allclose(once.mean, twice.mean)
    assert np.allclose(once.covariance, twice.covariance)


def test_steady_motion_is_learned_and_continued() -> None:
    state = BoxState.start(box_of(0, 0, 40, 50), 0)
    for step in range(1, 60):
        state = state.update(box_of(6 * step, -3 * step, 40, 50), step / 30)
    assert state.mean[1] == pytest.approx([180, -90, 0, 0], abs=1)
    assert state.predict(60 / 30 + 0.5).box == pytest.approx(box_of(450, -225, 40, 50), abs=2)


def test_uncertainty_grows_without_and_shrinks_with_detections() -> None:
    state = BoxState.start(box_of(0, 0, 40, 50), 0)
    later = state.predict(0.2)
    seen = state.update(box_of(0, 0, 40, 50), 0.2)
    assert np.diag(later.covariance).min() > np.diag(state.covariance).min()
    assert (np.diag(seen.covariance) < np.diag(later.covariance)).all()
    assert (np.linalg.eigvalsh(seen.covariance) > 0).all()


def test_everything_scales_with_the_picture() -> None:
    small = BoxState.start(box_of(10, 20, 8, 9), 0).update(box_of(11, 20, 8, 10), 0.04).predict(0.1)
    large = BoxState.start(box_of(100, 200, 80, 90), 0).update(box_of(110, 200, 80, 100), 0.04).predict(0.1)
    assert np.allclose(10 * small.box, large.box)
    assert np.allclose(100 * small.covariance, large.covariance)


@pytest.mark.parametrize("side", [5.0, 500.0])
def test_a_box_keeps_a_sensible_size_however_far_it_is_predicted(side: float) -> None:
    state = BoxState.start(box_of(0, 0, 60, 60), 0).update(box_of(0, 0, side, side), 0.04)
    for time in (0.1, 1.0, 100.0):
        left, top, right, bottom = state.predict(time).box
        assert 1 <= right - left <= 2 * side + 1e-6
        assert 1 <= bottom - top <= 2 * side + 1e-6
