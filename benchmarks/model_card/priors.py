"""What other priors do to accuracy and mean recall, and which of them the model should have by itself.

The rule, set before the numbers were seen: a prior becomes the default if the mean over :data:`CHOOSE_ON` of
the mean of accuracy and mean recall rises by half a point or more, and accuracy falls on none of them by more
than half a point; of several the one that rises most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from benchmarks.model_card.answers import PRIVATE, PUBLIC, Floats, SetAnswers, in_order

from halfsmile.predict.answers.prior import NATURAL, UNIFORM, prior_ratio
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.markdown import markdown_table

CHOOSE_ON = (PUBLIC, "press", "studio", "sequences")
SHOWN = (PUBLIC, PRIVATE, "press", "studio", "sequences", "spoiled")
RISE, FALL = 0.005, 0.005
OWN = "the labels'"
FACTORS = (0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class PriorScores:
    """A prior on the sets.

    Args:
        name: Of the prior.
        scores: Accuracy and mean recall by set.
    """

    name: str
    scores: Mapping[str, tuple[float, float]]

    def mean(self) -> float:
        """The number that the rule compares."""
        return float(np.mean([np.mean(self.scores[name]) for name in CHOOSE_ON if name in self.scores]))


def ratios(facts: ModelFacts) -> dict[str, Floats]:
    """By how much each class becomes more likely, by name of the prior; that of the labels first."""
    neutral = np.array([label == "neutral" for label in facts.labels])
    found = {OWN: np.ones(len(facts.labels))}
    found |= {f"neutral × {factor:g}": np.where(neutral, factor, 1.0) for factor in FACTORS}
    return found | {name: prior_ratio(name, facts) for name in (UNIFORM, NATURAL)}


def judge_priors(answers: Mapping[str, SetAnswers], facts: ModelFacts) -> list[PriorScores]:
    """Every prior on every set, at the model's temperature."""
    return [
        PriorScores(
            name,
            {
                found.name: found.scores(found.probabilities(facts.temperature, ratio))
                for found in in_order(dict(answers), SHOWN)
            },
        )
        for name, ratio in ratios(facts).items()
    ]


def chosen(priors: list[PriorScores]) -> PriorScores:
    """The prior that the rule takes; that of the labels where no other one is better."""
    own = priors[0]
    better = [
        prior
        for prior in priors[1:]
        if prior.mean() >= own.mean() + RISE
        and all(
            prior.scores[name][0] >= own.scores[name][0] - FALL for name in CHOOSE_ON if name in own.scores
        )
    ]
    return max(better, key=PriorScores.mean, default=own)


def in_words(answers: Mapping[str, SetAnswers], facts: ModelFacts) -> list[str]:
    """The section of the card."""
    if facts.prior is None:
        return []
    priors = judge_priors(answers, facts)
    names = list(priors[0].scores)
    rows = [
        [
            prior.name,
            *(f"{100 * a:.1f} / {100 * r:.1f}" for a, r in prior.scores.values()),
            f"{100 * prior.mean():.2f}",
        ]
        for prior in priors
    ]
    taken = chosen(priors)
    verdict = "no other prior is taken" if taken is priors[0] else f"{taken.name} is taken"
    return [
        "### Priors",
        "",
        f"Accuracy / mean recall over classes of at least 20 faces, in percent, and the mean of both over "
        f"{', '.join(CHOOSE_ON)}. A prior becomes the default if that rises by half a point or more and "
        f"accuracy falls on none of these by more than half a point: {verdict}.",
        "",
        markdown_table(["prior", *names, "mean"], rows),
        "",
    ]
