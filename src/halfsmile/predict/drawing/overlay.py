"""Faces drawn over their picture: box, name, certainty and bars; dashed where the answer is uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.predict.face import Face
from halfsmile.utils.colors import rgb

BARS = 3  # most probable expressions that get one
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _INK, _TRACK = (255, 255, 255), (20, 22, 26), (70, 74, 82)
Color = tuple[int, int, int]
_Area = tuple[int, int, int, int]
_SMALL = 25  # pixels of a face for each thousandth of the picture, below which what is drawn shrinks with it


def draw(image: Image, faces: Sequence[Face]) -> Image:
    """Draw all faces of a picture.

    Above a face stand its number and expression with the confidence, or ``not sure`` in a dashed box; beside
    the box, where there is room, the most probable expressions as bars. Sizes follow the picture's, and
    the face's where it is small in a large picture, so that nothing covers it.

    Args:
        image: RGB (H, W, 3), or gray (H, W, 1), uint8; it is not changed.
        faces: In pixels of this picture.

    Returns:
        RGB (H, W, 3), uint8.
    """
    canvas = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image.copy()
    boxes = [_pixels(face) for face in faces]
    styles = [_Style.for_face(box, canvas.shape[1], canvas.shape[0]) for box in boxes]
    styled = list(zip(faces, styles, strict=True))
    for face, style in sorted(
        styled, key=lambda one: one[0].box[3]
    ):  # nearer ones, which stand lower, over others
        _box(canvas, face, style)
    taken: list[_Area] = []
    for face, style in styled:
        taken.append(_title(canvas, face, style, taken))
    for (face, style), box in zip(styled, boxes, strict=True):
        area = _bars(canvas, face, style, [*taken, *(other for other in boxes if other != box)])
        taken += [area] if area else []
    return canvas


@dataclass(frozen=True)
class _Style:
    font: float
    line: int
    pad: int

    @classmethod
    def for_face(cls, box: _Area, width: int, height: int) -> _Style:
        side = max(box[2] - box[0], box[3] - box[1])
        unit = min(max(width, height) / 1000, min(width, height) / 500, side / _SMALL)
        return cls(max(0.42, 0.62 * unit), max(2, round(3 * unit)), max(3, round(7 * unit)))

    def size(self, text: str) -> tuple[int, int, int]:
        """Width, height above the base line, and depth below it."""
        (width, height), depth = cv2.getTextSize(text, _FONT, self.font, 1)
        return int(width), int(height), int(depth)

    @property
    def row(self) -> int:
        """Height of a line of text."""
        _, height, depth = self.size("Ag")
        return height + depth + self.pad // 2


def _box(canvas: Image, face: Face, style: _Style) -> None:
    left, top, right, bottom = _pixels(face)
    tint = rgb(face.expression, tuple(face.probabilities))
    if not face.uncertain:
        cv2.rectangle(canvas, (left, top), (right, bottom), tint, style.line, cv2.LINE_AA)
        return
    dash = max(4, 4 * style.line)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = max(1, abs(x1 - x0) + abs(y1 - y0))
        step = ((x1 - x0) / length, (y1 - y0) / length)
        for start in range(0, length, 2 * dash):
            end = min(length, start + dash)
            begin = round(x0 + step[0] * start), round(y0 + step[1] * start)
            finish = round(x0 + step[0] * end), round(y0 + step[1] * end)
            cv2.line(canvas, begin, finish, tint, style.line, cv2.LINE_AA)


def _title(canvas: Image, face: Face, style: _Style, taken: Sequence[_Area]) -> _Area:
    """Write the verdict above the box, or where there is room; the area that it takes."""
    who = "" if face.track is None else f"{face.track}  "
    text = f"{who}not sure" if face.uncertain else f"{who}{face.expression} {face.confidence:.0%}"
    height, width = canvas.shape[:2]
    wide, high, depth = style.size(text)
    wide, tall = wide + 2 * style.pad, high + depth + style.pad
    left, top, _, bottom = _pixels(face)
    x = min(max(0, left - style.line // 2), max(0, width - wide))
    below = min(bottom, height - tall)
    y = max(0, top - tall)
    if any(_overlap((x, y, x + wide, y + tall), area) for area in taken):
        y = max(0, below)
    area = (x, y, x + wide, y + tall)
    _panel(canvas, area, rgb(face.expression, tuple(face.probabilities)), 1.0)
    _text(canvas, text, x + style.pad, y + style.pad // 2 + high, style, outlined=True)
    return area


def _bars(canvas: Image, face: Face, style: _Style, taken: Sequence[_Area]) -> _Area | None:
    """Bars beside or below the box, or in it at the bottom; None for small faces and where no room is."""
    labels = tuple(face.probabilities)
    best = sorted(face.probabilities.items(), key=lambda item: -item[1])[:BARS]
    names = max(style.size(label)[0] for label, _ in best)
    bar = max(24, 4 * style.row)
    wide, tall = names + bar + 3 * style.pad, len(best) * style.row + style.pad
    height, width = canvas.shape[:2]
    left, top, right, bottom = _pixels(face)
    if bottom - top < tall:
        return None
    gap = style.line
    y = min(max(0, top), max(0, height - tall))
    places = [(right + gap, y), (left - gap - wide, y), (right + gap, bottom - tall)]
    places += [((left + right - wide) // 2, bottom + gap)]
    places += [(left + gap, bottom - tall - gap)] if right - left > wide + 2 * gap else []
    for x, y in places:
        area = (x, y, x + wide, y + tall)
        is_inside = x >= 0 and y >= 0 and area[2] <= width and area[3] <= height
        if is_inside and not any(_overlap(area, other) for other in taken):
            break
    else:
        return None
    _panel(canvas, area, _INK, 0.72)
    for row, (label, value) in enumerate(best):
        base = y + style.pad // 2 + row * style.row
        _text(canvas, label, x + style.pad, base + style.size(label)[1] + style.pad // 4, style)
        start = x + 2 * style.pad + names
        middle = base + style.row // 2
        thick = max(2, style.row // 5)
        cv2.rectangle(canvas, (start, middle - thick), (start + bar, middle + thick), _TRACK, -1)
        length = round(bar * value)
        if length:
            tint = rgb(label, labels)
            cv2.rectangle(canvas, (start, middle - thick), (start + length, middle + thick), tint, -1)
    return area


def _panel(canvas: Image, area: _Area, tint: Color, opacity: float) -> None:
    left, top, right, bottom = area
    part = canvas[max(0, top) : bottom, max(0, left) : right]
    part[:] = np.round(opacity * np.array(tint) + (1 - opacity) * part).astype(np.uint8)


def _text(canvas: Image, text: str, x: int, y: int, style: _Style, *, outlined: bool = False) -> None:
    if outlined:
        for shift in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            place = x + shift[0], y + shift[1]
            cv2.putText(canvas, text, place, _FONT, style.font, (60, 60, 60), 1, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), _FONT, style.font, _WHITE, 1, cv2.LINE_AA)


def _pixels(face: Face) -> _Area:
    left, top, right, bottom = (round(value) for value in face.box)
    return left, top, right, bottom


def _overlap(first: _Area, second: _Area) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
