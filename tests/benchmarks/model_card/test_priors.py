"""The rule that chooses a prior."""

from __future__ import annotations

import numpy as np
from benchmarks.model_card.answers import SetAnswers
from benchmarks.model_card.priors import CHOOSE_ON, OWN, PriorScores, chosen, judge_priors

from halfsmile.predict.model_facts import ModelFacts, Preprocessing

LABELS = ("neutral", "happiness")


def scores(name: str, accuracy: float, recall: float, first: float | None = None) -> PriorScores:
    found = dict.fromkeys(CHOOSE_ON, (accuracy, recall))
    if first is not None:
        found[CHOOSE_ON[0]] = (first, recall)
    return PriorScores(name, found)


def test_a_prior_is_taken_where_it_gains_and_no_set_loses() -> None:
    own = scores(OWN, 0.80, 0.70)
    assert chosen([own, scores("little", 0.80, 0.709)]) is own
    assert chosen([own, scores("more", 0.80, 0.72)]).name == "more"
    assert chosen([own, scores("loses", 0.82, 0.75, first=0.794)]) is own
    assert chosen([own, scores("more", 0.80, 0.72), scores("most", 0.81, 0.73)]).name == "most"


def test_a_prior_moves_answers_as_bayes_rule_has_it() -> None:
    facts = ModelFacts(
        name="m",
        labels=LABELS,
        taxonomy="custom",
        preprocessing=Preprocessing(size=8, channels=1),
        temperature=2.0,
        threshold=None,
        target_error=None,
        recipe_sha256="",
        card="",
        prior=(0.75, 0.25),
    )
    logits = np.array([[0.0, -1.0]] * 20)  # p(neutral) is 0.62; with neutral as rare as happiness 0.35
    found = SetAnswers("press", logits, np.ones(20, int), np.zeros(0, int))
    by_name = {prior.name: prior.scores["press"][0] for prior in judge_priors({"press": found}, facts)}
    assert by_name[OWN] == 0.0
    assert by_name["neutral × 0.7"] == 0.0
    assert by_name["neutral × 0.6"] == 1.0  # 0.62 · 0.6 is less than 0.38
    assert by_name["uniform"] == 1.0
