"""Drawing: a person, an activation and a scene become pixels, a box and landmarks.

Everything is drawn with anti-aliased polygons at twice the size and shrunk, from back to front: background,
hair behind the head, body, skin with its soft shadows, mouth, eyes, hair in front, glasses, whatever covers
the face, and at the end light and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.camera import backdrop, cover, expose
from halfsmile.data.synthetic.canvas import CIRCLE, SHIFT, Image, Ints, View, color, fixed
from halfsmile.data.synthetic.features import draw_eyes, draw_mouth
from halfsmile.data.synthetic.hair import hair_shapes
from halfsmile.data.synthetic.moves import TRAITS
from halfsmile.data.synthetic.people import Person
from halfsmile.data.synthetic.rig import RIG, mirror
from halfsmile.data.synthetic.scene import Scene
from halfsmile.data.synthetic.skin import SHADOW, draw_skin

Array = npt.NDArray[np.float32]

_SUPERSAMPLING = 2
_SPANS = RIG.spans
_DEPTH = RIG.depth[:, None]
_FACE_WIDTH = TRAITS.index("face_width")
_SHOULDERS = mirror(((0, 1.12), (0.26, 1.12), (0.62, 1.26), (0.98, 1.5), (1.08, 2.4)))
_NECK = np.array([(-0.31, 0.6), (0.31, 0.6), (0.34, 1.22), (0.0, 1.36), (-0.34, 1.22)], np.float32)
_SHINE = np.array([(-0.42, -0.86), (-0.2, -0.95), (0.05, -0.97)], np.float32)
_SQUARE = (np.sign(CIRCLE) * np.abs(CIRCLE) ** 0.45).astype(np.float32)
# Depths of what is not part of the rig; the body turns against the head.
_BODY, _BACK, _EARS, _CAP, _FRINGE = -0.35, -0.1, -0.12, 0.1, 0.25


@dataclass(frozen=True)
class Drawing:
    """A drawn face.

    Args:
        image: RGB, shape (S, S, 3).
        box: From chin to skull and from cheek to cheek, xyxy in pixels, clipped to the picture. Shape (4,).
        landmarks: Eye at image left, eye at image right, nose, mouth corner at image left, at image right.
            Shape (5, 2).
    """

    image: Image
    box: Array
    landmarks: Array


def _landmark_matrix() -> Array:
    """Which curve points the landmarks are averages of. Shape (5, points)."""
    matrix = np.zeros((5, len(RIG.template)), np.float32)
    for row, side in enumerate("RL"):
        corners, lid = _SPANS[f"eye_lower_{side}"], _SPANS[f"eye_upper_{side}"]
        matrix[row, [corners.start, corners.stop - 1]] = 0.25
        matrix[row, lid] += 0.5 / (lid.stop - lid.start)
    matrix[2, _SPANS["nose_tip"].start] = 1
    lips = _SPANS["lip_parting_top"]
    matrix[3, lips.start] = matrix[4, lips.stop - 1] = 1
    return matrix


_LANDMARKS = _landmark_matrix()


def draw(person: Person, activation: Array, scene: Scene, size: int) -> Drawing:
    """Draw one face.

    Args:
        person: Who.
        activation: Action units, shape (units, 2), see :func:`actions.activation`.
        scene: Pose, light, background and disturbances.
        size: Side of the picture in pixels.

    Returns:
        Picture, box and landmarks.
    """
    view = View(backdrop(scene, size * _SUPERSAMPLING), scene)
    curves = RIG.points(activation, person.traits)
    placed = view.place(curves, _DEPTH)
    points = fixed(placed)

    back, cap, bangs = hair_shapes(person)
    _draw_behind(view, person, back)
    draw_skin(view, person, activation, points)
    draw_mouth(view, person, activation, curves, points)
    draw_eyes(view, person, scene, curves, points)
    _draw_hair(view, person, cap, bangs)
    if person.glasses is not None:
        _draw_glasses(view, person.glasses, person.round_glasses, points)
    cover(view, person.skin, scene)
    image = expose(view.pixels, scene, size)

    placed = placed / np.float32(_SUPERSAMPLING)
    landmarks = _LANDMARKS @ placed
    outline = np.concatenate([placed[_SPANS["jaw"]], placed[_SPANS["skull"]], landmarks])
    box = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
    return Drawing(image, np.clip(box, 0, size), landmarks)


def _draw_behind(view: View, person: Person, back: Array | None) -> None:
    """Hair behind the head, neck, shoulders and ears."""
    if back is not None:
        view.fill([view.pin(back, _BACK)], color(person.hair * 0.78))
    view.fill([view.pin(_NECK, _BODY)], color(person.skin * SHADOW * 0.9))
    covered = person.hair_style == "scarf"
    view.fill([view.pin(_SHOULDERS, _BODY)], color(person.hair * 0.9 if covered else person.clothes))
    if not covered:
        x = 0.71 * (1 + 0.065 * float(person.traits[_FACE_WIDTH]))
        ears = view.pin(np.array([(-x, 0.04), (x, 0.04)], np.float32), _EARS)
        for ear in ears:
            view.spot(ear, (0.09, 0.17), color(person.skin * (1 - (1 - SHADOW) * 0.6)))


def _draw_hair(view: View, person: Person, cap: Array | None, bangs: Array | None) -> None:
    if cap is None:
        return
    tone = person.hair
    if person.hair_style == "buzz":  # the scalp shines through
        tone = person.hair * np.float32(0.7) + person.skin * np.float32(0.25)
    view.fill([view.pin(cap, _CAP)], color(tone))
    if bangs is not None:
        view.fill([view.pin(bangs, _FRINGE)], color(tone * 0.93))
    view.line([view.pin(_SHINE, _CAP)], color(np.minimum(tone * 1.15 + 6, 255).astype(np.float32)), 0.06)


def _draw_glasses(view: View, frame: Array, is_round: bool, points: Ints) -> None:
    rim = ((CIRCLE if is_round else _SQUARE) * (0.225, 0.19)) @ view.rotation.T * 2**SHIFT
    lenses = []
    for side in "RL":
        corners = points[_SPANS[f"eye_lower_{side}"]]
        lenses.append(rim.astype(np.int32) + (corners[0] + corners[-1]) // 2)
    view.line(lenses, color(frame), 0.035, closed=True)
    view.line([np.stack([lenses[0][0], lenses[1][6]])], color(frame), 0.035)
