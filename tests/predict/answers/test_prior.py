"""Other priors of the classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.predict.conftest import LABELS, FramedSquares, brightness_model, scene

from halfsmile.predict.answers.prior import NATURAL_SHARES, prior_ratio, reweigh
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.predict.predictor import Predictor

OWN = (0.4, 0.3, 0.2, 0.1)


@pytest.fixture
def facts(tmp_path: Path) -> ModelFacts:
    """Those of the brightness model, with the shares of its labels."""
    return ExpressionModel.load(brightness_model(tmp_path / "model.onnx", prior=OWN)).facts


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.integers(0, 5))
def test_it_is_bayes_rule(shares: list[float], seed: int) -> None:
    """A joint table whose prior is exchanged, by counting."""
    likelihood = np.random.default_rng(seed).random((6, 4)) + 0.01  # of six kinds of pictures, by class
    likelihood /= likelihood.sum(axis=0)
    own, other = np.array(OWN), np.array(shares) / np.sum(shares)
    before = likelihood * own / (likelihood * own).sum(axis=1, keepdims=True)
    after = likelihood * other / (likelihood * other).sum(axis=1, keepdims=True)
    assert reweigh(before, other / own) == pytest.approx(after, abs=1e-6)


def test_the_own_prior_changes_nothing_and_a_file_is_as_good_as_a_dictionary(
    facts: ModelFacts, tmp_path: Path
) -> None:
    shares = dict(zip(LABELS, OWN, strict=True))
    assert prior_ratio(shares, facts) == pytest.approx(np.ones(4))
    path = tmp_path / "prior.json"
    path.write_text(json.dumps({label: 10 * share for label, share in shares.items()}))
    assert prior_ratio(path, facts) == pytest.approx(np.ones(4))
    assert prior_ratio("uniform", facts) == pytest.approx(0.25 / np.array(OWN))


@pytest.mark.parametrize("scale", [1e-323, 1, 1e308, np.float32(0.1)])
def test_only_the_relation_of_shares_counts(facts: ModelFacts, scale: float) -> None:
    assert prior_ratio(dict.fromkeys(LABELS, scale), facts) == pytest.approx(0.25 / np.array(OWN))


def test_a_file_as_windows_writes_it(facts: ModelFacts, tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    path.write_text(json.dumps(dict(zip(LABELS, OWN, strict=True))), encoding="utf-8-sig")
    assert prior_ratio(path, facts) == pytest.approx(np.ones(4))


def test_the_example_of_a_file_works(facts: ModelFacts, tmp_path: Path) -> None:
    path = tmp_path / "prior.json"
    for wrong in ("naturall", path):
        path.write_text("[]")
        with pytest.raises(ValueError, match="share") as told:
            prior_ratio(wrong, facts)
        path.write_text(str(told.value).partition(", as ")[2].partition("}")[0] + "}")
        assert prior_ratio(path, facts) * OWN == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6], abs=1e-3)


def test_natural_is_of_the_eight_expressions() -> None:
    assert sum(NATURAL_SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("natrual", "neither uniform nor natural, and there is no such file.*share for each class"),
        ("natural", r"natural is of .*expected a share for each class"),
        ({"dark": 1.0}, "expected a share for each class of the model: dark"),
        (dict.fromkeys(LABELS, 0), "positive number for each class"),
        (dict.fromkeys(LABELS, "a"), "positive number for each class"),
        (dict.fromkeys(LABELS, float("nan")), "positive number for each class"),
        (dict.fromkeys(LABELS, 10**400), "positive number for each class"),
    ],
)
def test_what_is_no_prior_is_refused(facts: ModelFacts, prior: object, message: str) -> None:
    if prior == "natural":
        facts = replace(facts, labels=("calm", "joy", "rage", "awe"))
    with pytest.raises(ValueError, match=message):
        prior_ratio(prior, facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON file"),
        ("", "no JSON file"),
        ("[1, 2]", "shares by label"),
        ("\xff", "no JSON file"),
        ('{"dark": 0.1, "light": 1, "dark": 0.9}', "has dark twice"),
        ('{"dark": {"dark": 1}}', "expected a share for each class"),
    ],
)
def test_files_that_hold_none(facts: ModelFacts, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prior.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"prior\.json.*{message}"):
        prior_ratio(path, facts)


def test_models_that_do_not_know_their_own(facts: ModelFacts) -> None:
    with pytest.raises(ValueError, match="does not say how often"):
        prior_ratio("uniform", replace(facts, prior=None))
    with pytest.raises(ValueError, match=f"had no {LABELS[3]}"):
        prior_ratio("uniform", replace(facts, prior=(0.4, 0.3, 0.3, 0.0)))


def test_answers_follow_it_and_logits_do_not(tmp_path: Path) -> None:
    path = brightness_model(tmp_path / "model.onnx", prior=OWN)
    picture = scene([(20, 30, 100)])
    plain = Predictor(path, detector=FramedSquares()).predict(picture)[0]
    shifted = Predictor(path, detector=FramedSquares(), prior="uniform").predict(picture)[0]
    expected = np.array(list(plain.probabilities.values())) / OWN
    assert list(shifted.probabilities.values()) == pytest.approx(expected / expected.sum(), abs=1e-5)
    model = ExpressionModel.load(path)
    crops = np.full((1, *model.crop_shape), 100, np.uint8)
    other = model.with_prior("uniform")
    assert np.array_equal(model.predict(crops).logits, other.predict(crops).logits)
    assert (model.prior, other.prior) == (None, "uniform")
