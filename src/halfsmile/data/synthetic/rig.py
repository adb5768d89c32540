"""The face as blend shapes: a template of curves, and a matrix that moves them.

Curves are Catmull-Rom splines through the control points of ``moves.py``. A spline is linear in its points,
so all displacements are smoothed once, here, and posing a face is one small matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.actions import ACTION_UNITS
from halfsmile.data.synthetic.moves import (
    ACTION_MOVES,
    ALIASES,
    MIDDLE_CURVES,
    SIDE_CURVES,
    TRAIT_MOVES,
    TRAITS,
    Moves,
)

Array = npt.NDArray[np.float32]


@lru_cache(maxsize=64)
def spline_matrix(controls: int, steps: int = 3) -> Array:
    """Matrix that turns control points into points on the Catmull-Rom spline through them.

    Args:
        controls: Number of control points; 1 gives the identity.
        steps: Points per segment.

    Returns:
        Shape ((controls - 1) * steps + 1, controls); every row sums to 1.
    """
    if controls == 1:
        return np.ones((1, 1), np.float32)
    identity = np.eye(controls)
    padded = np.vstack([2 * identity[0] - identity[1], identity, 2 * identity[-1] - identity[-2]])
    rows = []
    for segment in range(controls - 1):
        p0, p1, p2, p3 = padded[segment : segment + 4]
        for t in np.arange(steps) / steps:
            rows.append(
                p1
                + 0.5 * t * (p2 - p0)
                + t**2 * (p0 - 2.5 * p1 + 2 * p2 - 0.5 * p3)
                + t**3 * (1.5 * (p1 - p2) + 0.5 * (p3 - p0))
            )
    rows.append(identity[-1])
    return np.asarray(rows, np.float32)


def mirror(half: npt.ArrayLike) -> Array:
    """A curve from the middle outwards, completed to one from image left to image right. Shape (n, 2)."""
    right = np.asarray(half, np.float32).reshape(-1, 2)
    left = right[::-1] * np.array([-1, 1], np.float32)
    return np.concatenate([left[:-1], right])


class Rig:
    """All curves in one array, and the matrix that moves them.

    Attributes:
        spans: Curve name to its rows. Side curves are named ``brow_top_R`` (image left), ``brow_top_L``.
        template: Neutral face of average traits. Shape (points, 2).
        depth: How far a point stands out towards the camera; turning the head shifts it by this much.
    """

    def __init__(self) -> None:
        self.spans: dict[str, slice] = {}
        template: list[Array] = []
        sides: list[Array] = []
        smoothing: dict[str, Array] = {}
        start = 0
        for name, half in self._halves().items():
            control = half[0]
            smooth = spline_matrix(len(control))
            smoothing[name] = smooth
            self.spans[name] = slice(start, start + len(smooth))
            start += len(smooth)
            template.append(smooth @ control)
            # Share of a one-sided action of the subject's left: 1 at image right, 0 at image left.
            sides.append(smooth @ np.clip(control[:, 0] / 0.12 + 0.5, 0, 1).astype(np.float32))
        self.template = np.concatenate(template)
        left = np.concatenate(sides)[:, None]
        rows = []
        for unit in ACTION_UNITS:
            move = self._moves(ACTION_MOVES[unit], smoothing)
            rows += [move * (1 - left), move * left]
        rows += [self._moves(TRAIT_MOVES[trait], smoothing) for trait in TRAITS]
        self._matrix = np.stack(rows).reshape(len(rows), -1)
        self.depth = self._depth()

    @staticmethod
    def _halves() -> dict[str, tuple[Array, bool]]:
        curves: dict[str, tuple[Array, bool]] = {}
        for name, half in SIDE_CURVES.items():
            points = np.asarray(half, np.float32)
            curves[f"{name}_L"] = (points, True)
            curves[f"{name}_R"] = (points * np.array([-1, 1], np.float32), True)
        for name, half in MIDDLE_CURVES.items():
            curves[name] = (mirror(half), False)
        return curves

    def _moves(self, moves: Moves, smoothing: Mapping[str, Array]) -> Array:
        result = np.zeros_like(self.template)
        for key, displacement in moves.items():
            for name in ALIASES.get(key, (key,)):
                half = np.asarray(displacement, np.float32).reshape(-1, 2)
                if name in SIDE_CURVES:
                    result[self.spans[f"{name}_L"]] += smoothing[f"{name}_L"] @ half
                    result[self.spans[f"{name}_R"]] += smoothing[f"{name}_R"] @ (half * (-1, 1)).astype(
                        np.float32
                    )
                else:
                    result[self.spans[name]] += smoothing[name] @ mirror(half)
        return result

    def _depth(self) -> Array:
        x, y = self.template.T
        depth = 0.55 * np.sqrt(np.clip(1 - (x / 0.72) ** 2 - (y / 1.05) ** 2, 0, 1))
        for name, extra in {"nose_tip": 0.22, "nose_base": 0.12, "nostril_L": 0.1, "nostril_R": 0.1}.items():
            depth[self.spans[name]] += extra
        for name in ("jaw", "skull", "beard_bottom"):
            depth[self.spans[name]] = 0
        return np.asarray(depth, np.float32)

    def points(self, activation: Array, traits: Array | None = None) -> Array:
        """Curves of a face, in face units.

        Lids and lips never cross: an upper lid rests on the lower one, a lower lip on the upper one.

        Args:
            activation: Action-unit intensities, shape (units, 2).
            traits: Standard deviations in the order of :data:`TRAITS`; None is the average face.

        Returns:
            Shape (points, 2), rows as in :attr:`spans`.
        """
        if traits is None:
            traits = np.zeros(len(TRAITS), np.float32)
        weights = np.concatenate([activation.reshape(-1), traits], dtype=np.float32)
        points: Array = self.template + (weights @ self._matrix).reshape(-1, 2)
        for upper, lower in (
            ("eye_upper_R", "eye_lower_R"),
            ("eye_upper_L", "eye_lower_L"),
            ("lip_parting_top", "lip_parting_bottom"),
        ):
            above = points[self.spans[upper], 1]
            below = points[self.spans[lower], 1]
            if upper.startswith("eye"):
                np.minimum(above, below, out=above)
            else:
                np.maximum(above, below, out=below)
        return points


RIG = Rig()
