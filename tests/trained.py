"""Fixtures that train: they need torch, so they are loaded only where it is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import ssfer, supervised
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training.distributed import Processes
from halfsmile.training.run import train_run

torch.set_num_threads(
    1
)  # the order of sums depends on the number of threads; bits are compared across processes

TINY_ENCODER = VitConfig(
    image_size=32,
    patch_size=8,
    channels=1,
    width=32,
    depth=2,
    heads=2,
    stem=(8, 16),
    pooling="average",
    mean=(0.5,),
    std=(0.25,),
)


@pytest.fixture
def tiny_recipe() -> Recipe:
    """The published stages of SSFER on a network that trains in seconds."""
    recipe = replace(ssfer(), protocol=PROTOCOLS["faces"], tune=None)
    assert recipe.pretrain is not None
    assert recipe.semi is not None
    encoder = TINY_ENCODER
    pretrain = replace(recipe.pretrain, epochs=1, batch_size=32, decoder_width=32, decoder_heads=2)
    finetune = replace(recipe.finetune, epochs=2, batch_size=16, mixing="facemix", sampling="natural")
    semi = replace(recipe.semi, epochs=1, labeled_batch=8, unlabeled_batch=16, sampling="natural")
    return replace(
        recipe, labels="25%", held_out=0.2, encoder=encoder, pretrain=pretrain, finetune=finetune, semi=semi
    )


TINY_RESNET = ResNetConfig(image_size=32, widths=(8, 12, 16, 24), depths=(1, 1, 2, 1))


@pytest.fixture(scope="session")
def trained(generated_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of a small residual network on generated faces, a quarter of them held out; don't write to it."""
    recipe = supervised()
    optim = replace(recipe.finetune.optim, learning_rate=3e-3)
    finetune = replace(
        recipe.finetune,
        epochs=16,
        batch_size=16,
        mixing="none",
        sampling="natural",
        drop_path=0.0,
        ema_decay=None,
        optim=optim,
    )
    return train_run(
        replace(recipe, labels="50%", held_out=0.5, encoder=TINY_RESNET, finetune=finetune),
        data=generated_data / "labeled",
        unlabeled=[],
        out=tmp_path_factory.mktemp("trained") / "run",
        where=Processes(0, 1, torch.device("cpu")),
    )
