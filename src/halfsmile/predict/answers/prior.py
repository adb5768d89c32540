"""The prior of the classes: how often each expression is to be expected among the faces of a user.

A model that learned from labels of which a third were neutral expects as much everywhere. Where it is
otherwise, Bayes' rule puts another prior π′ in the place of π, that of the labels (Saerens, Latinne,
Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities", equation 4):

    p′(c | x) ∝ p(c | x) · π′(c) / π(c)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.predict.model_facts import ModelFacts

LARGEST = float(np.finfo(np.float64).max)
UNIFORM, NATURAL = "uniform", "natural"

NATURAL_SHARES = {
    "neutral": 0.53,
    "happiness": 0.41,
    "surprise": 0.02,
    "sadness": 0.018,
    "anger": 0.018,
    "disgust": 0.002,
    "fear": 0.001,
    "contempt": 0.001,
}
"""Of people in press photographs: the mean answer of the former model on 11,681 faces of LFW (lab book).
Most faces there are neutral or smile, so rare expressions are named less often under it."""

Prior = str | Path | Mapping[str, float]


def prior_ratio(prior: Prior, facts: ModelFacts) -> npt.NDArray[np.float64]:
    """By how much each probability grows, before all are scaled to sum to 1, (classes,).

    Args:
        prior: ``uniform``; ``natural``, for everyday photographs (:data:`NATURAL_SHARES`); a JSON file of
            shares by label; or those shares. They need not sum to 1.
        facts: The model's.

    Raises:
        ValueError: If the model does not know the shares of its own labels, or the prior has other classes,
            a share that is no positive number, or can't be read.
    """
    if facts.prior is None:
        raise ValueError(
            f"The model {facts.name!r} does not say how often each class occurred in its labels, so no other "
            "prior can be put in. Export its run again, or leave --prior away."
        )
    if min(facts.prior) <= 0:
        missing = ", ".join(
            label for label, share in zip(facts.labels, facts.prior, strict=True) if share <= 0
        )
        raise ValueError(f"The labels of the model {facts.name!r} had no {missing}; leave --prior away.")
    shares = _shares(prior, facts.labels)
    shares = shares / shares.max()
    ratio: npt.NDArray[np.float64] = shares / shares.sum() / np.array(facts.prior)
    return ratio


def reweigh(
    probabilities: npt.NDArray[np.floating], ratio: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Probabilities (N, classes) under the other prior."""
    weighed = np.asarray(probabilities, np.float64) * ratio
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True), np.float32)


class _Pairs(list[tuple[str, float]]):
    """What a JSON object holds, names that occur twice, too."""


def _shares(prior: Prior, labels: Sequence[str]) -> npt.NDArray[np.float64]:
    if prior == UNIFORM:
        return np.ones(len(labels))
    found = _read(prior, labels)
    if set(found) != set(labels):
        raise ValueError(
            f"The prior {_name(prior)} is of {', '.join(map(str, found))}; expected a share for each class "
            f"of the model: {', '.join(labels)}."
        )
    values = [v.item() if isinstance(v, np.generic) else v for v in map(found.__getitem__, labels)]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not 0 < v <= LARGEST for v in values):
        raise ValueError(
            f"The prior {_name(prior)} must have a positive number for each class, as 0.35; found "
            f"{', '.join(f'{label} {found[label]}' for label in labels)}."
        )
    return np.array(values, np.float64)


def _read(prior: Prior, labels: Sequence[str]) -> Mapping[str, float]:
    if prior == NATURAL:
        return {label: NATURAL_SHARES[label] for label in labels if label in NATURAL_SHARES}
    if isinstance(prior, Mapping):
        return prior
    path = Path(prior)
    if not path.is_file():
        raise ValueError(
            f"--prior {prior} is neither {UNIFORM} nor {NATURAL}, and there is no such file. A file is JSON "
            f"with a share for each class of the model, as {_example(labels)}."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_Pairs)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"The prior {path} is no JSON file ({error}).") from error
    if not isinstance(found, _Pairs):
        raise ValueError(
            f"The prior {path} must be shares by label, as {_example(labels)}; found {type(found).__name__}."
        )
    names = [name for name, _ in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"The prior {path} has {', '.join(twice)} twice; expected one share for each class.")
    return dict(found)


def _example(labels: Sequence[str]) -> str:
    """A file that works: half of the faces show the first class."""
    rest = 0.5 / max(len(labels) - 1, 1)
    shares = {label: round(rest, 3) if i else 0.5 for i, label in enumerate(labels)}
    return json.dumps(shares, ensure_ascii=False)


def _name(prior: Prior) -> str:
    return "of the call" if isinstance(prior, Mapping) else str(prior)
