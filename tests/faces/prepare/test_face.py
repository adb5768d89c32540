"""One face: which one, where its box and landmarks go, and that aligned pictures stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.decode import decode
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.align import TEMPLATE_BOX, template
from halfsmile.faces.detect import Detection
from halfsmile.faces.prepare.face import (
    DroppedFaceError,
    annotated_face,
    prepare_aligned_face,
    prepare_face,
    select_faces,
)
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import FaceSource

SMALL = Detection(np.array([0, 0, 10, 10], np.float32), score=0.9)
LARGE = Detection(np.array([50, 50, 90, 90], np.float32), score=0.7)


@pytest.mark.parametrize(
    ("said", "options", "expected"),
    [
        ({}, {}, [SMALL, LARGE]),
        ({"split": "train"}, {}, [SMALL, LARGE]),
        ({}, {"min_score": 0.8}, [SMALL]),
        ({}, {"largest_only": True}, [LARGE]),
        ({"label": "anger"}, {}, [LARGE]),
        ({"person": "7"}, {"min_score": 0.8}, [SMALL]),
        ({"label": "anger", "box": [1, 1, 12, 12]}, {}, [SMALL]),
        ({"label": "anger", "box": [200, 1, 212, 12]}, {}, [LARGE]),
    ],
)
def test_which_face(said: dict[str, Any], options: dict[str, Any], expected: list[Detection]) -> None:
    assert select_faces([SMALL, LARGE], said, Settings(**options)) == expected


@given(
    angle=st.floats(-1.5, 1.5), scale=st.floats(0.4, 3.0), left=st.floats(-20, 120), top=st.floats(-20, 120)
)
def test_landmarks_and_box_land_on_the_template(angle: float, scale: float, left: float, top: float) -> None:
    """Whatever the similarity between template and picture, it is undone, and a box does not turn."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = template() @ turn.T + (left, top)
    box = np.reshape(TEMPLATE_BOX, (2, 2))
    center, half = box.mean(0) @ turn.T + (left, top), scale * (box[1] - box[0]) / 2
    face = Detection(np.concatenate([center - half, center + half]), points.astype(np.float32))
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    found = prepare_face(image, face, Settings(), score=0.5)
    assert found.landmarks is not None
    assert found.box is not None
    np.testing.assert_allclose(np.reshape(found.landmarks, (5, 2)), template(), atol=0.01)
    np.testing.assert_allclose(found.box, TEMPLATE_BOX, atol=0.01)
    assert decode(found.data, "face").shape == (112, 112, 3)
    assert found.quality["roll"] == pytest.approx(np.degrees(angle), abs=1)
    assert found.quality["size"] == pytest.approx(min(1.0, scale), abs=0.01)


def test_a_box_is_clipped_and_gray_stays_gray() -> None:
    face = Detection(np.array([-500, -500, 600, 600], np.float32), template())
    found = prepare_face(np.full((112, 112, 1), 9, np.uint8), face, Settings(is_lossless=True))
    assert found.box == [0, 0, 112, 112]
    assert found.data.startswith(b"\x89PNG")
    np.testing.assert_array_equal(decode(found.data, "face"), np.full((112, 112, 1), 9, np.uint8))


def test_dropped_faces_say_why() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(DroppedFaceError, match="quality"):
        prepare_face(image, Detection(np.array([0, 0, 50, 50], np.float32)), Settings(min_quality=0.1))
    with pytest.raises(DroppedFaceError, match="no place"):
        prepare_face(image, Detection(np.array([0, 0, 50, 50]), np.full((5, 2), 7, np.float32)), Settings())


def test_given_landmarks_make_a_box() -> None:
    face = annotated_face({"landmarks": (2 * template() + 5).ravel().tolist()})
    np.testing.assert_allclose(face.box, 2 * np.array(TEMPLATE_BOX) + 5, atol=0.01)
    with pytest.raises(ValueError, match="neither a box nor landmarks"):
        annotated_face({"label": "fear"})


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_aligned_pictures_keep_their_bytes(tmp_path: Path, suffix: str) -> None:
    data = bytes(cv2.imencode(suffix, generate(1, size=48, seed=0, people=1).images[0])[1])
    (tmp_path / "face").write_bytes(data)
    source = FaceSource("face", tmp_path, "face", said={"label": "fear", "landmarks": template(48).ravel()})
    for settings in (Settings(detector="aligned"), Settings(detector="aligned", size=48)):
        found = prepare_aligned_face(source, settings)
        assert found.data == data
        assert (found.width, found.height, found.label) == (48, 48, "fear")
        np.testing.assert_array_equal(np.array(found.landmarks), template(48).ravel())
        assert found.box is None, "nothing is invented"
    larger = prepare_aligned_face(source, Settings(detector="aligned", size=96))
    np.testing.assert_allclose(np.array(larger.landmarks), template(96).ravel(), atol=0.01)
    assert decode(larger.data, "face").shape == (96, 96, 3)


def test_an_aligned_picture_with_landmarks_in_one_place_has_no_pose(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(encode_png(generate(1, size=48, seed=0, people=1).images[0]))
    source = FaceSource("face", tmp_path, "face.png", said={"landmarks": [7.0] * 10})
    found = prepare_aligned_face(source, Settings(detector="aligned"))
    assert found.landmarks == [7.0] * 10
    assert set(found.quality) == {"size", "sharpness", "exposure"}


def test_other_aligned_pictures_become_png_or_jpeg(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)
    (tmp_path / "face.bmp").write_bytes(bytes(cv2.imencode(".bmp", pixels[0])[1]))
    (tmp_path / "fer2013.csv").write_text(
        "emotion,pixels,Usage\n" + f"0,{' '.join(map(str, pixels[1].ravel()))},Training\n"
    )
    lossless = Settings(detector="aligned", is_lossless=True)
    for locator, expected in (("face.bmp", pixels[0]), ("fer2013.csv#0", pixels[1])):
        found = prepare_aligned_face(FaceSource(locator, tmp_path, locator), lossless)
        np.testing.assert_array_equal(decode(found.data, locator).squeeze(), expected)
