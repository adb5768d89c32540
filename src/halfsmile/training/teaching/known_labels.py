"""Which labels the weights know that a run starts from: those that made them lie in the budget, or are told.

A run folder's Stage I knows labels if another run taught it; a later stage knows those of its run, and what
its own run started from. Files from elsewhere, and runs that are gone, don't say what made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from halfsmile.data.split import LabelBudget
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import CLASSIFYING, StageName
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.naming import naming_of, require_teachers
from halfsmile.utils.files import read_json


def notes_on_known_labels(
    recipe: Recipe, stages: Sequence[StageName], budget: LabelBudget, taxonomy: Taxonomy
) -> list[str]:
    """A note on each run whose labels of other data a run knows by what it starts or is taught from.

    Args:
        recipe: Its ``init``, and the runs that teach its stages.
        stages: Those that are still to be trained.
        budget: The labels that the run may use.
        taxonomy: Its classes.

    Raises:
        ValueError: If labels of the same data are known that are not in the budget, or a teacher is none, see
            :func:`~halfsmile.training.naming.require_teachers`.
    """
    known = [] if recipe.init is None else [(recipe.init, run) for run in _behind(recipe.init)]
    for stage in stages:
        require_teachers(recipe, stage, budget, taxonomy)
        naming = naming_of(recipe, stage)
        for teacher in naming.teachers if naming is not None else ():
            known += [(teacher, run) for run in _behind_classifier(RunFolder(Path(teacher)))]
    notes = [_note(source, run, budget) for source, run in known]
    return list(dict.fromkeys(note for note in notes if note is not None))


def kept_notes(path: Path, notes: list[str]) -> list[str]:
    """The notes in the ``data.json`` that a run began with, since what it started from may be gone by now."""
    before = read_json(path) if path.exists() else {}
    return list(before.get("known_labels", notes))


def _behind(source: str) -> Iterator[RunFolder]:
    """Runs whose labels made the weights at a path."""
    path = Path(source).resolve()
    if (path / "recipe.json").is_file():
        yield from _behind_stage_one(RunFolder(path))
    elif (path.parent.parent / "recipe.json").is_file():
        folder = RunFolder(path.parent.parent)
        if path.parent.name in CLASSIFYING:
            yield folder
            yield from _behind_classifier(folder)
        else:
            yield from _behind_stage_one(folder)


def _behind_stage_one(folder: RunFolder) -> Iterator[RunFolder]:
    teacher = (folder.recipe_json().get("pretrain") or {}).get("teacher")
    if teacher is not None and (Path(teacher) / "recipe.json").is_file():
        yield RunFolder(Path(teacher))
        yield from _behind_classifier(RunFolder(Path(teacher)))


def _behind_classifier(folder: RunFolder) -> Iterator[RunFolder]:
    """Runs behind the weights that a run started from; its own labels are not among them."""
    yield from _behind_stage_one(folder)
    init = folder.recipe_json().get("init")
    if init is not None:
        yield from _behind(init)


def _note(source: str, run: RunFolder, budget: LabelBudget) -> str | None:
    theirs, facts = LabelBudget.load(run.budget_path), run.data()
    known = {image for image, role in zip(theirs.images, theirs.roles, strict=True) if role == "labeled"}
    told = _pseudo_labels(facts)
    if theirs.fingerprint != budget.fingerprint:
        return (
            f"The weights of {source} know {len(known):,} labels{told} of other data ({facts['path']}, by "
            f"the run {run.path}), which are outside the budget; whether faces of this test split are among "
            "them was not looked for."
        )
    own = {image for image, role in zip(budget.images, budget.roles, strict=True) if role == "labeled"}
    if outside := len(known - own):
        raise ValueError(
            f"The weights of {source} know {outside:,} labels of these data that are not in this run's "
            f"budget (the run {run.path} learned them with {theirs.amount}, seed {theirs.seed}; this run's: "
            f"{budget.amount}, seed {budget.seed}). Give other weights, or train with the same labels: "
            f"--budget {run.budget_path}"
        )
    return f"The weights of {source} know{told[4:]}, by the run {run.path}." if told else None


def _pseudo_labels(facts: dict[str, Any]) -> str:
    """What a run learned from another model, as a part of a sentence; empty where that is nothing."""
    count = sum(table["faces"] for table in facts.get("pseudo_labels", []))
    return f" and {count:,} pseudo-labels of another model" if count else ""
