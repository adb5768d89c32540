"""Mouth, eyes and brows: the crisp parts, drawn over the shaded skin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.actions import ROW
from halfsmile.data.synthetic.canvas import CIRCLE, Ints, View, color, fixed
from halfsmile.data.synthetic.people import Person
from halfsmile.data.synthetic.rig import RIG
from halfsmile.data.synthetic.scene import Scene
from halfsmile.data.synthetic.skin import SHADOW

Array = npt.NDArray[np.float32]

_SPANS = RIG.spans
_EYE_DEPTH = float(RIG.depth[_SPANS["eye_upper_L"]].mean())
_IRIS_RADIUS = 0.077
_IRIS = CIRCLE * np.float32(_IRIS_RADIUS)
_MOUTH_SHADE = np.array((0.45, 0.34, 0.36), np.float32)


def draw_mouth(view: View, person: Person, activation: Array, curves: Array, points: Ints) -> None:
    """Lips, and between parted lips the teeth and the tongue.

    Args:
        view: Where to draw.
        person: Who.
        activation: Action units, shape (units, 2).
        curves: Curves of the rig in face units, shape (points, 2).
        points: The same on the canvas.
    """
    top, bottom = points[_SPANS["lip_top"]], points[_SPANS["lip_bottom"]]
    upper, lower = points[_SPANS["lip_parting_top"]], points[_SPANS["lip_parting_bottom"]]
    view.fill([np.concatenate([upper, bottom[::-1]])], color(person.lip))
    view.fill([np.concatenate([top, upper[::-1]])], color(person.lip * 0.82))
    gap = curves[_SPANS["lip_parting_bottom"], 1] - curves[_SPANS["lip_parting_top"], 1]
    widest = float(gap.max())
    dark = color(person.lip * _MOUTH_SHADE)
    if widest < 0.02:
        view.line([upper], dark, 0.035)
        return
    smile, stretch, lift, drop, jaw = activation[[ROW[12], ROW[20], ROW[10], ROW[16], ROW[26]]].mean(axis=1)
    view.fill([np.concatenate([upper, lower[::-1]])], (62, 22, 26))

    def between(share: float) -> Ints:
        """The curve that lies this share of the opening below the upper lip."""
        return upper + ((lower - upper) * share).astype(np.int32)

    if jaw > 0.4:
        inner = slice(4, -4)
        view.fill([np.concatenate([between(0.58)[inner], lower[inner][::-1]])], (176, 76, 84))
    teeth = 0.045 + 0.07 * smile + 0.05 * stretch + 0.05 * lift
    view.fill([np.concatenate([upper, between(min(0.85, float(teeth) / widest))[::-1]])], (240, 236, 228))
    teeth = 0.05 * drop + 0.05 * stretch
    if teeth > 0.02:
        edge = between(1 - min(0.45, float(teeth) / widest))
        view.fill([np.concatenate([lower, edge[::-1]])], (222, 216, 206))


def draw_eyes(view: View, person: Person, scene: Scene, curves: Array, points: Ints) -> None:
    """Eyeballs between the lids, lashes and brows.

    Args:
        view: Where to draw.
        person: Who.
        scene: Says where the person looks.
        curves: Curves of the rig in face units, shape (points, 2).
        points: The same on the canvas.
    """
    lids, irises, upper_lids, lower_lids, brows = [], [], [], [], []
    for side in "RL":
        top, bottom = _SPANS[f"eye_upper_{side}"], _SPANS[f"eye_lower_{side}"]
        upper_lids.append(points[top])
        if float((curves[bottom, 1] - curves[top, 1]).max()) > 0.03:
            lower_lids.append(points[bottom])
            lids.append(np.concatenate([points[top], points[bottom][::-1]]))
            irises.append(_iris(curves[top], curves[bottom], scene.gaze))
        above, below = points[_SPANS[f"brow_top_{side}"]], points[_SPANS[f"brow_bottom_{side}"]]
        brows.append(np.concatenate([above, below[::-1]]))
    if irises:
        view.fill(lids, (236, 233, 229))
        placed = view.place(np.concatenate(irises), _EYE_DEPTH).reshape(len(irises), -1, 2)
        centers = placed.sum(axis=1, keepdims=True) / np.float32(len(_IRIS))
        view.fill([*fixed(placed)], color(person.eye))
        view.fill([*fixed(centers + (placed - centers) * 0.52)], (14, 12, 14))
        for glint in fixed(centers[:, 0] - 0.03 * view.unit):
            view.spot(glint, (0.022, 0.022), (250, 250, 250))
        view.line(lower_lids, color(person.skin * SHADOW * 0.72), 0.016)
    view.line(upper_lids, color(np.minimum(person.brow * 0.55, 48)), 0.042)
    view.fill(brows, color(person.brow))


def _iris(top: Array, bottom: Array, gaze: tuple[float, float]) -> Array:
    """The part of the iris between the lids, in face units. Shape (12, 2)."""
    x0, y0 = bottom[0].tolist()
    x1, y1 = bottom[-1].tolist()
    center = ((x0 + x1) / 2 + gaze[0] * _IRIS_RADIUS, (y0 + y1) / 2 - 0.015 + gaze[1] * _IRIS_RADIUS)
    iris = _IRIS + np.array(center, np.float32)
    if x0 > x1:  # np.interp wants rising x, and the subject's right eye runs the other way
        top, bottom = top[::-1], bottom[::-1]
    above = np.interp(iris[:, 0], top[:, 0], top[:, 1])
    below = np.interp(iris[:, 0], bottom[:, 0], bottom[:, 1])
    iris[:, 1] = np.minimum(np.maximum(iris[:, 1], above), below)
    return iris
