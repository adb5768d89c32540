"""An explanation as a picture: the face as the model saw it, beside it the same under its map, and a key."""

from __future__ import annotations

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.predict.explain import COLD, WARM, Explanation

PANEL = 300
_GAP, _HEAD, _FOOT = 16, 92, 68
WIDTH = 2 * PANEL + 3 * _GAP
HEIGHT = _HEAD + PANEL + _FOOT
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAGE, _INK, _MUTED = (250, 248, 244), (32, 35, 42), (98, 104, 113)
Color = tuple[int, int, int]


def draw_explanation(explanation: Explanation, where: str = "") -> Image:
    """Draw an explanation.

    Args:
        explanation: What to show.
        where: Says which face it is, on the right above; its beginning is cut off where it is too long.

    Returns:
        RGB (:data:`HEIGHT`, :data:`WIDTH`, 3), uint8.
    """
    face = explanation.face
    canvas = np.full((HEIGHT, WIDTH, 3), _PAGE, np.uint8)
    answer = f"{face.expression} {explanation.probability:.0%}"
    end = _text(canvas, f"not sure: {answer}" if face.uncertain else answer, _GAP, 38, scale=0.85)
    where = _fitting(where, WIDTH - end - 2 * _GAP, scale=0.5)
    _text(canvas, where, WIDTH - _GAP - _wide(where, 0.5), 38, tint=_MUTED)

    gray = explanation.crop.shape[2] == 1
    crop = np.repeat(explanation.crop, 3, axis=2) if gray else explanation.crop
    panels = {"What the model sees": crop, "What its answer rests on": explanation.overlay()}
    for number, (heading, picture) in enumerate(panels.items()):
        left = _GAP + number * (PANEL + _GAP)
        _text(canvas, heading, left, _HEAD - 12)
        larger = cv2.resize(picture, (PANEL, PANEL), interpolation=cv2.INTER_CUBIC)
        canvas[_HEAD : _HEAD + PANEL, left : left + PANEL] = np.asarray(larger, np.uint8)

    top = _HEAD + PANEL + 14
    loss, gain = _points(explanation.loss), _points(explanation.gain)
    _key(canvas, top, WARM, "speaks for it", f"covered there, it loses {loss}")
    _key(canvas, top + 24, COLD, "speaks against it", f"covered there, it gains {gain}")
    return canvas


def _key(canvas: Image, top: int, tint: Color, name: str, meaning: str) -> None:
    cv2.rectangle(canvas, (_GAP, top), (_GAP + 14, top + 14), tint, -1)
    _text(canvas, name, _GAP + 24, top + 13)
    _text(canvas, meaning, 2 * _GAP + PANEL - 142, top + 13, tint=_MUTED)


def _points(share: float) -> str:
    """A difference of probabilities in points.

    Example:
        >>> [_points(share) for share in (0.3, 0.012, 0.0001, 0.0)]
        ['up to 30 points', 'up to 1 point', 'less than 1 point', 'nothing']
    """
    if share < 0.005:
        return "less than 1 point" if share > 1e-6 else "nothing"
    number = f"{100 * share:.0f}"
    return f"up to {number} point" + ("" if number == "1" else "s")


def _fitting(text: str, room: int, *, scale: float) -> str:
    """The end of a text, as much of it as there is room for."""
    if _wide(text, scale) <= room:
        return text
    while text and _wide(f"...{text}", scale) > room:
        text = text[1:]
    return f"...{text}" if text else ""


def _wide(text: str, scale: float) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    return int(width)


def _text(canvas: Image, text: str, x: int, y: int, *, tint: Color = _INK, scale: float = 0.5) -> int:
    """Write on a base line; where the text ends."""
    cv2.putText(canvas, text, (x, y), _FONT, scale, tint, 1, cv2.LINE_AA)
    return x + _wide(text, scale)
