"""Temperature, threshold and sets from a mixture of data sets of equal weight, and what they change on each.

The stills of ``studio`` are among the frames of ``sequences``, so they choose nothing; neither does the test
split of FERPlus, which judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.model_card.answers import PRIVATE, PUBLIC, SetAnswers, in_order

from halfsmile.metrics.mixture import fit_mixture_sets, fit_mixture_temperature, mixture_threshold
from halfsmile.metrics.scores import RELIABILITY_BINS, reliability_bins
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.markdown import markdown_table

CHOOSE_ON = (PUBLIC, "press", "sequences", "spoiled")
SHOWN = (PUBLIC, "press", "sequences", "spoiled", "studio", PRIVATE)
TARGET, COVERAGE = 0.1, 0.9


@dataclass(frozen=True)
class Certainty:
    """What makes answers certain.

    Args:
        temperature: Of the logits.
        threshold: Confidence from which answers are certain; None where nobody knows.
        floor: Probability from which a class is possible; None likewise.
    """

    temperature: float
    threshold: float | None
    floor: float | None


@dataclass(frozen=True)
class Judged:
    """How a :class:`Certainty` does on one set, all but ``error`` over all its found faces.

    Args:
        ece: Expected calibration error.
        certain: Share of certain answers.
        error: Share of wrong ones among them.
        held: Share of faces whose set of expressions has the true one.
        nll: Mean negative log-likelihood of the truth.
    """

    ece: float
    certain: float
    error: float
    held: float
    nll: float


def of_mixture(answers: Mapping[str, SetAnswers]) -> Certainty:
    """Chosen on the sets of :data:`CHOOSE_ON`."""
    sets = in_order(dict(answers), CHOOSE_ON)
    temperature = fit_mixture_temperature([(found.logits, found.targets) for found in sets]).value
    sure = [(found.probabilities(temperature), found.targets) for found in sets]
    threshold = mixture_threshold(sure, TARGET)
    return Certainty(temperature, threshold, fit_mixture_sets(sure, COVERAGE).floor)


def judge(found: SetAnswers, certainty: Certainty) -> Judged:
    """On one set."""
    probabilities = found.probabilities(certainty.temperature)
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != found.targets
    is_certain = confidence >= (1.0 if certainty.threshold is None else certainty.threshold)
    truth = probabilities[np.arange(len(wrong)), found.targets]
    held = ~wrong | (truth >= (1.0 if certainty.floor is None else certainty.floor))
    return Judged(
        ece=reliability_bins(probabilities, found.targets).ece,
        certain=float(is_certain.mean()),
        error=float(wrong[is_certain].mean()) if is_certain.any() else float("nan"),
        held=float(held.mean()),
        nll=float(-np.log(truth.clip(1e-12)).mean()),
    )


def mixture_error(sets: Sequence[SetAnswers], certainty: Certainty) -> float:
    """Expected calibration error of the mixture: of all sets together, each of equal weight."""
    gaps = np.zeros(RELIABILITY_BINS)
    for found in sets:
        probabilities = found.probabilities(certainty.temperature)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == found.targets
        place = np.clip(np.ceil(confidence * RELIABILITY_BINS).astype(int) - 1, 0, RELIABILITY_BINS - 1)
        gaps += np.bincount(place, right - confidence, RELIABILITY_BINS) / (len(right) * len(sets))
    return float(np.abs(gaps).sum())


def in_words(answers: Mapping[str, SetAnswers], facts: ModelFacts) -> list[str]:
    """The section of the card."""
    own = Certainty(facts.temperature, facts.threshold, facts.set_floor)
    mixed = of_mixture(answers)
    rows = []
    for found in in_order(dict(answers), SHOWN):
        sides = [judge(found, certainty) for certainty in (own, mixed)]
        cells = [
            " → ".join(f"{100 * getattr(side, name):.1f}" for side in sides)
            for name in ("ece", "certain", "error", "held")
        ]
        likelihoods = " → ".join(f"{side.nll:.3f}" for side in sides)
        rows.append([found.name, f"{len(found.targets):,}", likelihoods, *cells])
    means = " → ".join(
        f"{100 * mixture_error(in_order(dict(answers), CHOOSE_ON), side):.1f}" for side in (own, mixed)
    )
    numbers = [
        f"temperature {own.temperature:.3f} → {mixed.temperature:.3f}",
        f"threshold {_number(own.threshold)} → {_number(mixed.threshold)}",
        f"floor of the sets {_number(own.floor)} → {_number(mixed.floor)}",
    ]
    return [
        "### Certainty",
        "",
        f"As the file has it → as the mixture of {', '.join(CHOOSE_ON)}, each of equal weight, has it: "
        f"{', '.join(numbers)}. Certain answers shall be wrong in at most {TARGET:.0%} of the mixture, sets "
        f"hold the truth in {COVERAGE:.0%} of it. {PRIVATE} judges only. Over the "
        f"whole mixture confidence and accuracy lie {means} points apart (ECE). NLL, and in percent of the "
        "faces that were found:",
        "",
        markdown_table(
            ["set", "faces", "NLL", "ECE", "certain", "wrong among them", "truth in the set"],
            rows,
        ),
        "",
    ]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
