"""Descriptors of generated faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate_sequence
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.descriptor import Descriptor, describe

PEOPLE = 12


def shown(person: int, moment: int) -> tuple[Image, Detection]:
    """A person at a moment of one film of theirs."""
    film = generate_sequence("happiness", person=person, frames=16, size=96, difficulty=0.2)
    return film.images[moment], Detection(film.boxes[moment], film.landmarks[moment])


def scaled(image: Image, face: Detection, factor: float) -> tuple[Image, Detection]:
    assert face.landmarks is not None
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), Detection(face.box * factor, face.landmarks * factor)


def described(image: Image, face: Detection) -> Descriptor:
    found = describe(image, face)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def descriptors() -> list[Descriptor]:
    return [described(*shown(person, 0)) for person in range(PEOPLE)]


def test_everybody_is_most_like_themselves(descriptors: list[Descriptor]) -> None:
    later = [described(*shown(person, 3)) for person in range(PEOPLE)]
    similarity = np.array(descriptors) @ np.array(later).T
    assert similarity.argmax(axis=1).tolist() == list(range(PEOPLE))
    assert similarity.min() >= 0
    assert similarity.max() <= 1
    others = similarity[~np.eye(PEOPLE, dtype=bool)]
    assert np.median(np.diag(similarity)) > others.max()


def test_light_and_size_hardly_change_it(descriptors: list[Descriptor]) -> None:
    image, face = shown(0, 0)
    others = max(float(descriptors[0] @ other) for other in descriptors[1:])
    for factor in (0.5, 2.0):
        assert float(descriptors[0] @ described(*scaled(image, face, factor))) > others
    darker = (image * 0.6).astype(np.uint8)
    assert float(descriptors[0] @ described(darker, face)) > 0.8


def test_surfaces_without_detail_are_not_alike() -> None:
    image, face = shown(0, 0)
    flat = described(np.full_like(image, 120), face)
    assert float(flat @ flat) < 0.1
    black = [described((shown(person, 0)[0] * 0.01).astype(np.uint8), face) for person in (0, 1)]
    assert float(black[0] @ black[1]) < 0.5


def test_without_landmarks_the_box_decides() -> None:
    image, face = shown(0, 0)
    assert float(described(image, face) @ described(image, Detection(face.box))) > 0.5


def test_landmarks_in_one_point_have_none() -> None:
    image, face = shown(0, 0)
    assert describe(image, Detection(face.box, np.full((5, 2), 30, np.float32))) is None
