"""Views of a face, and who belongs to which group."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.model_card.groups import Views, in_words, members, views_of

from halfsmile.data.synthetic import generate
from halfsmile.faces.detect import Detection
from halfsmile.predict.model import ExpressionModel


@pytest.fixture(scope="module")
def model() -> ExpressionModel:
    return ExpressionModel.load(threads=1, device="cpu")


def test_views_are_of_the_same_face(model: ExpressionModel) -> None:
    image = generate(1, size=112, seed=3).images[0]
    points = np.array([[38, 45], [74, 46], [57, 66], [41, 82], [71, 81]], np.float32)
    views = {
        name: view.astype(float)
        for name, view in views_of(model, image, Detection(np.array([0, 0, 112, 112]), points)).items()
    }
    plain = views["as it is"]
    assert np.abs(views["mirrored"][:, ::-1] - plain).mean() < 4
    assert np.abs(views["mirrored"] - plain).mean() > 4
    assert views["darker"].mean() == pytest.approx(plain.mean() / 2, rel=0.02)
    assert views["brighter"].mean() > 1.1 * plain.mean()
    assert np.abs(views["closer"] - plain).mean() > 4


def test_groups_are_those_of_the_table_and_large_enough() -> None:
    rows = [{"age": "1", "gender": "0", "race": "2"}] * 20 + [{"age": "61", "gender": "1", "race": ""}] * 19
    found = members(rows)
    assert {name: int(is_member.sum()) for name, is_member in found.items()} == {
        "all": 39,
        "age 0 to 2": 20,
        "male": 20,
        "Asian": 20,
    }
    answers = np.array([[0.9, 0.1]] * 39)
    turned = np.where(np.arange(39)[:, None] < 10, answers[:, ::-1], answers)
    text = "\n".join(in_words(Views(rows, {"as it is": answers, "mirrored": turned}), ("a", "b"), 0.8))
    assert "| age 0 to 2 | 20 | 50.0 | 90.0 | 100.0 | 100.0 | 0.0 |" in text
    assert "no expression labels" in text
