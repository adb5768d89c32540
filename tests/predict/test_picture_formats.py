"""Gray, 16-bit and color pictures of the same face give answers that hardly differ."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.predict.inputs import Picture
from halfsmile.predict.predictor import Predictor

LARGEST = 0.15
"""Difference of a probability between the color and the gray picture of a face that was cut out."""


@pytest.fixture(scope="module")
def faces() -> list[Image]:
    return list(generate(16, size=128, seed=11, people=8, difficulty=0.5).images)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(detector="aligned", threads=1)


def answers(predictor: Predictor, pictures: list[Picture]) -> npt.NDArray[np.float64]:
    return np.array([list(predictor.predict(picture)[0].probabilities.values()) for picture in pictures])


def gray(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def png(pixels: npt.NDArray[np.unsignedinteger]) -> bytes:
    return bytes(cv2.imencode(".png", pixels[:, :, ::-1] if pixels.ndim == 3 else pixels)[1])


def test_sixteen_bits_say_what_eight_say(predictor: Predictor, faces: list[Image]) -> None:
    for pictures in (faces, [gray(image) for image in faces]):
        deep = [png(image.astype(np.uint16) * 257) for image in pictures]
        expected = answers(predictor, [png(image) for image in pictures])
        np.testing.assert_array_equal(answers(predictor, list(deep)), expected)


def test_gray_says_nearly_what_color_says(predictor: Predictor, faces: list[Image]) -> None:
    color, plain = (answers(predictor, list(them)) for them in (faces, [gray(image) for image in faces]))
    assert np.abs(color - plain).max() < LARGEST
    assert np.abs(color - plain).max(axis=1).mean() < LARGEST / 4
    sure = color.max(axis=1) > 0.5 + LARGEST / 2
    assert sure.any()
    assert (color.argmax(axis=1) == plain.argmax(axis=1))[sure].all()


def test_values_from_zero_to_one_say_what_bytes_say(predictor: Predictor, faces: list[Image]) -> None:
    for image in faces[:4]:
        given = predictor.predict(image.astype(np.float32) / 255, value_range=(0, 1))
        assert given[0].probabilities == predictor.predict(image)[0].probabilities
