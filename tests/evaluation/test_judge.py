"""How a calibrated model is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfsmile.data.manifest import Manifest
from halfsmile.data.samplers import Sampling
from halfsmile.evaluation import judge
from halfsmile.evaluation.judge import (
    expected_shares,
    judge_answers,
    judge_priors,
    known_votes,
    shares_of_runs,
)
from halfsmile.metrics.selective import ConformalSets
from halfsmile.recipes import supervised
from halfsmile.runs.folder import RunFolder
from halfsmile.taxonomy import FERPLUS, Taxonomy


def test_judging_by_hand() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.8, 0.15, 0.05], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    targets = np.array([0, 1, 2, 0])
    taxonomy = Taxonomy("abc", ("a", "b", "c"))
    found = judge_answers(probabilities, targets, taxonomy, threshold=0.5, sets=ConformalSets(0.9, 0.3))
    assert found["metrics"]["accuracy"] == 0.5
    assert found["certain"] == {"share": 0.75, "error": pytest.approx(2 / 3)}
    assert found["sets"] == {
        "coverage": 0.75,
        "per_class": {"a": 1.0, "b": 0.0, "c": 1.0},
        "mean_size": (1 + 1 + 2 + 3) / 4,
    }
    absent = judge_answers(
        probabilities, np.zeros(4, int), taxonomy, threshold=None, sets=ConformalSets(0.9, 0.3)
    )
    assert absent["sets"]["per_class"] == {"a": 0.75, "b": None, "c": None}
    never = judge_answers(np.eye(3)[[0, 1]], targets[:2], taxonomy, threshold=1.0, sets=None)
    assert never["certain"] == {"share": 0.0, "error": None}


def test_priors_by_hand() -> None:
    """The first face is b where classes are equally frequent, since a was nine times as frequent."""
    taxonomy = Taxonomy("ab", ("a", "b"))
    probabilities, targets = np.array([[0.8, 0.2], [0.95, 0.05]]), np.array([1, 0])
    found = judge_priors(probabilities, targets, taxonomy, shares=(0.9, 0.1))
    assert found == {"uniform": {"accuracy": 1.0, "balanced_accuracy": 1.0}}
    assert judge_priors(probabilities, targets, taxonomy, shares=None) == {}
    assert judge_priors(probabilities, targets, taxonomy, shares=(1.0, 0.0)) == {}
    eight = judge_priors(np.eye(8) * 0.5 + 0.0625, np.arange(8), FERPLUS, shares=[1 / 8] * 8)
    assert set(eight) == {"uniform", "natural"}


@pytest.mark.parametrize(
    ("sampling", "prior_shift", "expected"),
    [
        ("natural", 0.0, (0.9, 0.1, 0.0)),
        ("sqrt", 0.0, (0.75, 0.25, 0.0)),
        ("sqrt", -0.5, (0.9, 0.1, 0.0)),
        ("natural", 0.5, (0.75, 0.25, 0.0)),
        ("balanced", 0.0, (0.5, 0.5, 0.0)),
    ],
)
def test_a_network_expects_what_it_met(
    sampling: Sampling, prior_shift: float, expected: tuple[float, ...]
) -> None:
    recipe = supervised("tiny")
    recipe = replace(recipe, finetune=replace(recipe.finetune, sampling=sampling), prior_shift=prior_shift)
    data = {"labeled": {"a": 900, "b": 100}}
    found = expected_shares(recipe, "finetune", data, ("a", "b", "c"))
    assert found == pytest.approx(expected, abs=1e-6)
    assert expected_shares(recipe, "finetune", {"labeled": {}}, ("a",)) is None


def test_votes_are_known_where_each_row_has_some() -> None:
    rows: list[dict[str, object]] = [{"image": "1", "votes": [0.5, 0.5]}, {"image": "2", "votes": None}]
    manifest = Manifest.from_rows(rows, Path(), Taxonomy("ab", ("a", "b")))
    assert known_votes(manifest) is None
    votes = known_votes(manifest.take([0]))
    assert votes is not None
    assert votes.tolist() == [[0.5, 0.5]]


def test_an_average_expects_what_its_runs_expect_on_average(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: dict[str, dict[str, int]] = {"one": {"a": 3, "b": 1}, "two": {"a": 1, "b": 1}, "none": {}}
    recipe = supervised("tiny")
    recipe = replace(recipe, finetune=replace(recipe.finetune, sampling="natural"))
    monkeypatch.setattr(judge, "read_recipe", lambda path: recipe)
    monkeypatch.setattr(RunFolder, "data", lambda run: {"labeled": counts[run.path.name]})
    monkeypatch.setattr(RunFolder, "last_stage", lambda run: "finetune")
    one, two, none = (RunFolder(tmp_path / name) for name in counts)
    assert shares_of_runs(one, "finetune", [], ("a", "b")) == pytest.approx((0.75, 0.25))
    assert shares_of_runs(one, "finetune", [two], ("a", "b")) == pytest.approx((0.625, 0.375))
    assert shares_of_runs(one, "finetune", [none], ("a", "b")) is None
