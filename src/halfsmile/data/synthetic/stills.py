"""Still pictures: face number i is fixed by (seed, first person, i), however many faces are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.actions import sample_activation
from halfsmile.data.synthetic.draw import draw
from halfsmile.data.synthetic.people import make_person
from halfsmile.data.synthetic.scene import Strengths, sample_scene
from halfsmile.taxonomy import FERPLUS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class SyntheticFaces:
    """Generated faces; row i of every array belongs to face i.

    Args:
        images: RGB. Shape (N, S, S, 3), uint8.
        labels: Observed class indices, wrong at the rate of the label noise. Shape (N,), int64.
        true_labels: What is drawn. Shape (N,), int64.
        person: Person ids. Shape (N,), int64.
        boxes: Face boxes, xyxy in pixels. Shape (N, 4), float32.
        landmarks: Eye at image left, eye at image right, nose, mouth corner at image left, at image right.
            Shape (N, 5, 2), float32.
        intensity: How strong the expression is, 0 to 1; 0 for neutral. Shape (N,), float32.
        names: Class names; the position is the index.
    """

    images: npt.NDArray[np.uint8]
    labels: Ints
    true_labels: Ints
    person: Ints
    boxes: Floats
    landmarks: Floats
    intensity: Floats
    names: tuple[str, ...] = FERPLUS.labels

    def __len__(self) -> int:
        return len(self.images)


def class_shares(class_weights: Mapping[str, float] | None) -> npt.NDArray[np.float64]:
    """Shares of the FERPlus classes, summing to 1.

    Args:
        class_weights: Class name to weight; a class that is not named gets none. None means equal shares.

    Raises:
        ValueError: If a name is unknown, a weight is negative, or all are zero.
    """
    if class_weights is None:
        return np.full(len(FERPLUS), 1 / len(FERPLUS))
    weights = np.zeros(len(FERPLUS))
    for name, weight in class_weights.items():
        weights[FERPLUS.index(name)] = weight
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise ValueError(
            f"Class weights are {dict(class_weights)}; give numbers >= 0, at least one of them > 0."
        )
    return np.asarray(weights / weights.sum())


def generate(
    count: int,
    *,
    size: int = 64,
    seed: int = 0,
    people: int = 200,
    first_person: int = 0,
    class_weights: Mapping[str, float] | None = None,
    label_noise: float = 0.0,
    difficulty: float = 1.0,
    strengths: Strengths | None = None,
    drawn: Callable[[int], None] | None = None,
) -> SyntheticFaces:
    """Draw faces of people who show the eight FERPlus expressions.

    Face i depends on ``(seed, first_person, i)`` and the options, not on ``count``, so a longer run
    starts with the shorter one. Class shares are met almost exactly at every length (a golden-ratio sequence
    instead of independent draws). Label noise changes ``labels`` only, never a picture.

    Args:
        count: Number of faces.
        size: Side of a picture in pixels, at least 24.
        seed: Population and run; the same person in different runs needs the same seed.
        people: Number of different people.
        first_person: Id of the first; ranges that don't overlap share nobody.
        class_weights: Class name to weight, see :func:`class_shares`.
        label_noise: Share of labels replaced by another class, drawn uniformly. In [0, 1].
        difficulty: Multiplies all strengths: 0 is a frontal, evenly lit face with a full expression, 1
            natural.
        strengths: Pose, light, occlusion, blur, noise, background and expression one by one.
        drawn: Told 1 for each face that is drawn, to show progress.

    Returns:
        The faces.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> faces = generate(4, size=32)
        >>> faces.images.shape, faces.landmarks.shape
        ((4, 32, 32, 3), (4, 5, 2))
    """
    check(size=size, people=people, first_person=first_person, difficulty=difficulty)
    if count < 0:
        raise ValueError(f"count is {count}; it is a number of faces, 0 or more.")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"label_noise is {label_noise}; it is a share of labels between 0 and 1.")
    edges = np.cumsum(class_shares(class_weights))
    amount = (strengths or Strengths()).times(difficulty)
    start = np.random.default_rng([seed, first_person]).random()
    places = (start + np.arange(count) * _GOLDEN) % 1.0
    classes = np.minimum(np.searchsorted(edges, places, side="right"), len(FERPLUS) - 1).astype(np.int64)

    images = np.empty((count, size, size, 3), np.uint8)
    labels, person = classes.copy(), np.empty(count, np.int64)
    boxes, landmarks = np.empty((count, 4), np.float32), np.empty((count, 5, 2), np.float32)
    intensity = np.zeros(count, np.float32)
    for i in range(count):
        rng = np.random.default_rng([seed, first_person, i])
        u = rng.random(4)
        if u[0] < label_noise:
            labels[i] = (classes[i] + 1 + int(u[1] * (len(FERPLUS) - 1))) % len(FERPLUS)
        person[i] = first_person + int(u[2] * people)
        name = FERPLUS.labels[classes[i]]
        if name != "neutral":
            intensity[i] = 1 - min(0.55 * amount.expression, 0.75) * u[3]
        scene = sample_scene(rng, amount)
        units = sample_activation(name, rng, amount.expression)
        if name != "neutral":
            units = units * intensity[i]
        drawing = draw(make_person(seed, int(person[i])), units, scene, size)
        images[i], boxes[i], landmarks[i] = drawing.image, drawing.box, drawing.landmarks
        if drawn is not None:
            drawn(1)
    return SyntheticFaces(images, labels, classes, person, boxes, landmarks, intensity)


def check(*, size: int, people: int, first_person: int, difficulty: float) -> None:
    """Refuse options that no picture can be drawn with.

    Raises:
        ValueError: If a number is out of its range.
    """
    if size < 24:
        raise ValueError(f"size is {size}; an expression needs at least 24 pixels.")
    if people < 1 or first_person < 0:
        raise ValueError(
            f"people is {people}, first_person {first_person}; give people >= 1, first_person >= 0."
        )
    if not 0 <= difficulty <= 3:
        raise ValueError(f"difficulty is {difficulty}; it lies between 0 (easy) and 3, and 1 is natural.")
