"""Compare runs: mean and spread over seeds, and paired differences on the same test images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from halfsmile.metrics.bootstrap import PairedDifference, paired_bootstrap
from halfsmile.runs.finished import FinishedRun, read_run
from halfsmile.runs.predictions import Predictions
from halfsmile.runs.settings import as_text, completed, differing_settings, group_names, names_of
from halfsmile.utils.console import plain
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.page import page, section
from halfsmile.utils.page import table as html_table
from halfsmile.utils.percent import percent_number

SCORES = {
    "accuracy": "Accuracy %",
    "balanced_accuracy": "Balanced accuracy %",
    "macro_f1": "Macro F1 %",
    "nll": "NLL",
    "ece": "ECE %",
}


@dataclass(frozen=True)
class Group:
    """Runs whose recipes differ in nothing but the seed.

    Args:
        name: Name of the recipe; with the settings that set it apart, where two groups share a name.
        settings: The recipe's values (dotted names) that are not the same in all groups.
        seeds: Seed of each run.
        scores: One value per seed of each score; shares in [0, 1], NLL in nats.
        against_first: Accuracy minus that of the first group, on the same images; None for the first, and
            where the test people depend on the seed and the seeds are not those of the first.
    """

    name: str
    settings: Mapping[str, Any]
    seeds: tuple[Any, ...]
    scores: Mapping[str, tuple[float, ...]]
    against_first: PairedDifference | None

    def mean(self, score: str) -> float:
        """Mean over seeds."""
        return float(np.mean(self.scores[score]))

    def deviation(self, score: str) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        values = self.scores[score]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """Groups of runs on one test set, or on one for each seed, in the order in which they were given."""

    groups: tuple[Group, ...]
    data_set: str
    label_rule: str
    num_images: int
    by_seed: bool = False

    @property
    def caption(self) -> str:
        """How to read the numbers."""
        return (
            f"{self.num_images:,} test images of {self.data_set} (labels: {self.label_rule})"
            f"{', of other people for each seed' if self.by_seed else ''}. "
            "Mean ± standard deviation over seeds. Gain in accuracy: points over the first row, mean over "
            "seeds, with the 95 % interval that other test images would leave (paired bootstrap), and p: how "
            "often chance alone gives as much either way."
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of :meth:`rows`."""
        return ("Recipe", "Seeds", *SCORES.values(), "Gain in accuracy", "p")

    def rows(self) -> list[tuple[str, ...]]:
        """One row of text per group."""
        return [
            (
                group.name,
                str(len(group.seeds)),
                *(_spread(group, score) for score in SCORES),
                *_difference(group.against_first),
            )
            for group in self.groups
        ]

    def setting_rows(self) -> list[tuple[str, ...]]:
        """What the groups' recipes differ in: one row per setting, one column per group."""
        names = list(dict.fromkeys(name for group in self.groups for name in group.settings))
        return [(name, *(as_text(group.settings.get(name)) for group in self.groups)) for name in names]

    def render(self, console: Console) -> None:
        """Print as tables."""
        rows = self.rows()
        scores = Table(title="Scores", title_justify="left", box=SIMPLE)
        scores.add_column(self.columns[0], min_width=12, overflow="fold")
        for column in self.columns[1:-2]:
            scores.add_column(column.replace("Balanced ", "Balanced\n"), justify="right", no_wrap=True)
        for row in rows:
            scores.add_row(*plain(row[:-2]))
        console.print(scores)
        if len(rows) > 1:
            gains = Table(title=f"Against {rows[0][0]}", title_justify="left", box=SIMPLE)
            gains.add_column(self.columns[0], min_width=12, overflow="fold")
            for column in self.columns[-2:]:
                gains.add_column(column, justify="right", no_wrap=True)
            for row in rows[1:]:
                gains.add_row(*plain((row[0], *row[-2:])))
            console.print(gains)
        if self.setting_rows():
            settings = Table("Setting", title="What differs", title_justify="left", box=SIMPLE)
            for group in self.groups:
                settings.add_column(group.name, overflow="fold")
            for row in self.setting_rows():
                settings.add_row(*plain(row))
            console.print(settings)
        console.print(self.caption, style="dim")

    def to_markdown(self) -> str:
        """The tables as GitHub-flavored Markdown."""
        parts = [markdown_table(self.columns, self.rows()), "", self.caption, ""]
        if self.setting_rows():
            header = ("Setting", *(group.name for group in self.groups))
            parts += ["What differs:", "", markdown_table(header, self.setting_rows(), right=False), ""]
        return "\n".join(parts)

    def to_html(self) -> str:
        """The tables as a self-contained page."""
        body = ["<header><h1>Comparison of runs</h1></header>"]
        body.append(html_table(self.columns, self.rows(), caption=self.caption))
        if self.setting_rows():
            header = ("Setting", *(group.name for group in self.groups))
            body.append(section("settings", "What differs", html_table(header, self.setting_rows())))
        return page("Comparison of runs", "\n".join(body))


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
    aligned = _aligned(runs)
    by_seed = all(_protocol(run).get("test_people") is not None for run in runs)
    references: dict[Any, int] = {}
    for i, run in enumerate(runs):
        reference = references.setdefault(run.recipe.get("seed") if by_seed else None, i)
        _require_same_test_set(runs[reference], aligned[reference], run, aligned[i])

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
        predictions = [aligned[i] for i in group]
        scores = [found.metrics().to_dict() for found in predictions]
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
        sum(len(aligned[i]) for i in references.values()),
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
    if (
        max(twice.values(), default=0) > 1
    ):  # equal runs are no seeds of one another: perhaps the data were others
        beyond = [{**more, "data": run.data.get("path")} for run, more in zip(runs, beyond, strict=True)]
    elif len(set(keys)) == len(told):
        return recipes
    return [{**recipe, **more} for recipe, more in zip(recipes, beyond, strict=True)]


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


def _aligned(runs: Sequence[FinishedRun]) -> list[Predictions]:
    """The same rows sorted by picture and label, so that row i of two runs is the same picture.

    Pictures are told apart by the hash of their pixels, whatever their names, where every run knows it; by
    their names otherwise. Either stands in ``images`` of what is returned.
    """
    hashes = [run.predictions.sha256 for run in runs]
    known = [found for found in hashes if found is not None and None not in found]
    if len(known) < len(runs):
        return [_align(run.predictions, run.predictions.images) for run in runs]
    return [
        _align(run.predictions, [str(digest) for digest in found])
        for run, found in zip(runs, known, strict=True)
    ]


def _align(predictions: Predictions, pictures: Sequence[str]) -> Predictions:
    keys = list(zip(pictures, predictions.targets.tolist(), predictions.images, strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Predictions(
        tuple(pictures[i] for i in order),
        tuple(predictions.splits[i] for i in order),
        predictions.targets[order],
        predictions.probabilities[order],
        predictions.taxonomy,
    )


def _require_same_test_set(
    first_run: FinishedRun, first: Predictions, other_run: FinishedRun, other: Predictions
) -> None:
    try:
        first.taxonomy.require_same(other.taxonomy)
    except ValueError as error:
        raise ValueError(f"{first_run.path} and {other_run.path}: {error}") from error
    if first.images == other.images and np.array_equal(first.targets, other.targets):
        return
    names = {**_names(first_run), **_names(other_run)}
    only_first = list((Counter(first.images) - Counter(other.images)).elements())
    only_other = list((Counter(other.images) - Counter(first.images)).elements())
    labels = dict(zip(first.images, first.targets.tolist(), strict=True))
    relabeled = [
        f"{names.get(image, image)}: {first.taxonomy.labels[labels[image]]} / {first.taxonomy.labels[target]}"
        for image, target in zip(other.images, other.targets.tolist(), strict=True)
        if image in labels and labels[image] != target
    ]
    details = [
        f"{len(found):,} {text} (such as {names.get(found[0], found[0])})"
        for found, text in (
            (only_first, f"images are only in {first_run.path}"),
            (only_other, f"images are only in {other_run.path}"),
            (relabeled, "images have another label"),
        )
        if found
    ]
    raise ValueError(
        f"{first_run.path} ({len(first):,} images) and {other_run.path} ({len(other):,} images) were "
        f"tested on different images: {'; '.join(details)}. Compare runs of one data set, label rule "
        "and split."
    )


def _names(run: FinishedRun) -> dict[str, str]:
    """Name of a picture by its hash, where that is known."""
    hashes = run.predictions.sha256 or ()
    return {str(digest): name for digest, name in zip(hashes, run.predictions.images, strict=False)}


def _spread(group: Group, score: str) -> str:
    def shown(value: float) -> str:
        return f"{value:.3f}" if score == "nll" else percent_number(value)

    deviation = group.deviation(score)
    text = shown(group.mean(score))
    return text if deviation is None else f"{text} ± {shown(deviation)}"


def _difference(paired: PairedDifference | None) -> tuple[str, str]:
    if paired is None:
        return "", ""
    return paired.text, f"{paired.p:.3f}"
