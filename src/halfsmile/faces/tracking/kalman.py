"""Kalman filter of a moving box: nearly constant velocity, in real time.

Center x, center y, width and height are four independent points on a line, each with a position and a
velocity that white noise accelerates (Bar-Shalom, Li and Kirubarajan, *Estimation with Applications to
Tracking and Navigation*, 2001, section 6.2.2). Noise is relative to the box's size and the same for the four,
so they share one 2 x 2 covariance. The noise is continuous: predicting in two steps is predicting in one, and
frames may be skipped or come at uneven times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MEASUREMENT = 0.05  # standard deviation of a detected side's place, in box sizes
ACCELERATION = 2.0  # root of the acceleration's spectral density, in box sizes per second^1.5
VELOCITY = 2.0  # standard deviation of a new box's velocity, in box sizes per second


@dataclass(frozen=True, eq=False)
class BoxState:
    """What is known of a box at a time.

    Attributes:
        time: Seconds.
        mean: (2, 4): positions and velocities per second of center x, center y, width, height, in pixels.
        covariance: (2, 2), of each of the four positions and its velocity.
        size: Root of the area of the latest measured box, the unit of all noise.
    """

    time: float
    mean: Floats
    covariance: Floats
    size: float

    @classmethod
    def start(cls, box: npt.ArrayLike, time: float) -> BoxState:
        """The state after the first detection, box (4,) xyxy: nothing is known of its velocity."""
        position = _center_and_size(box)
        size = float(np.sqrt(position[2] * position[3]))
        covariance = np.diag([(MEASUREMENT * size) ** 2, (VELOCITY * size) ** 2])
        return cls(time, np.stack([position, np.zeros(4)]), covariance, size)

    def predict(self, time: float) -> BoxState:
        """The state at a later time, without a detection."""
        step = time - self.time
        move = np.array([[1.0, step], [0.0, 1.0]])
        noise = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]]) * (ACCELERATION * self.size) ** 2
        return BoxState(time, move @ self.mean, move @ self.covariance @ move.T + noise, self.size)

    def update(self, box: npt.ArrayLike, time: float) -> BoxState:
        """The state after a detection, box (4,) xyxy, at a later time."""
        position = _center_and_size(box)
        size = float(np.sqrt(position[2] * position[3]))
        prior = self.predict(time)
        gain = prior.covariance[:, :1] / (prior.covariance[0, 0] + (MEASUREMENT * size) ** 2)
        mean = prior.mean + gain * (position - prior.mean[0])
        covariance = prior.covariance - gain @ prior.covariance[:1]
        return BoxState(time, mean, (covariance + covariance.T) / 2, size)

    @property
    def deviation(self) -> float:
        """Standard deviation of the box's place, in pixels."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def box(self) -> Floats:
        """(4,) xyxy; its sides are at least a pixel and at most twice the latest detection's size."""
        center, sides = self.mean[0, :2], np.clip(self.mean[0, 2:], 1, 2 * self.size)
        return np.concatenate([center - sides / 2, center + sides / 2])


def _center_and_size(box: npt.ArrayLike) -> Floats:
    left, top, right, bottom = np.asarray(box, np.float64)
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
