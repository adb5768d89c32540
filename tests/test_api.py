"""Python and the command line train by the same function."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import halfsmile
from halfsmile import recipes
from halfsmile.cli.main import main
from halfsmile.data.split import LabelBudget
from halfsmile.recipes import Recipe
from halfsmile.training import run as training

SMALL = ["finetune.epochs=1", "encoder.width=16", "encoder.heads=2", "encoder.depth=1", "encoder.stem=4,8"]


@pytest.fixture(autouse=True)
def without_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_precision", lambda *_: "float32")


@pytest.fixture
def faces(generated_data: Path) -> Path:
    return generated_data / "labeled"


def files(run: Path) -> dict[str, bytes]:
    kept = ("recipe.json", "labels.parquet", "finetune/model.safetensors", "predictions.parquet")
    return {name: (run / name).read_bytes() for name in kept}


def test_python_and_the_command_line_end_in_the_same_bits(faces: Path, tmp_path: Path) -> None:
    run = halfsmile.train(
        "supervised", data=faces, labels="25%", out=tmp_path / "a", preset="tiny", settings=SMALL, seed=3
    )
    run.evaluate()
    main([
        "train", "supervised", "--data", str(faces), "--labels", "25%", "--out", str(tmp_path / "b"),
        "--preset", "tiny", "--seed", "3", "--set", *SMALL,
    ])  # fmt: skip
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_run_is_trained_evaluated_reported_exported_and_used(
    faces: Path, tmp_path: Path, tiny_recipe: Recipe
) -> None:
    small = replace(tiny_recipe, pretrain=None)
    run = halfsmile.train(small, data=str(faces), out=str(tmp_path / "run"))
    assert run.recipe == small
    assert run.protocol.data_set == "faces"
    metrics = run.evaluate()
    stages = run.evaluate_stages()
    assert list(stages) == ["finetune", "semi"]
    assert metrics.accuracy == stages["semi"].accuracy
    assert run.report() == tmp_path / "run/report.html"
    exported = run.export()
    assert exported.facts.labels == tuple(stages["semi"].per_class)
    picture = next(faces.rglob("*.png"))
    assert run.predictor().labels == exported.facts.labels
    assert isinstance(run.predictor().predict(picture), list)
    again = halfsmile.Run.open(tmp_path / "run")
    assert (again.path, again.is_main) == (run.path, True)


def test_the_same_call_resumes_and_another_recipe_is_refused(
    faces: Path, tmp_path: Path, tiny_recipe: Recipe
) -> None:
    small = replace(tiny_recipe, pretrain=None, semi=None)
    halfsmile.train(small, data=faces, out=tmp_path / "run")
    before = (tmp_path / "run/finetune/model.safetensors").read_bytes()
    halfsmile.train(small, data=faces, out=tmp_path / "run")
    assert (tmp_path / "run/finetune/model.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match=r"seed \(0 / 1\)"):
        halfsmile.train(small, data=faces, out=tmp_path / "run", seed=1)


def test_a_budget_may_be_a_file(faces: Path, tmp_path: Path, tiny_recipe: Recipe) -> None:
    budget = LabelBudget.draw(halfsmile.data.read(faces).split("train"), "2", seed=9)
    budget.save(tmp_path / "budget.parquet")
    small = replace(tiny_recipe, pretrain=None, semi=None)
    run = halfsmile.train(small, data=faces, out=tmp_path / "run", budget=tmp_path / "budget.parquet")
    facts = json.loads((run.path / "data.json").read_text())
    assert set(facts["labeled"].values()) == {2}
    assert run.recipe.labels == "2"


def test_runs_may_move_with_their_data(faces: Path, tmp_path: Path, tiny_recipe: Recipe) -> None:
    small = replace(tiny_recipe, pretrain=None, semi=None)
    shutil.copytree(faces, tmp_path / "faces")
    run = halfsmile.train(small, data=tmp_path / "faces", out=tmp_path / "run")
    first = run.evaluate().accuracy
    (tmp_path / "faces").rename(tmp_path / "elsewhere")
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = halfsmile.Run.open(tmp_path / "moved")
    with pytest.raises(ValueError, match="does not exist"):
        moved.evaluate()
    assert moved.evaluate(data=tmp_path / "elsewhere").accuracy == first


def test_what_can_not_be_is_told_in_words_for_the_command_line(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Unknown method 'mixmatch'"):
        halfsmile.train("mixmatch", data=faces, out=tmp_path / "run")
    with pytest.raises(ValueError, match=r"it has no recipe\.json"):
        halfsmile.Run.open(tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'learn'"):
        _ = halfsmile.learn
    assert {"train", "Predictor", "recipes", "data"} <= set(dir(halfsmile))
    assert recipes.ssfer is halfsmile.recipes.ssfer
