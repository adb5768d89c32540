"""How a calibrated model does on faces that chose nothing: its certain answers, its sets, other priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import Manifest
from halfsmile.data.samplers import Sampling
from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.metrics.selective import ConformalSets
from halfsmile.predict.answers.prior import NATURAL, NATURAL_SHARES, UNIFORM, reweigh
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import StageName
from halfsmile.taxonomy import Taxonomy

Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]

NEVER = 1.0
"""Threshold where not even the most confident answers meet the target: no answer counts as certain."""


def judge_answers(
    probabilities: npt.NDArray[np.float64],
    targets: Targets,
    taxonomy: Taxonomy,
    *,
    threshold: float | None,
    sets: ConformalSets | None,
) -> dict[str, Any]:
    """How thresholds do on faces that they were not chosen on.

    Args:
        probabilities: (N, classes), after temperature.
        targets: (N,) class indices.
        taxonomy: The classes.
        threshold: Confidence from which answers are certain, if any.
        sets: Sets of expressions, if any.

    Returns:
        ``metrics`` of all answers; ``certain``: the share of such answers and the ``error`` among them (null
        where there are none); ``sets``: how often they hold the truth, over all faces and by
        true class (null where no face has it), and their mean size.
    """
    found: dict[str, Any] = {"metrics": evaluate_predictions(probabilities, targets, taxonomy).to_dict()}
    if threshold is not None:
        certain = (probabilities.max(axis=1) >= threshold) & (threshold < NEVER)
        wrong = (probabilities.argmax(axis=1) != targets)[certain]
        found["certain"] = {
            "share": float(certain.mean()),
            "error": float(wrong.mean()) if len(wrong) else None,
        }
    if sets is not None:
        members = sets(probabilities)
        held = members[np.arange(len(targets)), targets]
        found["sets"] = {
            "coverage": float(held.mean()),
            "per_class": {
                label: float(held[targets == index].mean()) if (targets == index).any() else None
                for index, label in enumerate(taxonomy.labels)
            },
            "mean_size": float(members.sum(axis=1).mean()),
        }
    return found


def judge_priors(
    probabilities: npt.NDArray[np.float64],
    targets: Targets,
    taxonomy: Taxonomy,
    *,
    shares: Sequence[float] | None,
) -> dict[str, dict[str, float]]:
    """Accuracy and balanced accuracy under other priors than that of the labels, by name of the prior.

    Args:
        probabilities: (N, classes), after temperature.
        targets: (N,) class indices.
        taxonomy: The classes.
        shares: Of the labels; where a class has none, or they are unknown, nothing is judged.
    """
    if shares is None or min(shares) <= 0:
        return {}
    own, found = np.array(shares), dict[str, dict[str, float]]()
    for name in (UNIFORM, NATURAL):
        if name == NATURAL and set(NATURAL_SHARES) != set(taxonomy.labels):
            continue
        prior = [1 / len(own)] * len(own) if name == UNIFORM else [NATURAL_SHARES[k] for k in taxonomy.labels]
        scores = evaluate_predictions(reweigh(probabilities, np.array(prior) / own), targets, taxonomy)
        found[name] = {"accuracy": scores.accuracy, "balanced_accuracy": scores.balanced_accuracy}
    return found


def expected_shares(
    recipe: Recipe, stage: StageName, data: Mapping[str, Any], labels: Sequence[str]
) -> tuple[float, ...] | None:
    """How often a network expects each class: as often as it met it, changed by the shift of its logits.

    Args:
        recipe: Its sampling of the stage says how often a class was drawn, its ``prior_shift`` what was taken
            out since.
        stage: That the network is of.
        data: What the run knows of its data: ``labeled`` has the count of each class.
        labels: In the order of the network.

    Returns:
        Shares that sum to 1; None where the run had no labels.
    """
    counts = np.array([data["labeled"].get(label, 0) for label in labels], np.float64)
    if not counts.any():
        return None
    sampling: Sampling = getattr(getattr(recipe, stage), "sampling", "natural")
    power = {"natural": 1.0, "sqrt": 0.5, "balanced": 0.0}[sampling] - recipe.prior_shift
    shares = np.where(counts > 0, np.maximum(counts, 1) ** power, 0.0)
    return tuple(float(round(share, 6)) for share in shares / shares.sum())


def shares_of_runs(
    folder: RunFolder, stage: StageName, others: Sequence[RunFolder], labels: Sequence[str]
) -> tuple[float, ...] | None:
    """The expected shares of a run; of runs whose answers are averaged, their mean.

    Args:
        folder: The run.
        stage: Of the run; of the others their last one.
        others: The others.
        labels: As for :func:`expected_shares`; None of it where one run's are not known.
    """
    stages = [(folder, stage), *((other, other.last_stage()) for other in others)]
    found = [expected_shares(read_recipe(run.recipe_path), at, run.data(), labels) for run, at in stages]
    known = [shares for shares in found if shares is not None]
    return tuple(np.mean(known, axis=0).round(6).tolist()) if len(known) == len(found) else None


def known_votes(manifest: Manifest) -> Floats | None:
    """The shares of votes (N, classes) of all rows; None where a row has none."""
    votes = manifest.column("votes")
    return None if not votes or any(row is None for row in votes) else np.array(votes, np.float32)
