"""The sections go between the marks of the card, and the model in the box has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.model_card.__main__ import BEGIN, END, put_in, write_recalibrated
from benchmarks.model_card.confidence import Certainty
from benchmarks.model_card.formats import FIRST, differences, formats_of

from halfsmile.data.synthetic import generate
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor

CARD = Path(__file__).parents[3] / "src" / "halfsmile" / "predict" / "models" / "CARD.md"


def test_only_what_lies_between_the_marks_is_replaced(tmp_path: Path) -> None:
    card = tmp_path / "CARD.md"
    card.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_in(card, "new\n")
    assert card.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    card.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the marks"):
        put_in(card, "new")


def test_the_card_of_the_box_tells_what_was_measured() -> None:
    measured = CARD.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    for title in (
        "### Priors",
        "### Certainty",
        "### Votes and intensity",
        "### Gray, 16-bit and color pictures",
        "### By group",
    ):
        assert title in measured


def test_formats_hold_the_same_picture() -> None:
    image = generate(1, size=96, seed=8).images[0]
    assert next(iter(formats_of(image))) == FIRST
    found = differences(Predictor(detector="aligned", threads=1), image)
    assert found["color, 16 bit"] == (0.0, False)
    assert found["gray, 8 bit"] == found["gray, 16 bit"]


def test_the_recalibrated_model_has_the_numbers_of_the_mixture(tmp_path: Path) -> None:
    write_recalibrated(None, tmp_path / "m.onnx", Certainty(0.8, 0.7, 0.25))
    facts = ExpressionModel.load(tmp_path / "m.onnx", threads=1, device="cpu").facts
    assert np.allclose([facts.temperature, facts.threshold or 0, facts.set_floor or 0], [0.8, 0.7, 0.25])
