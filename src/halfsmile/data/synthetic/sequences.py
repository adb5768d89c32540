"""Sequences: a face goes from neutral to the apex of an expression and back, with truth for every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.actions import ROW, sample_activation
from halfsmile.data.synthetic.draw import draw
from halfsmile.data.synthetic.people import make_person
from halfsmile.data.synthetic.scene import Scene, Strengths, sample_scene
from halfsmile.data.synthetic.stills import check
from halfsmile.taxonomy import FERPLUS

Floats = npt.NDArray[np.float32]
NEUTRAL_BELOW = 0.2
EXPRESSION_FROM = 0.6


@dataclass(frozen=True)
class SyntheticSequence:
    """One recording of one person; row t of every array belongs to frame t.

    Args:
        images: RGB. Shape (T, S, S, 3), uint8.
        labels: ``"neutral"`` below intensity 0.2, the expression from 0.6 on, None in between (transition).
        intensity: 0 (neutral) to 1 (apex). Shape (T,), float32.
        boxes: Face boxes, xyxy in pixels. Shape (T, 4), float32.
        landmarks: As in :class:`stills.SyntheticFaces`. Shape (T, 5, 2), float32.
        spoiled: True where the frame is blurred, dark or covered beyond use. Shape (T,), bool.
        expression: Name of the expression at the apex.
        person: Person id.
    """

    images: npt.NDArray[np.uint8]
    labels: tuple[str | None, ...]
    intensity: Floats
    boxes: Floats
    landmarks: Floats
    spoiled: npt.NDArray[np.bool_]
    expression: str
    person: int

    def __len__(self) -> int:
        return len(self.images)


def truth(expression: str, intensity: Floats) -> tuple[str | None, ...]:
    """Label of each frame: neutral, the expression, or None in the transition between them.

    Example:
        >>> truth("fear", np.array([0.1, 0.4, 0.9], np.float32))
        ('neutral', None, 'fear')
    """
    return tuple(
        "neutral" if value < NEUTRAL_BELOW else expression if value >= EXPRESSION_FROM else None
        for value in intensity.tolist()
    )


def envelope(frames: int, rng: np.random.Generator) -> Floats:
    """Intensity over time: neutral, smooth onset, held apex, slower offset, neutral. Shape (frames,).

    The apex reaches at least 0.85, and the first and last frame are neutral.
    """
    rest, onset, hold, offset, tail = rng.uniform((0.8, 1.0, 1.5, 1.3, 0.8), (1.4, 1.8, 3.0, 2.4, 1.4))
    knots = np.cumsum([0, rest, onset, hold, offset, tail])
    time = np.linspace(0, knots[-1], frames)
    peak = rng.uniform(0.9, 1.0)
    rise = np.clip((time - knots[1]) / onset, 0, 1)
    fall = np.clip((time - knots[3]) / offset, 0, 1)
    shape = rise**2 * (3 - 2 * rise) * (1 - fall**2 * (3 - 2 * fall))
    result: Floats = (peak * shape).astype(np.float32)
    return result


def _sway(frames: int, rng: np.random.Generator, channels: int) -> npt.NDArray[np.float64]:
    """Slow, smooth motion around 0 with about unit strength. Shape (channels, frames)."""
    time = np.linspace(0, 1, frames)
    phases, rates = rng.uniform(0, 2 * np.pi, (channels, 3, 1)), rng.uniform(0.3, 2.2, (channels, 3, 1))
    waves: npt.NDArray[np.float64] = np.sin(2 * np.pi * rates * time + phases).sum(axis=1) / 1.5
    return waves


def _spoil(scene: Scene, rng: np.random.Generator) -> Scene:
    """Make a frame unusable: out of focus, nearly black, or covered twice over."""
    kind = int(rng.integers(3))
    if kind == 0:
        return replace(scene, blur=float(rng.uniform(0.07, 0.12)))
    if kind == 1:
        return replace(scene, gamma=float(rng.uniform(4.0, 6.0)), noise=max(scene.noise, 4.0))
    return replace(scene, occlusion="curtain", cover=rng.random(6, dtype=np.float32))


def generate_sequence(
    expression: str,
    *,
    person: int = 0,
    frames: int = 32,
    size: int = 64,
    seed: int = 0,
    take: int = 0,
    difficulty: float = 1.0,
    strengths: Strengths | None = None,
    spoiled: float = 0.0,
) -> SyntheticSequence:
    """Film one person showing one expression.

    Light, background and the person's way of showing the expression stay; the head sways smoothly, and the
    eyes blink now and then. A sequence of ``"neutral"`` stays at intensity 0.

    Args:
        expression: A FERPlus label.
        person: Person id; the same person as in :func:`stills.generate` with the same seed.
        frames: Number of frames, at least 8.
        size: Side of a picture in pixels.
        seed: Population and run.
        take: Number of the recording; another take of the same person differs in everything but the person.
        difficulty: Multiplies all strengths, see :func:`stills.generate`.
        strengths: Disturbances one by one.
        spoiled: Chance of a frame to be unusable, in [0, 1).

    Returns:
        The sequence.

    Raises:
        ValueError: If the expression is unknown or a number is out of its range.
    """
    check(size=size, people=1, first_person=person, difficulty=difficulty)
    number = FERPLUS.index(expression)
    if frames < 8 or not 0 <= spoiled < 1:
        raise ValueError(f"frames is {frames}, spoiled {spoiled}; give frames >= 8 and a chance in [0, 1).")
    amount = (strengths or Strengths()).times(difficulty)
    rng = np.random.default_rng([seed, person, number, take, 0x5E9])
    scene = sample_scene(rng, amount)
    apex = sample_activation(expression, rng, amount.expression)
    intensity = envelope(frames, rng) if expression != "neutral" else np.zeros(frames, np.float32)
    x, y, zoom, roll, yaw, pitch, gaze = _sway(frames, rng, 7) * amount.pose
    blink_rate = rng.uniform(0.02, 0.05)
    blinks = rng.random(frames) < blink_rate
    bad = rng.random(frames) < spoiled
    who = make_person(seed, person)

    images = np.empty((frames, size, size, 3), np.uint8)
    boxes, landmarks = np.empty((frames, 4), np.float32), np.empty((frames, 5, 2), np.float32)
    for t in range(frames):
        shot = replace(
            scene,
            center=(scene.center[0] + 0.012 * x[t], scene.center[1] + 0.008 * y[t]),
            scale=scene.scale * (1 + 0.015 * zoom[t]),
            roll=scene.roll + 0.05 * roll[t],
            yaw=scene.yaw + 0.10 * yaw[t],
            pitch=scene.pitch + 0.05 * pitch[t],
            gaze=(scene.gaze[0] + 0.15 * gaze[t], scene.gaze[1]),
            texture=scene.texture + 7919 * t,
        )
        if bad[t]:
            shot = _spoil(shot, np.random.default_rng([seed, person, number, take, t]))
        units = apex * (intensity[t] if expression != "neutral" else np.float32(1))
        if blinks[t]:
            units[ROW[43]] = 1
        drawing = draw(who, units, shot, size)
        images[t], boxes[t], landmarks[t] = drawing.image, drawing.box, drawing.landmarks
    return SyntheticSequence(
        images, truth(expression, intensity), intensity, boxes, landmarks, bad, expression, person
    )


def generate_sequences(
    count: int,
    *,
    frames: int = 32,
    size: int = 64,
    seed: int = 0,
    people: int = 50,
    first_person: int = 0,
    difficulty: float = 1.0,
    strengths: Strengths | None = None,
    spoiled: float = 0.0,
) -> Iterator[SyntheticSequence]:
    """Film many people, the eight expressions in turn; sequence i depends on (seed, first person, i).

    Args:
        count: Number of sequences.
        frames: Frames of each.
        size: Side of a picture in pixels.
        seed: Population and run.
        people: Number of different people.
        first_person: Id of the first; ranges that don't overlap share nobody.
        difficulty: Multiplies all strengths.
        strengths: Disturbances one by one.
        spoiled: Chance of a frame to be unusable.

    Yields:
        One sequence after the other, so that they need not be in memory together.

    Raises:
        ValueError: If a number is out of its range.
    """
    check(size=size, people=people, first_person=first_person, difficulty=difficulty)
    for i in range(count):
        person = first_person + int(np.random.default_rng([seed, first_person, i]).integers(people))
        yield generate_sequence(
            FERPLUS.labels[i % len(FERPLUS)],
            person=person,
            frames=frames,
            size=size,
            seed=seed,
            take=i,
            difficulty=difficulty,
            strengths=strengths,
            spoiled=spoiled,
        )
