"""Compare runs: mean and spread over seeds, and paired differences on the same test images."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.comparison import SCORES, Comparison, Group
from halfsmile.evaluation.same_pictures import aligned, require_same_test_set
from halfsmile.metrics.bootstrap import PairedDifference, paired_bootstrap
from halfsmile.runs.finished import FinishedRun, read_run
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import Predictions
from halfsmile.runs.settings import completed, differing_settings, group_names, names_of


def compare(run_folders: Sequence[Path], *, seed: int = 0, resamples: int = 2000) -> Comparison:
    """Compare finished runs on the same test images.

    Runs whose recipes are equal but for the seed form a group. Every other group is compared with the first
    by a paired bootstrap over the test images. Where the seed also draws the people that are tested, runs of
    one seed need the same test images, and the bootstrap is over those of all seeds together.

    Args:
        run_folders: Folders, the baseline first.
        seed: Seed of the bootstrap.
        resamples: Resamples of the bootstrap.

    Raises:
        ValueError: If there is no folder, one is not a finished run, two runs have the same recipe and seed,
            or taxonomies or test sets differ.
    """
    if not run_folders:
        raise ValueError("Give at least one run folder to compare.")
    runs = [read_run(Path(folder)) for folder in run_folders]
    found = aligned(runs)
    by_seed = all(_protocol(run).get("test_people") is not None for run in runs)
    references: dict[Any, int] = {}
    for i, run in enumerate(runs):
        reference = references.setdefault(run.recipe.get("seed") if by_seed else None, i)
        require_same_test_set(runs[reference], found[reference], run, found[i])

    recipes = _told_apart(runs)
    members: dict[str, list[int]] = {}
    for i, run in enumerate(runs):
        key = json.dumps({k: v for k, v in recipes[i].items() if k != "seed"}, sort_keys=True)
        for other in members.setdefault(key, []):
            if runs[other].recipe.get("seed") == run.recipe.get("seed"):
                raise ValueError(
                    f"{runs[other].path} and {run.path} have the same recipe and the same seed "
                    f"({run.recipe.get('seed')}). Give each run once, or train with another seed."
                )
        members[key].append(i)

    settings = differing_settings([recipes[group[0]] for group in members.values()])
    names = group_names([(runs[group[0]].name, recipes[group[0]]) for group in members.values()])
    baseline: list[Predictions] | None = None
    groups = []
    for group, name, differing in zip(members.values(), names, settings, strict=True):
        if by_seed:
            group = sorted(group, key=lambda i: str(runs[i].recipe.get("seed")))
        predictions = [found[i] for i in group]
        scores = [one.metrics().to_dict() for one in predictions]
        against_first = (
            _gain(predictions, baseline, by_seed=by_seed, seed=seed, resamples=resamples)
            if baseline is not None
            else None
        )
        baseline = predictions if baseline is None else baseline
        groups.append(
            Group(
                name=name,
                settings=differing,
                seeds=tuple(runs[i].recipe.get("seed") for i in group),
                scores={score: tuple(s[score] for s in scores) for score in SCORES},
                against_first=against_first,
            )
        )
    data = runs[0].data
    return Comparison(
        tuple(groups),
        str(data.get("data_set", "?")),
        str(data.get("label_rule") or "as given"),
        sum(len(found[i]) for i in references.values()),
        by_seed,
    )


def _protocol(run: FinishedRun) -> Mapping[str, Any]:
    """What a run's numbers mean; recipes of the first version have these fields themselves."""
    protocol: Mapping[str, Any] = run.recipe.get("protocol") or run.recipe
    return protocol


def _told_apart(runs: Sequence[FinishedRun]) -> list[Mapping[str, Any]]:
    """Recipes of runs; where equal ones were run otherwise, with what they saw and where they stopped."""
    found = [run.recipe for run in runs]
    if len({json.dumps(names_of(recipe)) for recipe in found}) > 1:
        found = [_with_defaults(recipe) for recipe in found]
    recipes = completed(found)
    keys = [json.dumps({**recipe, "seed": None}, sort_keys=True) for recipe in recipes]
    beyond: list[dict[str, Any]] = [
        {
            "unlabeled_elsewhere": _elsewhere(run),
            "pseudo_labels": _pseudo_labels(run),
            "last_stage": run.stages[-1].name,
        }
        for run in runs
    ]
    told = {(key, json.dumps(more)) for key, more in zip(keys, beyond, strict=True)}
    twice = Counter(
        (run.recipe.get("seed"), key, json.dumps(more))
        for run, key, more in zip(runs, keys, beyond, strict=True)
    )
    if max(twice.values(), default=0) > 1:
        # equal runs are no seeds of one another: perhaps the data were others, or the labels (--budget)
        beyond = [
            {**more, "data": run.data.get("path"), "budget": _budget(run)}
            for run, more in zip(runs, beyond, strict=True)
        ]
    elif len(set(keys)) == len(told):
        return recipes
    return [{**recipe, **more} for recipe, more in zip(recipes, beyond, strict=True)]


def _budget(run: FinishedRun) -> str | None:
    """A few letters that differ where other faces were labeled; None where the run does not say."""
    path = RunFolder(run.path).budget_path
    if not path.is_file():
        return None
    budget = LabelBudget.load(path)
    roles = json.dumps([budget.fingerprint, budget.roles])
    return hashlib.sha256(roles.encode()).hexdigest()[:8]


def _with_defaults(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recipe with the fields that came later at their defaults; one that can't be read stays as it is.

    Methods are torch modules, so this imports torch; without it recipes stay as they are, too.
    """
    try:
        from halfsmile.recipes.serialize import from_json, to_json

        return to_json(from_json(dict(recipe)))
    except (ValueError, KeyError, TypeError, ModuleNotFoundError):
        return recipe


def _elsewhere(run: FinishedRun) -> str:
    """Numbers of unlabeled faces from other sources than the data set, in words."""
    counts = run.data.get("pretrain_images") or {}
    other = {run.data.get("path"), *(table["path"] for table in run.data.get("pseudo_labels") or ())}
    found = sorted(count for source, count in counts.items() if source not in other)
    return " + ".join(f"{count:,}" for count in found) or "none"


def _pseudo_labels(run: FinishedRun) -> str:
    """Numbers of pseudo-labeled faces, with the model and the confidence that accepted them, in words."""
    told = []
    for table in run.data.get("pseudo_labels") or ():
        model, least = table.get("model"), table.get("threshold")
        by = "" if model is None else f" by {model}"
        told.append(f"{table['faces']:,}{by}{'' if least is None else f' from {least:.4g} on'}")
    return " + ".join(told) or "none"


def _gain(
    group: Sequence[Predictions],
    baseline: Sequence[Predictions],
    *,
    by_seed: bool,
    seed: int,
    resamples: int,
) -> PairedDifference | None:
    """Accuracy of a group minus that of the first; seeds with test images of their own are put in a row."""
    if by_seed and [found.images for found in group] != [found.images for found in baseline]:
        return None
    join = np.concatenate if by_seed else np.stack
    targets = np.concatenate([found.targets for found in (baseline if by_seed else baseline[:1])])
    return paired_bootstrap(
        join([found.predicted for found in group]),
        join([found.predicted for found in baseline]),
        targets,
        num_classes=len(baseline[0].taxonomy),
        seed=seed,
        resamples=resamples,
    )
