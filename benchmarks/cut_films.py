"""Films of known people with cuts: who is where in every frame is known.

A film is made of shots. In a shot, faces of some people move a little in front of a room; a person is a
series of pictures of one face (:class:`Cast`). Every kind of film tries one thing, see :func:`films`.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.data.readers import lfw, sequences
from halfsmile.data.synthetic import generate_sequence

HEIGHT, WIDTH, RATE = 360, 480, 25.0
Floats = npt.NDArray[np.float64]


class Cast(Protocol):
    """People, each filmed at least twice."""

    num_people: int

    def take(self, person: int, number: int) -> Sequence[Image]:
        """Pictures of a face, one after the other; another take was made at another time."""
        ...


class GeneratedCast:
    """Drawn people; light and background differ from take to take."""

    num_people = 60

    @functools.cache  # noqa: B019
    def take(self, person: int, number: int) -> Sequence[Image]:
        """Somebody who shows an expression."""
        expression = ("happiness", "surprise", "anger", "neutral")[(person + number) % 4]
        film = generate_sequence(expression, person=person, frames=48, size=160, difficulty=0.4, take=number)
        return list(film.images)


class SequenceCast:
    """Sequences of real people in the same light and pose, the hardest to tell apart.

    Args:
        root: See :mod:`halfsmile.data.readers.sequences`; spoiled frames are left out.
    """

    def __init__(self, root: Path) -> None:
        found = sequences.read(root)
        people: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        columns = (found.manifest.column(name) for name in ("person", "video", "image"))
        for person, video, image, spoiled in zip(*columns, found.spoiled, strict=True):
            if not spoiled:
                people[person][video].append(image)
        self.root = Path(found.manifest.root)
        self.takes = [
            sorted(people[person].values(), key=len, reverse=True)
            for person in sorted(people)
            if len(people[person]) > 1
        ]
        self.num_people = len(self.takes)

    @functools.cache  # noqa: B019
    def take(self, person: int, number: int) -> Sequence[Image]:
        """The longest sequence of somebody, or the next one."""
        return [read_image(self.root, locator) for locator in self.takes[person][number]]


class PhotoCast:
    """Photographs from different days; a take is one that does not move.

    Args:
        root: Pictures named as those of LFW.
    """

    def __init__(self, root: Path) -> None:
        manifest = lfw.read(root)
        people: dict[str, list[str]] = defaultdict(list)
        for person, image in zip(manifest.column("person"), manifest.column("image"), strict=True):
            people[person].append(image)
        self.root = root
        self.pictures = [pictures for _, pictures in sorted(people.items()) if len(pictures) > 1]
        self.num_people = len(self.pictures)

    def take(self, person: int, number: int) -> Sequence[Image]:
        """A photograph of somebody."""
        return [read_image(self.root, self.pictures[person][number])]


@dataclass(frozen=True)
class Role:
    """A person in a shot: a picture of ``size`` pixels around (x, y), moving by ``speed`` pixels a second."""

    person: int
    take: int = 0
    start: int = 0
    x: float = 240.0
    y: float = 190.0
    size: float = 170.0
    speed: float = 0.0


@dataclass(frozen=True)
class Shot:
    """Frames without a cut; ``is_cut`` says whether there is one before them."""

    room: int
    roles: tuple[Role, ...] = ()
    frames: int = 30
    is_cut: bool = True
    light: float = 1.0
    zoom: float = 1.0


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """A frame, the shot's number, whether a cut is before it, and (person, x, y, size) of the faces."""

    image: Image
    shot: int
    is_cut: bool
    people: list[tuple[int, float, float, float]]


def films(rng: np.random.Generator, num_people: int) -> Iterator[tuple[str, list[Shot]]]:
    """One film of every kind, with people and rooms by chance."""
    a, b, c, d, e, f = (int(person) for person in rng.permutation(num_people)[:6])
    here, there = (int(room) for room in rng.integers(0, 10**6, 2))

    def role(person: int, take: int = 0, start: int = 0, x: float = 240, size: float = 170) -> Role:
        dx, dy, larger = rng.uniform((-10, -10, 0.92), (10, 10, 1.08))
        return Role(person, take, start, x + dx, 190 + dy, size * larger)

    first, second = role(a), role(b, x=270)
    later = replace(first, start=30)
    out = replace(later, speed=-450)
    back = replace(later, start=60, x=first.x - 270, speed=450)
    other = replace(second, x=second.x + 270, speed=-450)
    goes = [Shot(here, (first,)), Shot(here, (out,), 20, is_cut=False)]

    yield "two people, no cut", [Shot(here, (role(a, x=130), role(b, x=350)), 60)]
    yield (
        "fast, no cut",
        [
            Shot(here, (replace(first, x=90, speed=280),)),
            Shot(here, (replace(later, x=420, speed=-280),), is_cut=False),
        ],
    )
    yield (
        "light, flash, no cut",
        [
            Shot(here, (first,)),
            Shot(here, (later,), is_cut=False, light=0.5),
            Shot(here, (replace(first, start=60),), 1, is_cut=False, light=3),
            Shot(here, (replace(first, start=61),), is_cut=False),
        ],
    )
    yield "A to A, a later moment", [Shot(here, (first,)), Shot(here, (replace(later, x=first.x + 12),))]
    yield "A to A, another take", [Shot(here, (first,)), Shot(here, (replace(role(a, 1), x=first.x + 5),))]
    yield (
        "A to A, nearer",
        [Shot(here, (role(a, size=130),)), Shot(here, (role(a, 0, 30, size=230),), zoom=1.7)],
    )
    yield "A to A, another room", [Shot(here, (first,)), Shot(there, (role(a, 1),))]
    yield "A to B, same wall", [Shot(here, (first,)), Shot(here, (role(b),))]
    yield "A to B, another room", [Shot(here, (first,)), Shot(there, (role(b),))]
    yield (
        "A, B, A, B: reverse shots",
        [
            Shot(here, (first,)),
            Shot(there, (second,)),
            Shot(here, (later,)),
            Shot(there, (replace(second, start=30),)),
        ],
    )
    group = role(a, 0, 30, 110, 100), role(c, x=240, size=100), role(d, x=370, size=100)
    yield "A, group, A", [Shot(here, (first,)), Shot(there, group), Shot(here, (replace(first, start=60),))]
    left, right = role(a, x=130, size=140), role(b, x=350, size=140)
    yield (
        "A and B change sides",
        [
            Shot(here, (left, right)),
            Shot(there, (replace(right, x=left.x, start=30), replace(left, x=right.x, start=30))),
        ],
    )
    yield "six people, same wall", [Shot(here, (role(person),), 20) for person in (a, b, c, d, e, f)]
    empty = Shot(here, (), 60, is_cut=False)
    yield "A leaves and comes back", [*goes, empty, replace(goes[1], roles=(back,), frames=30)]
    yield "A leaves and B comes", [*goes, empty, replace(goes[1], roles=(other,), frames=30)]


def play(cast: Cast, shots: Sequence[Shot], seed: int) -> Iterator[TrueFrame]:
    """The frames of a film: hand-held, with noise."""
    rng = np.random.default_rng([seed, len(shots)])
    for number, shot in enumerate(shots):
        phases = rng.uniform(0, 6, (1 + len(shot.roles), 3))
        for i in range(shot.frames):
            sway = 5 * np.sin(np.array([1.7, 2.1, 0.7]) * i / RATE + phases)
            image = np.roll(_room(shot.room, shot.zoom), (sway[0, :2] / 2).astype(int), (0, 1))
            people = []
            for role, (dx, dy, grow) in zip(shot.roles, sway[1:], strict=True):
                x, y = role.x + role.speed * i / RATE + dx, role.y + dy / 2
                size = int(role.size * (1 + grow / 250))
                if (
                    _paste(image, _picture(cast.take(role.person, role.take), role.start + i), x, y, size)
                    > 0.8
                ):
                    people.append((role.person, x, y, float(size)))
            noisy = image * shot.light + rng.normal(0, 2.5, image.shape)
            pixels = np.clip(noisy, 0, 255).astype(np.uint8)
            yield TrueFrame(pixels, number, i == 0 and number > 0 and shot.is_cut, people)


def _picture(take: Sequence[Image], index: int) -> Image:
    """Forwards and backwards again and again."""
    index %= max(1, 2 * len(take) - 2)
    return take[min(index, 2 * len(take) - 2 - index)]


@functools.lru_cache(8)
def _room(seed: int, zoom: float) -> Floats:
    """A wall with some things in front of it, out of focus."""
    rng = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), rng.uniform(40, 210, 3))
    image += np.linspace(-30, 30, WIDTH)[None, :, None] * rng.uniform(-1, 1)
    for _ in range(9):
        (x, y), (width, height) = rng.integers(0, (WIDTH, HEIGHT)), rng.integers(30, 200, 2)
        image[y : y + height, x : x + width] = rng.uniform(10, 245, 3)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 5), np.float64)
    nearer = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0, zoom)
    return np.asarray(
        cv2.warpAffine(image, nearer, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.float64
    )


def _paste(image: Floats, face: Image, x: float, y: float, size: int) -> float:
    """Put a face with soft edges into a picture; give the share of it that is seen."""
    shrinks = size < face.shape[0]
    pixels = cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    across = np.abs(np.arange(size) - size / 2 + 0.5) / (size / 2)
    mask = np.clip((1 - np.maximum.outer(across, across)) / 0.08, 0, 1)[:, :, None]
    corner = np.array([int(x - size / 2), int(y - size / 2)])
    left, top = np.maximum(corner, 0)
    right, bottom = np.minimum(corner + size, (WIDTH, HEIGHT))
    if right <= left or bottom <= top:
        return 0.0
    part = np.s_[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
    under = image[top:bottom, left:right]
    under += mask[part] * (pixels[part] - under)
    return float((right - left) * (bottom - top) / size**2)
