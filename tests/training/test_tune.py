"""The last fine-tuning on labeled faces and on those that Stage III named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from tests.training.stopping import stopped_at

from halfsmile.methods.noisy_student import align, sharpen
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.recipes.changes.tuning import last_tuning
from halfsmile.recipes.config import NamedConfig, Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import LAST_STAGE, StageName
from halfsmile.training import stages, trainer
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.training.naming import NAMES
from halfsmile.training.plan import plan_run
from halfsmile.training.run import train_run

HERE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    named = NamedConfig(batch_size=24, weight=0.5, temperature=0.5, alignment=1.0)
    tune = last_tuning(tiny_recipe.finetune, epochs=3, mixing="none", sampling="sqrt", named=named)
    return replace(tiny_recipe, pretrain=None, tune=tune)


def run(
    recipe: Recipe, data: Path, out: Path, *, last_stage: StageName = LAST_STAGE, reuse: Path | None = None
) -> RunFolder:
    return train_run(
        recipe,
        data=data / "labeled",
        unlabeled=[data / "unlabeled.zip"],
        out=out,
        where=HERE,
        last_stage=last_stage,
        reuse=reuse,
    )


def test_it_is_taught_what_stage_three_says(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    asked: list[tuple[Any, ...]] = []

    def spy(task: Task, batches: Any, config: Any, path: Path, **options: object) -> None:
        """In place of training, move all weights, and draw the batches of the last stage."""
        with torch.no_grad():
            for parameter in task.averaged.parameters():
                parameter.add_(torch.rand_like(parameter))
        if path.name == "tune":
            seen["tune"] = task, [batches(step) for step in range(config.steps)], config

    def answer(teacher: Classifier, pool: ImagePool, *, zoom: float, **options: object) -> Any:
        """In place of the network, probabilities that tell each face by the mean of its pixels."""
        asked.append((teacher.state_dict(), zoom))
        means = pool(np.arange(len(pool))).float().mean(dim=(1, 2, 3))
        return (torch.linspace(0, 1, 8) * means[:, None] / 10).softmax(dim=1).numpy()

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train", spy)
        patch.setattr(stages, "ask", answer)
        folder = run(recipe, generated_data, tmp_path / "run")
    [(teacher, zoom)] = asked
    kept = load_file(folder.stage("semi") / "model.safetensors")
    assert zoom == 1.0
    assert all(torch.equal(teacher[name], value) for name, value in kept.items())
    task, batches, config = seen["tune"]
    counts = folder.data()["labeled"]
    labeled = sum(counts.values())
    assert config.steps == round(3 * labeled / 16)
    assert (len(batches[0].images), len(batches[0].unlabeled)) == (16, 24)
    assert (task.weak, task.strong, task.weight) == (recipe.tune.augment, recipe.tune.augment, 0.5)  # type: ignore[union-attr]
    assert task.method.alpha == 0

    said = pq.read_table(folder.stage("tune") / NAMES)
    assert len(said) == folder.data()["unlabeled"]
    raw = torch.tensor(said["probabilities"].to_pylist())
    shares = torch.tensor(list(counts.values())).float()
    expected = align(sharpen(raw, 0.5), shares / shares.sum())
    faces = torch.cat([batch.unlabeled for batch in batches]).float().mean(dim=(1, 2, 3))
    rows = (raw[None, :, 7] - (torch.linspace(0, 1, 8) * faces[:, None] / 10).softmax(1)[:, None, 7]).abs()
    drawn = torch.cat([batch.unlabeled_targets for batch in batches])
    torch.testing.assert_close(drawn, expected[rows.argmin(dim=1)], atol=1e-5, rtol=0)


def test_a_stopped_one_ends_in_the_bits_of_an_unbroken_one(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = run(recipe, generated_data, tmp_path / "unbroken")
    run(recipe, generated_data, tmp_path / "broken", last_stage="semi")

    with stopped_at(4, monkeypatch):
        run(recipe, generated_data, tmp_path / "broken")
    broken = run(recipe, generated_data, tmp_path / "broken")
    before, first, second = (
        load_file(folder.stage(stage) / "model.safetensors")
        for folder, stage in ((unbroken, "semi"), (unbroken, "tune"), (broken, "tune"))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(before["head.weight"], first["head.weight"])


def test_variants_of_it_start_from_the_stage_three_of_another_run(
    recipe: Recipe, generated_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(recipe, generated_data, tmp_path / "whole")
    again = run(recipe, generated_data, tmp_path / "again", reuse=whole.path)
    assert again.result("tune")["taken_from"] == str(whole.path)

    assert recipe.tune is not None
    other = replace(recipe, name="other", flip=False, tune=replace(recipe.tune, epochs=1))
    alone = run(other, generated_data, tmp_path / "alone")
    capsys.readouterr()
    shared = run(other, generated_data, tmp_path / "shared", reuse=whole.path)
    said = " ".join(capsys.readouterr().err.split())
    assert f"Taken over from {whole.path}: Fine-tuning, Semi-supervised; tune.epochs (3 / 1) differs" in said
    assert shared.result("semi") == {**whole.result("semi"), "taken_from": str(whole.path)}
    assert not (shared.stage("semi") / "checkpoint").exists()
    first, second = (load_file(f.stage("tune") / "model.safetensors") for f in (alone, shared))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert "taken_from" not in shared.result("tune")
    run(other, generated_data, tmp_path / "shared", reuse=whole.path)  # the same command again does nothing

    assert recipe.semi is not None
    early = replace(recipe, semi=replace(recipe.semi, weight=1.0))
    late = run(early, generated_data, tmp_path / "late", last_stage="finetune", reuse=whole.path)
    assert (late.finished("finetune"), late.finished("semi")) == (True, False)


def test_a_run_of_other_labels_settings_or_faces_lends_nothing(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    short = replace(recipe, semi=None, tune=None)
    lender = run(short, generated_data, tmp_path / "lender")
    with pytest.raises(ValueError, match=r"other labels than this run may use.*--budget .*labels\.parquet"):
        run(replace(short, labels="50%"), generated_data, tmp_path / "run", reuse=lender.path)
    wide = replace(short, finetune=replace(short.finetune, batch_size=8))
    with pytest.raises(
        ValueError, match=r"No stage .* can be taken over: finetune.batch_size \(16 / 8\) differs"
    ):
        run(wide, generated_data, tmp_path / "run", reuse=lender.path)
    with pytest.raises(ValueError, match=r"can be taken over: standardize \(False / True\) differs"):
        run(replace(short, standardize=True), generated_data, tmp_path / "run", reuse=lender.path)
    facts = lender.data()
    lender.data_path.write_text(json.dumps({**facts, "fingerprint": "3"}))
    with pytest.raises(ValueError, match=r"was trained on other faces.*fingerprint \(3 / "):
        run(short, generated_data, tmp_path / "run", reuse=lender.path)
    assert not (tmp_path / "run").exists()
    lender.data_path.write_text(json.dumps(facts))
    whole = run(recipe, generated_data, tmp_path / "whole", last_stage="finetune", reuse=lender.path)
    assert (facts["unlabeled"], facts["unused"]["own"]) == (0, whole.data()["unlabeled"])
    assert whole.result("finetune")["taken_from"] == str(lender.path)


def test_faces_that_are_not_there_are_missed_before_anything_is_trained(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    assert recipe.tune is not None
    extra = replace(recipe, tune=replace(recipe.tune, named=NamedConfig(batch_size=8, unlabeled="extra")))
    with pytest.raises(ValueError, match=r"The last fine-tuning of the recipe ssfer takes .*none are given"):
        train_run(extra, data=generated_data / "labeled", unlabeled=[], out=tmp_path / "run", where=HERE)
    whole = replace(recipe, labels="all", semi=None, held_out=0.0)
    with pytest.raises(ValueError, match=r"The last fine-tuning needs .*tune\.named\.unlabeled=extra"):
        plan_run(whole, data=generated_data / "labeled", unlabeled=[], where=HERE)


def test_named_faces_count_in_the_time_of_a_step(
    recipe: Recipe, generated_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def note(self: object, task: Task, batch: Batch, optim: object, parts: int) -> float:
        sizes.append(batch.size)
        return 1.0

    monkeypatch.setattr("halfsmile.training.plan._Clock.seconds", note)
    found = plan_run(recipe, data=generated_data / "labeled", unlabeled=[], where=HERE)
    assert [stage.name for stage in found.stages] == ["finetune", "semi", "tune"]
    assert sizes[-1] == 16 + 24
