"""Stages of a finished run that another run takes over, so that variants of a later stage share the earlier.

A stage is taken as long as nothing that it depends on is different: the data, the labels that were used, the
recipe outside of the stages, and the recipe of the stage itself and of all before it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsmile.data.split import LabelBudget
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.settings import differences
from halfsmile.runs.stages import STAGE_BY_NAME, STAGES, StageName
from halfsmile.utils.files import write_json

_NO_PART = {"name", "preset", "flip", "prior_shift", "blank_shift"}
"""Fields of a recipe that no stage's weights depend on."""

_FACES = ("labeled", "held_out", "temporal", "unlabeled", "pseudo_labeled", "fingerprint", "test_fingerprint")
_TEMPORARY = ".part"


@dataclass(frozen=True)
class Reuse:
    """What a run takes from another.

    Args:
        source: The other run.
        stages: Names of the stages, in their order; at least one.
        ends: Why it is no more, for people; None where all that are asked for are taken.
    """

    source: RunFolder
    stages: tuple[StageName, ...]
    ends: str | None

    def into(self, folder: RunFolder) -> None:
        """Copy the stages that the run has not begun yet; what they were resumed by is left behind.

        Raises:
            OSError: If they can't be written; what is there is whole.
        """
        for stage in self.stages:
            place = folder.stage(stage)
            if folder.finished(stage):
                continue
            if place.exists():
                return
            temporary = place.with_name(stage + _TEMPORARY)
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.copytree(
                self.source.stage(stage),
                temporary,
                ignore=shutil.ignore_patterns("checkpoint", "tensorboard"),
            )
            result = {**self.source.result(stage), "taken_from": str(self.source.path)}
            write_json(temporary / self.source.result_path(stage).name, result)
            os.replace(temporary, place)


def find_reusable(
    path: Path,
    *,
    recipe: Mapping[str, Any],
    there: Mapping[str, Any],
    facts: Mapping[str, Any],
    budget: LabelBudget,
    stages: Sequence[StageName],
) -> Reuse:
    """Which stages of another run a new one can take over.

    Args:
        path: Folder of the other run.
        recipe: Of the new run, in JSON form.
        there: Of the other run, in the JSON form of this version.
        facts: The new run's ``data.json``.
        budget: The labels that the new run uses.
        stages: Those that the new run shall have, in their order.

    Raises:
        ValueError: If there are none; the message says what differs.
    """
    source = RunFolder.existing(path)
    theirs = source.data()
    if LabelBudget.load(source.budget_path) != budget:
        raise ValueError(
            f"{path} learned from other labels than this run may use, so no stage can be taken over. To use "
            f"the same: --budget {source.budget_path}"
        )
    apart = {"unlabeled"} if _without_own(theirs) or _without_own(facts) else set()
    changed = [name for name in _FACES if name not in apart and theirs.get(name) != facts.get(name)]
    if changed:
        said = ", ".join(f"{name} ({theirs.get(name)} / {facts.get(name)})" for name in changed)
        raise ValueError(
            f"{path} was trained on other faces, so no stage can be taken over. It differs in {said} "
            "(there / here)."
        )
    if _tables(theirs) != _tables(facts):
        raise ValueError(
            f"{path} was trained with other pseudo-labels, though as many, so no stage can be taken over. "
            "Give the tables that it was given by --pseudo-labels, or leave --reuse away."
        )
    ends = _difference(_shared(there), _shared(recipe))
    taken: list[StageName] = []
    for stage in stages:
        if ends is not None or (there.get(stage) is None and recipe.get(stage) is None):
            continue
        ends = _difference({stage: there.get(stage)}, {stage: recipe.get(stage)})
        if ends is None and _takes_other_faces(stage, recipe):
            ends = _difference(_extra(theirs), _extra(facts)) or _other_faces(theirs, facts)
        if ends is None and not source.finished(stage):
            ends = f"{stage} is not finished there"
        if ends is None:
            taken.append(stage)
    if not taken:
        raise ValueError(
            f"No stage of {path} can be taken over: {ends}. Give a run whose first stages are the same, or "
            "leave --reuse away."
        )
    return Reuse(source, tuple(taken), ends)


def _shared(recipe: Mapping[str, Any]) -> dict[str, Any]:
    stages = {stage.name for stage in STAGES}
    return {name: value for name, value in recipe.items() if name not in stages | _NO_PART}


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    found = differences(there, here)
    return f"{', '.join(found[:3])} differs (there / here)" if found else None


def _takes_other_faces(stage: StageName, recipe: Mapping[str, Any]) -> bool:
    """Whether the weights of a stage depend on the unlabeled faces from other sources."""
    part = recipe[stage]
    chosen = part.get("unlabeled") if stage == "semi" else part.get("named", {}).get("unlabeled")
    return stage == "pretrain" or chosen in ("extra", "all")


def _without_own(facts: Mapping[str, Any]) -> bool:
    """Whether no stage of a run learns from training faces without their labels, so that none was read."""
    return bool(facts.get("unused", {}).get("own"))


def _extra(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of faces from other sources; the data set's own come first, and are compared by role."""
    return {"unlabeled faces": list(facts["pretrain_images"].values())[1:]}


def _tables(facts: Mapping[str, Any]) -> list[str]:
    """SHA-256 of each table of pseudo-labels."""
    return [table["sha256"] for table in facts.get("pseudo_labels", [])]


def _other_faces(theirs: Mapping[str, Any], facts: Mapping[str, Any]) -> str | None:
    """Why as many faces from other sources are not the same ones; older runs don't say."""
    there, here = theirs.get("unlabeled_fingerprints"), facts.get("unlabeled_fingerprints")
    if there is None or here is None or list(there.values()) == list(here.values()):
        return None
    return "the unlabeled faces are others, though as many"


def describe_reuse(found: Reuse) -> str:
    """What is taken over, and why no more, in a sentence for people."""
    titles = ", ".join(STAGE_BY_NAME[stage].title for stage in found.stages)
    why = f"; {found.ends}" if found.ends else ""
    return f"Taken over from {found.source.path}: {titles}{why}."
