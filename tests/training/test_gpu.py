"""Training on a GPU: in half precision, by DDP on one device, and exact enough after a stop."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.stopping import stopped_at

from halfsmile.models.resnet import ResNetConfig
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training.distributed import processes
from halfsmile.training.run import train_run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    encoder = ResNetConfig(image_size=32, widths=(8, 12, 16), depths=(1, 1, 1))
    return replace(tiny_recipe, encoder=encoder, pretrain=None)


def run(recipe: Recipe, data: Path, out: Path) -> RunFolder:
    with processes("cuda") as where:
        return train_run(
            recipe, data=data / "labeled", unlabeled=[data / "unlabeled.zip"], out=out, where=where
        )


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.stage("semi") / "model.safetensors")


def test_it_trains_in_half_precision(recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    folder = run(recipe, generated_data, tmp_path / "run")
    assert folder.result("semi")["precision"] == "bfloat16"
    assert all(value.isfinite().all() for value in weights(folder).values() if value.is_floating_point())
    losses = [line["loss"] for line in folder.records("semi").lines if "loss" in line]
    assert losses
    assert all(math.isfinite(loss) for loss in losses)


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = run(recipe, generated_data, tmp_path / "unbroken")

    with stopped_at(4, monkeypatch):
        run(recipe, generated_data, tmp_path / "broken")
    broken = run(recipe, generated_data, tmp_path / "broken")
    first, second = weights(unbroken), weights(broken)
    for name, value in first.items():
        torch.testing.assert_close(second[name].float(), value.float(), atol=2e-2, rtol=2e-2)


def test_one_process_of_ddp_is_no_process(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run(recipe, generated_data, tmp_path / "alone")
    with monkeypatch.context() as patch:
        for variable, text in (("RANK", "0"), ("LOCAL_RANK", "0"), ("MASTER_ADDR", "127.0.0.1")):
            patch.setenv(variable, text)
        patch.setenv("MASTER_PORT", str(29500 + os.getpid() % 1000))
        torch.cuda.set_device(0)
        torch.distributed.init_process_group("nccl", rank=0, world_size=1)
        try:
            grouped = run(recipe, generated_data, tmp_path / "grouped")
        finally:
            torch.distributed.destroy_process_group()
    first, second = weights(alone), weights(grouped)
    for key, value in first.items():
        torch.testing.assert_close(second[key].float(), value.float(), atol=2e-2, rtol=2e-2)
