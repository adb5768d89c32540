"""What a training would do is what it then does."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import generate_sequence, write_sequences
from halfsmile.models.precision import PrecisionChoice
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.recipes import METHODS, Recipe, recipe_named, temporal
from halfsmile.recipes.changes.tuning import last_tuning
from halfsmile.runs.stages import STAGES
from halfsmile.training import plan
from halfsmile.training.distributed import Processes
from halfsmile.training.plan import plan_run
from halfsmile.training.run import train_run

HERE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SECONDS", 0.0)
    monkeypatch.setattr(plan, "choose_precision", lambda device: PrecisionChoice("float32", 1.0, ""))


def test_the_steps_planned_are_the_steps_trained(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, tune=last_tuning(tiny_recipe.finetune, epochs=1))
    where = {"data": generated_data / "labeled", "unlabeled": [generated_data / "unlabeled.zip"]}
    found = plan_run(recipe, where=HERE, **where)  # type: ignore[arg-type]
    folder = train_run(recipe, where=HERE, out=tmp_path / "run", **where)  # type: ignore[arg-type]
    assert [stage.name for stage in found.stages] == [s.name for s in STAGES if s.name != "temporal"]
    for stage in found.stages:
        result = json.loads((folder.stage(stage.name) / "result.json").read_text())
        assert (stage.steps, stage.epochs) == (result["steps"], result["epochs"])
        assert stage.seconds_per_step > 0
        assert stage.minutes == pytest.approx(stage.steps * stage.seconds_per_step / 60)
    facts = json.loads((folder.path / "data.json").read_text())
    assert found.counts["labeled"] == facts["labeled"]
    assert found.counts["held out"] == facts["held_out"]
    assert found.counts["test"] == facts["test"]
    assert (found.unlabeled, list(found.extra.values())) == (facts["unlabeled"], [64])


TINY = {method: recipe_named(method, "tiny") for method in METHODS}
FOR_ANY_FACES = [name for name, tiny in TINY.items() if tiny.temporal is None and tiny.protocol is None]


@pytest.mark.parametrize("method", FOR_ANY_FACES)
def test_every_method_for_any_faces_can_be_planned(method: str, generated_data: Path) -> None:
    recipe = TINY[method]
    recipe = replace(recipe, protocol=PROTOCOLS["faces"], labels="25%")
    found = plan_run(
        recipe, data=generated_data / "labeled", unlabeled=[generated_data / "unlabeled.zip"], where=HERE
    )
    assert [stage.name for stage in found.stages if stage.name == "semi"] == ["semi"] * (
        recipe.semi is not None
    )


def test_nothing_is_written_and_all_fields_are_shown(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = plan_run(tiny_recipe, data=generated_data / "labeled", unlabeled=[], where=HERE)
    console = Console(record=True, width=160)
    found.show(console)
    shown = console.export_text()
    assert list(tmp_path.iterdir()) == []
    assert "faces of one's own · tested on test · by accuracy" in shown
    for text in ("finetune.epochs=2", "semi.method=fixmatch", "semi.method.threshold=0.7", "temporal=none"):
        assert f"  {text}\n" in shown


def test_stage_four_is_planned_on_videos_alone(generated_data: Path, tmp_path: Path) -> None:
    clips = (
        generate_sequence(shown, person=person, frames=8, size=24, take=take)
        for person in range(8)
        for take, shown in enumerate(("happiness", "surprise"))
    )
    write_sequences(clips, tmp_path / "clips")
    made = temporal()
    assert made.temporal is not None
    over_time = replace(made.temporal, network=TemporalConfig(width=16, depth=1, heads=2, window=4), steps=7)
    recipe = replace(made, protocol=PROTOCOLS["sequences"], temporal=over_time)
    found = plan_run(recipe, data=tmp_path / "clips", unlabeled=[], where=HERE)
    assert [(stage.name, stage.steps) for stage in found.stages][-1] == ("temporal", 7)
    with pytest.raises(ValueError, match="has a Stage IV, which needs frames of videos"):
        plan_run(
            replace(recipe, protocol=PROTOCOLS["faces"]),
            data=generated_data / "labeled",
            unlabeled=[],
            where=HERE,
        )


def test_a_stage_three_without_faces_is_told_now(tiny_recipe: Recipe, generated_data: Path) -> None:
    with pytest.raises(ValueError, match="Stage III needs unlabeled faces, but the label budget covers all"):
        plan_run(
            replace(tiny_recipe, labels="all"), data=generated_data / "labeled", unlabeled=[], where=HERE
        )


def test_a_given_budget_is_the_one_that_is_counted(tiny_recipe: Recipe, generated_data: Path) -> None:
    from halfsmile.data.readers import class_folders

    train = class_folders.read(generated_data / "labeled").split("train")
    budget = LabelBudget.draw(train, "3", seed=5)
    found = plan_run(tiny_recipe, data=generated_data / "labeled", unlabeled=[], where=HERE, budget=budget)
    assert set(found.counts["labeled"].values()) == {3}


def test_copies_of_test_faces_are_told_as_training_tells_them(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(generated_data / "labeled", tmp_path / "data")
    twin = next((tmp_path / "data/test/happiness").iterdir())
    shutil.copy(twin, tmp_path / "data/train/happiness/twin.png")
    places: dict[str, Any] = {"data": tmp_path / "data", "unlabeled": [], "where": HERE}
    recipe = replace(tiny_recipe, held_out=0.0)
    (planned,) = [note for note in plan_run(recipe, **places).notes if "test face" in note]
    folder = train_run(recipe, out=tmp_path / "run", last_stage="finetune", **places)
    assert planned in folder.data()["notes"]
    assert planned.startswith("1 training faces have the pixels of test faces, first train/happiness/tw")
    monkeypatch.setattr(plan, "LOOKING", 0.0)
    (planned,) = [note for note in plan_run(recipe, **places).notes if "test face" in note]
    assert "was not looked for" in planned


def test_test_faces_among_unlabeled_ones_are_refused_before_training(
    tiny_recipe: Recipe, generated_data: Path
) -> None:
    places: dict[str, Any] = {"data": generated_data / "labeled", "where": HERE}
    test = generated_data / "labeled/test"
    with pytest.raises(ValueError, match=r"unlabeled faces in .* are test images"):
        plan_run(tiny_recipe, unlabeled=[test], **places)


def test_what_no_stage_learns_from_is_said_and_not_counted(generated_data: Path) -> None:
    recipe = replace(TINY["supervised"], protocol=PROTOCOLS["faces"], labels="25%")
    found = plan_run(
        recipe, data=generated_data / "labeled", unlabeled=[generated_data / "unlabeled.zip"], where=HERE
    )
    assert (found.unlabeled, found.extra) == (0, {})
    console = Console(record=True, width=200)
    found.show(console)
    rest = 160 - sum(found.counts["labeled"].values()) - sum(found.counts["held out"].values())
    said = f"learns from them: {rest} more training faces without their labels, 64 unlabeled faces of "
    assert said in console.export_text(clear=False)
    assert "from other sources" not in console.export_text()
