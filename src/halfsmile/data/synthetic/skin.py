"""Skin: the outline of the face, wrinkles of the acting muscles and of age, beard, soft shadows."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.actions import ROW
from halfsmile.data.synthetic.canvas import SHIFT, Canvas, Ints, View, color
from halfsmile.data.synthetic.people import Person
from halfsmile.data.synthetic.rig import RIG

Array = npt.NDArray[np.float32]

SHADOW = np.array((0.86, 0.79, 0.77), np.float32)  # a warm shadow, as a factor on the skin color
_SOFT_SIDE = 32  # resolution of the layer of soft shadows; enlarging it blurs it
_SPANS = RIG.spans
_FOREHEAD = (_SPANS["forehead_bottom"].start + _SPANS["forehead_bottom"].stop) // 2


def draw_skin(view: View, person: Person, activation: Array, points: Ints) -> None:
    """Draw everything of the face but mouth, eyes and brows.

    Args:
        view: Where to draw.
        person: Who.
        activation: Action units, shape (units, 2).
        points: Curves of the rig on the canvas, shape (points, 2).
    """
    outline = np.concatenate([points[_SPANS["jaw"]], points[_SPANS["skull"]][::-1]])
    view.fill([outline], color(person.skin))
    sides = {number: activation[row].tolist() for number, row in ROW.items()}
    unit = {number: (right + left) / 2 for number, (right, left) in sides.items()}
    _draw_wrinkles(view, person, sides, unit, points)
    _draw_beard(view, person, points)
    _draw_shadows(view, unit, points)
    view.line([points[_SPANS["nose_base"]]], color(person.skin * SHADOW * 0.8), 0.035)
    nostrils = [points[_SPANS["nostril_R"]], points[_SPANS["nostril_L"]]]
    view.line(nostrils, color(person.skin * 0.42), 0.045)


def _draw_wrinkles(
    view: View, person: Person, sides: dict[int, list[float]], unit: dict[int, float], points: Ints
) -> None:
    age = person.age

    def wrinkle(strength: float, width: float, *names: str) -> None:
        if strength > 0.12:
            tone = 1 - min(strength, 1.0) * (1 - SHADOW) * 2
            view.line([points[_SPANS[name]] for name in names], color(person.skin * tone), width)

    for i, s in enumerate("RL"):
        laugh = max(sides[12][i] * 0.8, sides[9][i], sides[10][i] * 0.9, sides[20][i] * 0.5)
        wrinkle(max(laugh, age * 0.7), 0.035, f"fold_{s}")
        wrinkle(sides[6][i] * 0.6 + age * 0.45, 0.03, f"crow_top_{s}", f"crow_bottom_{s}")
        wrinkle(sides[14][i] * 0.9, 0.04, f"dimple_{s}")
        wrinkle(0.55 - 0.4 * sides[43][i], 0.03, f"crease_{s}")
    wrinkle(max(age * 0.75, unit[6] * 0.45, unit[9] * 0.4), 0.03, "bag_R", "bag_L")
    wrinkle(max(unit[4] - 0.35 * unit[1], 0.0) * 0.85, 0.035, "furrow_R", "furrow_L")
    wrinkle(unit[9], 0.035, "nose_wrinkle_top", "nose_wrinkle_bottom")
    wrinkle(max((unit[1] + 0.5 * unit[2]) * 0.45, age * 0.5), 0.03, "forehead_top", "forehead_bottom")
    wrinkle(max(unit[17] * 0.8, unit[15] * 0.4, 0.25), 0.04, "chin_crease")


def _draw_beard(view: View, person: Person, points: Ints) -> None:
    style, dark = person.facial_hair, color(person.hair * 0.8)
    if style in ("beard", "stubble"):
        beard = np.concatenate([points[_SPANS["beard_top"]], points[_SPANS["beard_bottom"]][::-1]])
        view.fill([beard], dark if style == "beard" else color(person.skin * 0.84 + 4))
    elif style == "goatee":
        view.fill([points[_SPANS["goatee"]]], dark)
    if style in ("mustache", "goatee", "beard"):
        upper = np.concatenate([points[_SPANS["mustache_top"]], points[_SPANS["mustache_bottom"]][::-1]])
        view.fill([upper], color(person.hair * 0.74))


def _draw_shadows(view: View, unit: dict[int, float], points: Ints) -> None:
    """Multiply warm shadows, blush and highlights into the picture; 128 is neutral.

    They are drawn small and enlarged, which blurs them at no cost.
    """
    shrink = view.side / _SOFT_SIDE
    layer = Canvas(np.full((_SOFT_SIDE, _SOFT_SIDE, 3), 128, np.uint8), view.unit / shrink)
    center = 2 ** (SHIFT - 1)  # half a pixel: the corner, not the middle, of pixel 0 is the origin
    small = np.rint((points + center) / shrink - center).astype(np.int32)
    dark = color(128 * SHADOW)
    outline = np.concatenate([small[_SPANS["jaw"]], small[_SPANS["skull"]][::-1]])
    layer.line([outline], color(112 * SHADOW), 0.16, closed=True)
    blush = 0.92 - 0.05 * unit[12]
    for s in "RL":
        cheek = small[_SPANS[f"cheek_{s}"]][0]
        layer.spot(cheek, (0.17, 0.13), (131, 128 * blush, 128 * blush))
        if unit[6] > 0.2:
            layer.spot(cheek - np.array([0, int(0.8 * layer.unit)], np.int32), (0.11, 0.05), (138, 133, 132))
        socket = np.concatenate([small[_SPANS[f"crease_{s}"]], small[_SPANS[f"eye_lower_{s}"]][::-1]])
        layer.fill([socket], color(128 * (1 - (1 - SHADOW) * 0.8)))
    nose = small[_SPANS["nose_side_R"]], small[_SPANS["nose_side_L"]]
    layer.line([*nose], dark, 0.07)
    tip = small[_SPANS["nose_tip"]][0]
    layer.line([np.stack([(nose[0][0] + nose[1][0]) // 2, tip])], (140, 138, 136), 0.09)
    layer.spot(tip, (0.06, 0.05), (146, 143, 140))
    layer.spot(small[_FOREHEAD], (0.34, 0.13), (134, 133, 132))
    layer.line([small[_SPANS["chin_crease"]]], dark, 0.08)
    soft = cv2.pyrUp(cv2.pyrUp(layer.pixels))
    if len(soft) != view.side:
        soft = cv2.resize(soft, (view.side, view.side), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(view.pixels, soft, view.pixels, 1 / 128)
