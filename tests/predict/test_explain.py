from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.predict.explain import heat, occlusion_map


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


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r"found 1\.5 and 9"):
        occlusion_map(Mouth(), face(), 0, patch=1.5)
