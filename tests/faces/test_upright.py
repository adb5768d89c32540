from __future__ import annotations

import cv2
import numpy as np

from halfsmile.data.synthetic import generate
from halfsmile.faces.align import align, template
from halfsmile.faces.detect import Detection
from halfsmile.faces.upright import MODEL, Upright

FACES = generate(40, size=160, seed=9, people=40, first_person=900, difficulty=0.3)


def crops(quarters: int, scale: float = 1.0) -> np.ndarray:
    """Aligned generated faces of 48 pixels, turned clockwise by quarters."""
    aligned = [
        align(image, Detection(np.array([0, 0, 160, 160]), points), size=48, scale=scale)
        for image, points in zip(FACES.images, FACES.landmarks, strict=True)
    ]
    return np.stack([np.rot90(face, -quarters) for face in aligned])


def test_upright_faces_are_told_from_turned_ones() -> None:
    upright = Upright()
    assert np.mean(upright.crops(crops(0)) > 0.8) > 0.9
    for quarters in (1, 2, 3):
        assert np.mean(upright.crops(crops(quarters)) < 0.5) > 0.9


def test_it_takes_gray_faces_of_any_size_and_scale() -> None:
    upright = Upright()
    color = crops(0)
    chances = upright.crops(color)
    assert chances.shape == (40,)
    gray = color.astype(np.float32) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(upright.crops(gray.round().astype(np.uint8)), chances, atol=0.1)
    assert np.mean(upright.crops(crops(0, scale=1.3), 1.3) > 0.8) > 0.9
    assert upright.crops(color[:0]).shape == (0,)


def test_a_face_in_its_picture_is_judged_as_it_would_be_aligned() -> None:
    """With landmarks set as if it were upright, a face on its head does not stand upright."""
    upright = Upright()
    image, points = FACES.images[0], FACES.landmarks[0].astype(np.float32)
    box = np.array([10, 10, 150, 150], np.float32)
    right, wrong = Detection(box, points), Detection(box, template(160))
    assert upright.faces(image, [right])[0] > 0.8
    turned = np.ascontiguousarray(image[::-1, ::-1])
    chances = upright.faces(turned, [Detection(box, 160 - points), wrong])
    assert chances[0] > 0.8
    assert chances[1] < 0.5
    coinciding = Detection(box, np.full((5, 2), 80, np.float32))
    assert upright.faces(image, [coinciding])[0] < 0.5
    assert upright.faces(image, []).shape == (0,)


def test_the_network_is_small_and_has_a_card() -> None:
    assert MODEL.stat().st_size < 50_000
    assert "Apache-2.0" in MODEL.with_name("UPRIGHT.md").read_text()


def test_faces_that_lean_are_told_from_upright_ones() -> None:
    upright = Upright()
    gray = np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in crops(0)])
    chances, leans = upright.judged(gray[:0], [])
    assert chances.shape == leans.shape == (0,)
    everyone = range(len(gray))
    assert upright.judged(gray, everyone)[1].mean() < 0.2
    for degrees in (-28, 28):
        matrix = cv2.getRotationMatrix2D((23.5, 23.5), degrees, 1)
        turned = [cv2.warpAffine(face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE) for face in gray]
        _, leans = upright.judged(np.stack(turned), everyone)
        assert leans.mean() > 0.8
        _, some = upright.judged(np.stack(turned), [5, 3])
        assert some.tolist() == [row in (3, 5) and bool(leans[row]) for row in everyone]


def test_a_face_is_judged_as_it_is_alone() -> None:
    upright = Upright()
    gray = np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in crops(0)])
    gray[20:] = gray[20:, ::-1, ::-1]
    chances, leans = upright.judged(gray, range(len(gray)))
    np.testing.assert_allclose(chances, upright.crops(gray), atol=1e-6)
    for row in (0, 7, 33):
        alone, lean = upright.judged(gray[row : row + 1], [0])
        np.testing.assert_allclose(alone, chances[row : row + 1], atol=1e-6)
        assert lean.tolist() == leans[row : row + 1].tolist()
