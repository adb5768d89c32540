"""The run folder: one recipe for ever, no foreign files, and weights that come back or are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs halfsmile[train]")

import torch
from safetensors import SafetensorError
from torch import nn

from halfsmile.recipes import recipe_named
from halfsmile.runs import folder as run_folder
from halfsmile.runs.folder import RunFolder, environment

RECIPE = recipe_named("ssfer", "cpu", data_set="ferplus")


def model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def test_a_new_folder_keeps_its_recipe(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path / "runs" / "first", RECIPE)
    assert folder.recipe() == RECIPE
    assert json.loads((tmp_path / "runs/first/recipe.json").read_text())["name"] == "ssfer"
    assert RunFolder.existing(folder.path).recipe() == RECIPE


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert RunFolder.open(tmp_path, RECIPE).recipe() == RECIPE


def test_the_same_recipe_goes_on(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, RECIPE)
    (tmp_path / "labels.parquet").write_text("kept")
    folder = RunFolder.open(tmp_path, RECIPE)
    assert folder.budget_path.read_text() == "kept"


def test_another_recipe_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, RECIPE)
    other = replace(RECIPE, labels="25%", finetune=replace(RECIPE.finetune, mixing="cutmix"))
    with pytest.raises(ValueError, match="another recipe") as caught:
        RunFolder.open(tmp_path, other)
    assert "finetune.mixing (facemix / cutmix), labels (10% / 25%) (there / asked for)" in str(caught.value)
    assert "Use a new folder for --out" in str(caught.value)
    assert RunFolder.existing(tmp_path).recipe() == RECIPE


def test_a_run_from_before_a_part_existed_goes_on(tmp_path: Path) -> None:
    RunFolder.open(tmp_path, RECIPE)
    old = json.loads((tmp_path / "recipe.json").read_text())
    for name in ("temporal", "tune"):
        del old[name]
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    assert RunFolder.open(tmp_path, RECIPE).recipe() == RECIPE


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not a run folder and is not empty"):
        RunFolder.open(tmp_path, RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="is not a run folder and is not empty"):
        RunFolder.open(tmp_path / "thesis.txt", RECIPE)


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}'])
def test_a_damaged_recipe_is_refused(tmp_path: Path, text: str) -> None:
    RunFolder.open(tmp_path, RECIPE)
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ValueError, match=r"recipe"):
        RunFolder.existing(tmp_path).recipe()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no recipe\.json"):
        RunFolder.existing(tmp_path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"data_set": "ferplus"}'])
def test_damaged_data_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(ValueError, match=r"data\.json is damaged: it lacks .*taxonomy, path"):
        RunFolder(tmp_path).data()


def test_finish_and_load(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path, RECIPE)
    trained, fresh = model(0), model(1)
    assert not folder.finished("finetune")
    with pytest.raises(ValueError, match=r"Stage finetune of .* is not finished"):
        folder.load("finetune", fresh)
    with pytest.raises(ValueError, match="no trained classifier yet"):
        folder.last_stage()

    folder.finish("finetune", trained, {"steps": 3})
    assert folder.finished("finetune")
    assert json.loads((tmp_path / "finetune/result.json").read_text()) == {"stage": "finetune", "steps": 3}
    folder.load("finetune", fresh)
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)


def test_the_last_stage_is_the_last_that_classifies(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path, RECIPE)
    folder.finish("pretrain", model(), {})
    with pytest.raises(ValueError, match="no trained classifier yet"):
        folder.last_stage()
    folder.finish("finetune", model(), {})
    assert folder.last_stage() == "finetune"
    folder.finish("semi", model(), {})
    assert folder.last_stage() == "semi"
    folder.mark_finished("temporal", {})
    assert folder.finished("temporal")
    assert folder.last_stage() == "semi"


def damaged(tmp_path: Path, damage: str) -> tuple[RunFolder, nn.Module]:
    """A finished stage with something wrong, and a model to load it into."""
    folder = RunFolder.open(tmp_path, RECIPE)
    folder.finish("semi", model(), {})
    path = folder.stage("semi") / "model.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("these are no weights")
    elif damage == "missing":
        path.unlink()
    return folder, model() if damage != "other shape" else nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing", "other shape"])
def test_damaged_weights_are_named(tmp_path: Path, damage: str) -> None:
    folder, fresh = damaged(tmp_path, damage)
    with pytest.raises(ValueError, match=r"semi/model\.safetensors can't be loaded"):
        folder.load("semi", fresh)


def test_a_full_disk_does_not_finish_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Any], path: Path) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    folder = RunFolder.open(tmp_path, RECIPE)
    monkeypatch.setattr(run_folder, "save_file", full)
    with pytest.raises(OSError, match=r"Can't write .*model\.safetensors.*No space left on device"):
        folder.finish("semi", model(), {})
    assert not folder.finished("semi")
    assert list((tmp_path / "semi").iterdir()) == []


def test_a_file_in_place_of_a_parent_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(OSError, match="runs"):
        RunFolder.open(tmp_path / "runs" / "first", RECIPE)


def test_the_environment_is_plain_json() -> None:
    facts = environment(torch.device("cpu"), precision="float32", init=None)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["torch"] == torch.__version__.split("+")[0] or "+" in facts["packages"]["torch"]
    assert facts["device"] == "cpu"
    assert facts["precision"] == "float32"
    assert facts["cores"] >= 1
