"""A teacher is asked once of every face; a stop loses little, and no teacher passes on labels."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from halfsmile.data.images import load_faces
from halfsmile.data.readers import folder as folder_reader
from halfsmile.methods.task import Batch
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.weight_files import FACE
from halfsmile.recipes import ssfer
from halfsmile.recipes.config import PretrainConfig, Recipe
from halfsmile.recipes.overrides import override
from halfsmile.recipes.resolve import resolve
from halfsmile.runs.folder import RunFolder
from halfsmile.training import stages
from halfsmile.training.batches import unlabeled_batches
from halfsmile.training.distributed import Processes
from halfsmile.training.plan import plan_run
from halfsmile.training.run import train_run
from halfsmile.training.teaching import features
from halfsmile.training.teaching.features import load_teacher, look, teacher_features
from halfsmile.utils.errors import StopRequestedError

HERE = Processes(0, 1, torch.device("cpu"))
RESNET = ResNetConfig(image_size=32, widths=(8, 12, 16), depths=(1, 1, 1))


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    short = replace(tiny_recipe.finetune, epochs=1)
    return replace(tiny_recipe, encoder=RESNET, finetune=short, semi=None)


def train(recipe: Recipe, data: Path, out: Path, **options: Any) -> RunFolder:
    return train_run(recipe, data=data / "labeled", unlabeled=[], out=out, where=HERE, **options)


def taught_by(teacher: str) -> PretrainConfig:
    stage = ssfer().pretrain
    assert stage is not None
    return replace(stage, teacher=teacher)


def test_it_is_asked_once_and_a_stop_goes_on(
    generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = folder_reader.read(generated_data / "unlabeled.zip")
    faces = load_faces(manifest, size=24, channels=1)
    monkeypatch.setattr(features, "_ROWS", 8)
    monkeypatch.setattr(features, "_KEPT_EVERY", 2)
    seen: list[int] = []

    def counting(network: ResNet, images: Tensor) -> Tensor:
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(len(images))
        return look(network, images)

    def noting(network: ResNet, images: Tensor) -> Tensor:
        seen.append(len(images))
        return look(network, images)

    ask: dict[str, Any] = {"cache": tmp_path, "where": HERE}
    network = load_teacher(taught_by(FACE), 1)
    with monkeypatch.context() as patch:
        patch.setattr(features, "look", counting)
        with pytest.raises(KeyboardInterrupt):
            teacher_features(network, [faces], **ask)
        seen.clear()
        patch.setattr(features, "look", noting)
        found = teacher_features(network, [faces], **ask)
        assert seen == [8] * 4  # 32 of 64 rows were whole
        assert np.array_equal(teacher_features(network, [faces], **ask), found)
        assert len(seen) == 4
    whole = load_faces(manifest, size=99, channels=1).images
    said = look(network, torch.from_numpy(whole).permute(0, 3, 1, 2).float() / 255).numpy()
    expected = (said - said.mean(axis=0)) / (said.std(axis=0) + 1e-3)
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert found.shape == (64, 128 * 9 + 256)


def test_stage_one_learns_from_a_run_and_stage_two_starts_there(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    lender = train(replace(recipe, pretrain=None), generated_data, tmp_path / "lender")
    taught = override(recipe, f"pretrain.teacher={lender.path}", "pretrain.paint=0")
    folder = train(taught, generated_data, tmp_path / "taught", last_stage="pretrain")
    kept = load_file(folder.stage("pretrain") / "model.safetensors")
    assert all(name.startswith("encoder.") for name in kept)
    assert [name for name in folder.records("pretrain").lines[-1] if name in ("map", "feature")]
    assert not (folder.stage("pretrain") / "figures").exists()
    train(taught, generated_data, tmp_path / "taught")
    both = train(override(taught, "pretrain.paint=1"), generated_data, tmp_path / "both")
    assert (both.stage("pretrain") / "figures/reconstructions.png").is_file()
    plan = plan_run(taught, data=generated_data / "labeled", unlabeled=[], where=HERE)
    assert [stage.name for stage in plan.stages] == ["pretrain", "finetune"]

    other = train(replace(recipe, pretrain=None, seed=1), generated_data, tmp_path / "other")
    with pytest.raises(ValueError, match=r"learned from \d+ labels that are not in this run's budget"):
        train(override(taught, f"pretrain.teacher={other.path}"), generated_data, tmp_path / "leaking")


@pytest.mark.parametrize("paint", [0, 1])
def test_a_stopped_stage_one_ends_in_the_bits_of_an_unbroken_one(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paint: int
) -> None:
    lender = train(replace(recipe, pretrain=None), generated_data, tmp_path / "lender")
    taught = override(recipe, f"pretrain.teacher={lender.path}", f"pretrain.paint={paint}")
    unbroken = train(taught, generated_data, tmp_path / "unbroken", last_stage="pretrain")

    def stopping(*parts: Any) -> Any:
        draw = unlabeled_batches(*parts)

        def batch(step: int) -> Batch:
            if step == 2:
                signal.raise_signal(signal.SIGINT)
            return draw(step)

        return batch

    with monkeypatch.context() as patch:
        patch.setattr(stages, "unlabeled_batches", stopping)
        with pytest.raises(StopRequestedError):
            train(taught, generated_data, tmp_path / "broken", last_stage="pretrain")
    broken = train(taught, generated_data, tmp_path / "broken", last_stage="pretrain")
    first, second = (load_file(f.stage("pretrain") / "model.safetensors") for f in (unbroken, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_can_not_be_matched_is_refused(
    tiny_recipe: Recipe, recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    data = generated_data / "labeled"
    small = resolve("ssfer", data=data, teacher="face").pretrain
    assert small is not None
    assert (small.teacher, small.paint) == ("face", 0.0)
    with pytest.raises(ValueError, match=r"has none\. Leave --init away"):
        resolve("ssfer", data=data, init="face", teacher="face")
    with pytest.raises(ValueError, match="Stage I paints"):
        override(ssfer(), "pretrain.paint=0")
    transformer = train(replace(tiny_recipe, pretrain=None, semi=None), generated_data, tmp_path / "lender")
    with pytest.raises(ValueError, match="is a Vision Transformer; Stage I matches"):
        load_teacher(taught_by(str(transformer.path)), 1)
    plain = override(tiny_recipe, "pretrain.teacher=face")
    with pytest.raises(ValueError, match=r"has a VisionTransformer\. Give --preset cpu"):
        plan_run(plain, data=data, unlabeled=[], where=HERE)
