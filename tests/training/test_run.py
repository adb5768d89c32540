"""A run keeps its recipe and its label budget, leaves foreign files alone, and can train every stage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers import class_folders
from halfsmile.data.split import LabelBudget
from halfsmile.models.precision import PrecisionChoice
from halfsmile.recipes import recipe_named
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import STAGES
from halfsmile.training import run as module
from halfsmile.training.distributed import Processes
from halfsmile.training.run import TRAINED_BY, open_run, train_run
from halfsmile.utils.console import make_console

HERE = Processes(0, 1, torch.device("cpu"))
RECIPE = recipe_named("ssfer", "tiny", data_set="ferplus")


def run(recipe: Recipe, data: Path, out: Path, budget: LabelBudget | None) -> LabelBudget:
    recipe = replace(recipe, pretrain=None, semi=None)
    return LabelBudget.load(
        train_run(recipe, data=data, unlabeled=[], out=out, where=HERE, budget=budget).budget_path
    )


def test_every_stage_has_a_function_that_trains_it() -> None:
    assert list(TRAINED_BY) == [stage.name for stage in STAGES]


def test_a_new_folder_keeps_its_recipe(tmp_path: Path) -> None:
    folder = open_run(tmp_path / "runs" / "first", RECIPE)
    assert read_recipe(folder.recipe_path) == RECIPE
    assert json.loads((tmp_path / "runs/first/recipe.json").read_text())["name"] == "ssfer"
    assert RunFolder.existing(folder.path).recipe_json()["name"] == "ssfer"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert read_recipe(open_run(tmp_path, RECIPE).recipe_path) == RECIPE


def test_the_same_recipe_resumes(tmp_path: Path) -> None:
    open_run(tmp_path, RECIPE)
    (tmp_path / "labels.parquet").write_text("kept")
    folder = open_run(tmp_path, RECIPE)
    assert folder.budget_path.read_text() == "kept"


def test_another_recipe_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    folder = open_run(tmp_path, RECIPE)
    other = replace(RECIPE, labels="25%", finetune=replace(RECIPE.finetune, mixing="cutmix"))
    with pytest.raises(ValueError, match="another recipe") as caught:
        open_run(tmp_path, other)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("What differs (there / asked for):")
    assert lines[1:3] == ["  finetune.mixing (facemix / cutmix)", "  labels (10% / 25%)"]
    assert "Use a new folder for --out" in str(caught.value)
    assert read_recipe(folder.recipe_path) == RECIPE


def test_a_run_from_before_a_part_existed_resumes(tmp_path: Path) -> None:
    open_run(tmp_path, RECIPE)
    old = json.loads((tmp_path / "recipe.json").read_text())
    for name in ("temporal", "tune"):
        del old[name]
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    assert read_recipe(open_run(tmp_path, RECIPE).recipe_path) == RECIPE


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}'])
def test_a_run_with_a_damaged_recipe_does_not_resume(tmp_path: Path, text: str) -> None:
    open_run(tmp_path, RECIPE)
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ValueError, match="recipe"):
        open_run(tmp_path, RECIPE)
    assert (tmp_path / "recipe.json").read_text() == text


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not a run folder and is not empty"):
        open_run(tmp_path, RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="is not a run folder and is not empty"):
        open_run(tmp_path / "thesis.txt", RECIPE)


def test_a_file_in_place_of_a_parent_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(ValueError, match=r"runs is a file\. Use another place for --out"):
        open_run(tmp_path / "runs" / "first", RECIPE)


@pytest.mark.parametrize(
    ("own", "others", "chosen"), [("bfloat16", False, "bfloat16"), ("bfloat16", True, "float32")]
)
def test_numbers_are_whole_where_one_process_has_no_units_for_half_ones(
    own: Any, others: bool, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Several(Processes):
        def agree(self, *flags: bool) -> tuple[bool, ...]:
            return tuple(flag or others for flag in flags)

    monkeypatch.setattr(module, "choose_precision", lambda _: PrecisionChoice(own, 2.0, "measured"))
    where = Several(0, 2, torch.device("cpu"))
    assert module._precision(RunFolder(tmp_path), where, make_console(stderr=True)) == chosen


def test_a_given_budget_is_what_the_run_uses(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    data = generated_data / "labeled"
    given = LabelBudget.draw(class_folders.read(data).split("train"), "3", seed=99)
    assert given != LabelBudget.draw(class_folders.read(data).split("train"), "3", seed=0)
    assert run(tiny_recipe, data, tmp_path / "run", given) == given
    assert run(tiny_recipe, data, tmp_path / "run", None) == given


def test_another_budget_than_the_run_began_with_is_refused(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    data = generated_data / "labeled"
    train = class_folders.read(data).split("train")
    run(tiny_recipe, data, tmp_path / "run", LabelBudget.draw(train, "3", seed=1))
    with pytest.raises(ValueError, match="another label budget"):
        run(tiny_recipe, data, tmp_path / "run", LabelBudget.draw(train, "3", seed=2))


def test_faces_without_a_partner_to_mix_with_are_refused_before_anything_is_trained(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    finetune = replace(tiny_recipe.finetune, batch_size=16, accumulate=16)
    recipe = replace(tiny_recipe, finetune=finetune)
    places: dict[str, Any] = {"data": generated_data / "labeled", "unlabeled": [], "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="a process sees one face at a time"):
        train_run(recipe, **places, where=HERE)
    assert not (tmp_path / "run/pretrain").exists()
    folder = train_run(recipe, **places, where=HERE, last_stage="pretrain")
    folder.mark_finished("finetune", {})
    train_run(recipe, **places, where=HERE, last_stage="finetune")


def test_a_folder_in_which_another_process_trains_is_refused_before_faces_are_read(
    tmp_path: Path,
) -> None:
    recipe = replace(RECIPE, protocol=PROTOCOLS["faces"])
    folder = open_run(tmp_path / "run", recipe)
    with folder.only_trainer(), pytest.raises(ValueError, match="Another process is writing the run"):
        train_run(recipe, data=tmp_path / "unread", unlabeled=[], out=folder.path, where=HERE)


def test_a_budget_of_other_data_is_refused(tiny_recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    data = generated_data / "labeled"
    other = LabelBudget.draw(class_folders.read(data).split("test"), "2", seed=0)
    with pytest.raises(ValueError, match="not what this label budget was drawn for"):
        run(tiny_recipe, data, tmp_path / "run", other)
    assert not (tmp_path / "run" / "labels.parquet").exists()


@pytest.mark.parametrize("labels", ["10%", "all"])
def test_a_refused_command_leaves_nothing_in_the_way_of_the_mended_one(
    labels: str, tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    """With all labels Stage III has no faces; an archive of unlabeled faces may not exist."""
    unlabeled = [] if labels == "all" else [tmp_path / "nowhere.zip"]
    with pytest.raises(ValueError, match=r"needs unlabeled faces|does not exist"):
        train_run(
            replace(tiny_recipe, labels=labels),
            data=generated_data / "labeled",
            unlabeled=unlabeled,
            out=tmp_path / "run",
            where=HERE,
        )
    assert not (tmp_path / "run").exists()
