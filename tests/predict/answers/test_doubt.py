"""Why answers are uncertain."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.predict.conftest import FramedSquares, brightness_model, scene

from halfsmile.data.synthetic import generate
from halfsmile.faces.align import move
from halfsmile.faces.detect import Detection
from halfsmile.predict.answers.doubt import weighed
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor


@pytest.mark.parametrize("brightness", [32, 110])
@pytest.mark.parametrize("least", [None, 60.0, 200.0])
def test_why_an_answer_is_uncertain(tmp_path: Path, brightness: int, least: float | None) -> None:
    """The one feature of this model is the brightness."""
    path = brightness_model(tmp_path / "m.onnx", feature_norm=least)
    face = Predictor(path, detector=FramedSquares()).predict(scene([(20, 30, brightness)]))[0]
    reasons = ["low confidence"] * (face.confidence < 0.75)
    reasons += ["unlike the faces it learned from"] * (brightness < (least or 0))
    assert face.doubt == ("; ".join(reasons) or None)
    assert face.uncertain == bool(reasons)


def test_without_a_threshold_there_is_no_doubt_either(tmp_path: Path) -> None:
    path = brightness_model(tmp_path / "m.onnx", feature_norm=200.0, threshold=None)
    face = Predictor(path, detector=FramedSquares()).predict(scene([(20, 30, 32)]))[0]
    assert (face.uncertain, face.doubt) == (None, None)


def test_a_face_on_its_head_has_no_certain_answer(model: ExpressionModel) -> None:
    """Whatever set its landmarks as if it were upright; a detector of one's own is taken at its word."""
    image = generate(1, size=160, seed=9, people=1, first_person=900, difficulty=0.1).images[0]
    turned = np.ascontiguousarray(image[::-1, ::-1])
    points = np.array([[54, 65], [106, 65], [80, 93], [59, 116], [101, 116]], np.float32)
    face = Detection(np.array([25, 10, 135, 150], np.float32), points)
    predictor = Predictor(model)
    crops = [predictor.crops(picture, [face]) for picture in (image, turned)]
    said = model.predict(np.concatenate(crops)).probabilities
    upright, on_its_head = predictor.answers(crops, [face, face]).probabilities
    np.testing.assert_array_equal(upright, said[0])
    assert on_its_head.max() < 0.6 * said[1].max() + 0.4 / len(said[1])
    assert on_its_head.sum() == pytest.approx(1)
    assert on_its_head.argmax() == said[1].argmax()


def test_what_stands_upright_is_answered_as_the_model_says(model: ExpressionModel) -> None:
    prediction = model.predict(np.full((2, *model.crop_shape), 96, np.uint8))
    assert weighed(prediction, np.array([0.5, 1.0], np.float32)) is prediction
    mixed = weighed(prediction, np.array([0.0, 1.0], np.float32)).probabilities
    np.testing.assert_allclose(mixed[0], 1 / mixed.shape[1])
    np.testing.assert_array_equal(mixed[1], prediction.probabilities[1])


def test_a_tilted_face_is_answered_with_the_mean_of_moved_views(model: ExpressionModel) -> None:
    image = generate(1, size=160, seed=9, people=1, first_person=900, difficulty=0.1).images[0]
    points = np.array([[54, 65], [106, 65], [80, 93], [59, 116], [101, 116]], np.float32)
    matrix = np.asarray(cv2.getRotationMatrix2D((80, 80), -60, 1), np.float64)
    turned = np.asarray(cv2.warpAffine(image, matrix, (160, 160), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    box = np.array([25, 10, 135, 150], np.float32)
    faces = [Detection(box, points), Detection(box, move(points, matrix))]
    predictor = Predictor(model)
    crops = [predictor.crops(picture, [face]) for picture, face in zip((image, turned), faces, strict=True)]
    upright, tilted = predictor.answers(crops, faces).probabilities
    np.testing.assert_array_equal(upright, model.predict(crops[0]).probabilities[0])
    np.testing.assert_allclose(tilted, model.predict_moved(crops[1]).probabilities[0], rtol=1e-6)
