"""Certainty, and the labels that can't be ruled out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.predict.conftest import FramedSquares, brightness_model, expected, scene

from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor


@pytest.mark.parametrize("brightness", [32, 60, 64, 70])
def test_uncertain_means_below_the_threshold(model: ExpressionModel, brightness: int) -> None:
    picture = scene([(20, 30, brightness)])
    confidence = expected(brightness).max()
    for threshold in (None, 0.0, 0.6, 0.9, 1.0):
        predictor = Predictor(model, detector=FramedSquares(), threshold=threshold)
        used = 0.75 if threshold is None else threshold
        assert predictor.predict(picture)[0].uncertain == (confidence < used)
        assert predictor.is_uncertain(1.0) == (used == 1.0), "1 is for models that are never sure enough"


def test_without_any_threshold_nobody_knows_what_is_certain(tmp_path: Path) -> None:
    model = brightness_model(tmp_path / "m.onnx", threshold=None)
    predictor = Predictor(model, detector=FramedSquares())
    assert predictor.predict(scene([(20, 30, 64)]))[0].uncertain is None
    assert predictor.is_uncertain(1.0) is None
    assert Predictor(model, detector=FramedSquares(), threshold=1.0).is_uncertain(0.99)


@pytest.mark.parametrize("brightness", [32, 60, 64, 70])
@pytest.mark.parametrize("floor", [0.0, 0.3, 0.9, 1.0])
def test_possible_is_the_best_label_and_all_that_reach_the_floor_of_the_sets(
    tmp_path: Path, brightness: int, floor: float
) -> None:
    predictor = Predictor(brightness_model(tmp_path / "m.onnx", set_floor=floor), detector=FramedSquares())
    face = predictor.predict(scene([(20, 30, brightness)]))[0]
    assert face.possible is not None
    assert face.possible[0] == face.expression
    assert set(face.possible[1:]) == {
        label for label, value in face.probabilities.items() if value >= floor and label != face.expression
    }
    assert list(face.possible) == sorted(face.possible, key=lambda label: -face.probabilities[label])


def test_a_model_without_sets_rules_nothing_out(predictor: Predictor) -> None:
    assert predictor.predict(scene([(20, 30, 64)]))[0].possible is None
