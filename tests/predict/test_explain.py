from types import SimpleNamespace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.predict.conftest import FramedSquares, scene

from halfsmile.predict.explain import FAINT, heat, occlusion_map
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor


class Mouth:
    """Says 'glad' by how bright the lower third of the crop is, and nothing else."""

    calls = 0

    def predict(self, crops: npt.NDArray[np.uint8]) -> SimpleNamespace:
        self.calls += 1
        glad = crops[:, 32:, 16:32].mean(axis=(1, 2, 3)) / 255
        return SimpleNamespace(probabilities=np.stack([1 - glad, glad], axis=1))


def face() -> npt.NDArray[np.uint8]:
    crop = np.full((48, 48, 1), 40, np.uint8)
    crop[32:, 16:32] = 250
    return crop


def test_the_map_points_at_what_the_answer_depends_on() -> None:
    found = occlusion_map(Mouth(), face(), 1)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert found.shape == (48, 48)
    assert row >= 32
    assert 12 <= column < 36
    assert np.abs(found[:18]).max() < 1e-6
    assert found.max() > 0.05


def test_what_speaks_against_a_label_is_negative() -> None:
    np.testing.assert_allclose(
        occlusion_map(Mouth(), face(), 0), -occlusion_map(Mouth(), face(), 1), atol=1e-6
    )


def test_a_model_that_sees_nothing_gives_an_empty_map() -> None:
    class Blind:
        def predict(self, crops: npt.NDArray[np.uint8]) -> SimpleNamespace:
            return SimpleNamespace(probabilities=np.full((len(crops), 2), 0.5))

    found = occlusion_map(Blind(), face(), 0)
    assert not found.any()
    np.testing.assert_array_equal(heat(face(), found), np.repeat(face(), 3, axis=2))


def test_one_call_per_face() -> None:
    model = Mouth()
    occlusion_map(model, face(), 1)
    assert model.calls == 1


def test_heat_is_warm_where_the_map_is_positive() -> None:
    crop = face()
    picture = heat(crop, occlusion_map(Mouth(), crop, 1)).astype(int)
    assert picture[40, 24, 0] > picture[40, 24, 2]
    assert picture[2, 2, 0] == picture[2, 2, 2]


def test_noise_stays_pale() -> None:
    faint = np.full((48, 48), FAINT / 20, np.float32)
    assert np.abs(heat(face(), faint).astype(int) - face()).max() <= 255 * 0.6 / 20 + 1


def test_a_predictor_explains_what_it_answers(model: ExpressionModel) -> None:
    """The model sees nothing but the middle of a face, from pixel 11 to 21 of 32."""
    predictor = Predictor(model, detector=FramedSquares())
    picture = scene([(20, 30, 52), (100, 30, 222)])
    explained = predictor.explain(picture)
    assert [found.face for found in explained] == predictor.predict(picture)
    for found in explained:
        assert found.probability == pytest.approx(found.face.confidence, abs=1e-6)
        peak = np.unravel_index(found.importance.argmax(), found.importance.shape)
        assert all(11 <= place < 21 for place in peak)
        assert np.abs(found.importance[:4]).max() < 1e-6
        assert found.loss == found.importance.max() > 0.05
        assert found.gain == 0
    bright = explained[1].overlay().astype(int)
    assert bright[16, 16, 0] - bright[16, 16, 2] > 60
    assert bright[16, 2, 0] == bright[16, 2, 2]


def test_the_crop_is_the_one_that_was_answered_for(model: ExpressionModel) -> None:
    predictor = Predictor(model, detector=FramedSquares())
    picture = cv2.GaussianBlur(scene([(21, 33, 120)]), (0, 0), 1.5).astype(np.uint8)
    (found,) = predictor.explain(picture)
    (crop,) = predictor.crops(picture, predictor.detector.detect([picture])[0])
    np.testing.assert_array_equal(found.crop, crop)


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r"found 1\.5 and 9"):
        occlusion_map(Mouth(), face(), 0, patch=1.5)
