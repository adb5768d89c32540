"""Weights that know labels outside the budget are refused, or told where they know those of other data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from halfsmile.data.split import LabelBudget
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.recipes import Recipe, ssfer, with_semi
from halfsmile.runs.folder import RunFolder
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.teaching.known_labels import kept_notes, notes_on_known_labels
from halfsmile.utils.files import write_json

MOODS = Taxonomy("moods", ("calm", "glad"))
IMAGES = ("a.png", "b.png", "c.png", "d.png")
FEW = LabelBudget(IMAGES, ("labeled", "labeled", "held_out", "unlabeled"), "these", "2", 0)
ALL = LabelBudget(IMAGES, ("labeled",) * 4, "these", "all", 0)
OTHER = LabelBudget(("e.png", "f.png"), ("labeled",) * 2, "others", "all", 0)
FACTS = {
    "data_set": "faces", "taxonomy": ["calm", "glad"], "path": "some/faces", "test_splits": ["test"],
    "labeled": {}, "unlabeled": 0, "pretrain_images": {}, "notes": [], "test_fingerprint": "t",
}  # fmt: skip


def make_run(path: Path, budget: LabelBudget, *, pseudo_labels: int = 0, **recipe: Any) -> RunFolder:
    folder = RunFolder(path)
    write_json(folder.recipe_path, recipe)
    told = [{"faces": pseudo_labels}] if pseudo_labels else []
    write_json(folder.data_path, {**FACTS, "pseudo_labels": told})
    budget.save(folder.budget_path)
    write_json(folder.result_path("finetune"), {})
    return folder


def find(recipe: Recipe, budget: LabelBudget = FEW) -> list[str]:
    return notes_on_known_labels(recipe, ("pretrain", "finetune", "semi"), budget, MOODS)


def started_from(source: Path) -> Recipe:
    return replace(ssfer(data_set="faces"), init=str(source), pretrain=None)


def test_weights_that_know_labels_outside_the_budget_are_refused(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", ALL)
    weights = whole.weights_path("finetune")
    with pytest.raises(ValueError, match=r"know 2 labels of these data .*with all, .*--budget .*whole/"):
        find(started_from(weights))
    assert find(started_from(weights), ALL) == []
    assert find(started_from(whole.weights_path("pretrain"))) == []
    assert find(started_from(whole.path)) == []
    weights.touch()
    (tmp_path / "link.safetensors").symlink_to(weights)
    with pytest.raises(ValueError, match="know 2 labels of these data"):
        find(started_from(tmp_path / "link.safetensors"))


def test_a_stage_one_knows_what_its_teacher_learned(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", ALL)
    taught = make_run(tmp_path / "taught", ALL, pretrain={"teacher": str(whole.path)})
    for source in (taught.path, taught.weights_path("pretrain")):
        with pytest.raises(ValueError, match="know 2 labels of these data"):
            find(started_from(source))


def test_teachers_pass_on_what_they_started_from(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", ALL)
    teacher = make_run(tmp_path / "teacher", FEW, init=str(whole.weights_path("finetune")))
    with pytest.raises(ValueError, match=r"weights of .*teacher know 2 labels of these data"):
        find(with_semi(ssfer(data_set="faces"), method=NoisyStudent(teachers=(str(teacher.path),))))
    stage_one = ssfer(data_set="faces").pretrain
    assert stage_one is not None
    with pytest.raises(ValueError, match=r"weights of .*teacher know 2 labels of these data"):
        find(replace(ssfer(data_set="faces"), pretrain=replace(stage_one, teacher=str(teacher.path))))


def test_teachers_of_finished_stages_may_be_gone(tmp_path: Path) -> None:
    taught = with_semi(ssfer(data_set="faces"), method=NoisyStudent(teachers=(str(tmp_path / "gone"),)))
    with pytest.raises(ValueError, match="gone is not a folder"):
        find(taught)
    assert notes_on_known_labels(taught, ("finetune",), FEW, MOODS) == []


def test_labels_of_other_data_and_of_other_models_are_told(tmp_path: Path) -> None:
    first = make_run(tmp_path / "first", OTHER, pseudo_labels=7)
    then = make_run(tmp_path / "then", FEW, pseudo_labels=3, init=str(first.weights_path("finetune")))
    own, others = find(started_from(then.weights_path("finetune")))
    assert "know 3 pseudo-labels of another model, by the run" in own
    assert "know 2 labels and 7 pseudo-labels of another model of other data (some/faces" in others


def test_a_run_keeps_the_notes_that_it_began_with(tmp_path: Path) -> None:
    assert kept_notes(tmp_path / "data.json", ["now"]) == ["now"]
    write_json(tmp_path / "data.json", {"known_labels": ["then"]})
    assert kept_notes(tmp_path / "data.json", []) == ["then"]


def test_weights_from_elsewhere_say_nothing(tmp_path: Path) -> None:
    assert find(started_from(tmp_path / "gone/finetune/model.safetensors")) == []
    assert find(replace(ssfer(data_set="faces"), init="https://example.org/a.pth", pretrain=None)) == []
