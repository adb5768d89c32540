"""The run folder: paths and small files, read without torch, and errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halfsmile.runs.folder import DATA, RunFolder


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no recipe\.json"):
        RunFolder.existing(tmp_path)
    with pytest.raises(ValueError, match="missing is not a folder"):
        RunFolder.existing(tmp_path / "missing")
    (tmp_path / "recipe.json").write_text("{}")
    assert RunFolder.existing(tmp_path) == RunFolder(tmp_path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"data_set": "ferplus"}'])
def test_damaged_data_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(ValueError, match=r"data\.json is damaged: it lacks .*taxonomy, path"):
        RunFolder(tmp_path).data()


def test_the_classes_are_those_of_the_data_in_their_order(tmp_path: Path) -> None:
    facts = {**dict.fromkeys(DATA), "taxonomy": ["surprise", "neutral"]}
    (tmp_path / "data.json").write_text(json.dumps(facts))
    assert RunFolder(tmp_path).taxonomy().labels == ("surprise", "neutral")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_recipe_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ValueError, match=r"recipe\.json"):
        RunFolder.existing(tmp_path).recipe_json()


def test_the_environment_may_be_missing_but_not_broken(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.environment() == {}
    folder.environment_path.write_text("[]")
    with pytest.raises(ValueError, match=r"environment\.json: expected a JSON object, found list"):
        folder.environment()


def test_one_process_at_a_time_trains_in_a_folder(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    with first.only_trainer():
        with pytest.raises(ValueError, match=r"Another process is writing the run .*--out"):
            second.only_trainer().__enter__()
        assert (tmp_path / "training.lock").exists()
    assert not list(tmp_path.iterdir())
    with second.only_trainer():
        pass


def test_a_stage_is_finished_when_its_result_is_there(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not folder.finished("finetune")
    with pytest.raises(ValueError, match=r"Stage finetune of .* is not finished"):
        folder.trained_weights("finetune")
    folder.mark_finished("finetune", {"steps": 3})
    assert folder.finished("finetune")
    assert folder.result("finetune") == {"stage": "finetune", "steps": 3}
    assert folder.trained_weights("finetune") == tmp_path / "finetune/model.safetensors"


def test_the_last_stage_is_the_last_that_classifies(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.mark_finished("pretrain", {})
    with pytest.raises(ValueError, match="no trained classifier yet"):
        folder.last_stage()
    folder.mark_finished("finetune", {})
    assert folder.last_stage() == "finetune"
    folder.mark_finished("semi", {})
    assert folder.last_stage() == "semi"
    folder.mark_finished("temporal", {})
    assert folder.finished("temporal")
    assert folder.last_stage() == "semi"


def test_records_are_those_of_the_stage(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.stage("semi").mkdir()
    (folder.stage("semi") / "metrics.jsonl").write_text('{"step": 1, "epoch": 0.5, "seconds": 2.5}\n')
    assert folder.records("semi").seconds == 2.5
    assert folder.records("finetune").lines == ()
