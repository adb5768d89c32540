"""A small network taught by others: what it is given, and that one command trains it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
import torch

from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.resnet import ResNetConfig
from halfsmile.recipes import student
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.resolve import resolve
from halfsmile.runs.folder import RunFolder
from halfsmile.training.distributed import Processes
from halfsmile.training.naming import NAMES
from halfsmile.training.run import train_run

HERE = Processes(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("preset", get_args(Preset))
def test_most_of_what_it_sees_was_named_by_teachers(preset: Preset) -> None:
    recipe = student(preset)
    assert recipe.pretrain is None
    assert recipe.semi is not None
    assert isinstance(recipe.semi.method, NoisyStudent)
    assert recipe.semi.unlabeled == "all"
    assert recipe.semi.unlabeled_batch == 7 * recipe.semi.labeled_batch
    assert recipe.semi.weight == 1


def test_on_two_cores_it_is_small() -> None:
    encoder = student().encoder
    assert isinstance(encoder, ResNetConfig)
    assert (encoder.image_size, encoder.channels) == (64, 1)


def test_without_teachers_it_has_nothing_to_learn(generated_data: Path) -> None:
    with pytest.raises(ValueError, match=r"give them with --teachers RUN"):
        resolve("student", data=generated_data / "labeled")


def test_one_command_teaches_it(tiny_recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    data, extra = generated_data / "labeled", [generated_data / "unlabeled.zip"]
    teachers = []
    for number, size in enumerate((32, 40)):
        encoder = replace(tiny_recipe.encoder, image_size=size)
        short = replace(tiny_recipe.finetune, epochs=1)
        alone = replace(tiny_recipe, encoder=encoder, pretrain=None, finetune=short, semi=None)
        run = train_run(alone, data=data, unlabeled=[], out=tmp_path / f"teacher-{number}", where=HERE)
        teachers.append(run.path)
    recipe = resolve(
        "student",
        data=data,
        preset="tiny",
        labels="25%",
        teachers=teachers,
        settings=["finetune.epochs=1", "semi.epochs=1", "held_out=0.2", "encoder.image_size=24"],
    )
    folder = train_run(recipe, data=data, unlabeled=extra, out=tmp_path / "small", where=HERE)
    said = pq.read_table(folder.stage("semi") / NAMES)
    assert len(said) == folder.data()["unlabeled"] + 64
    assert set(said["agreement"].to_pylist()) <= {0.0, 0.5, 1.0}
    assert list(evaluate_run(folder, device=torch.device("cpu"))) == ["finetune", "semi"]
    kept = json.loads((RunFolder(folder.path).recipe_path).read_text())
    assert kept["semi"]["method"]["teachers"] == [str(path) for path in teachers]
