"""Share of a training step that goes into its batch: drawing rows, gathering pixels, augmenting.

The faces are random pixels in memory, as they are after a run has read its data. Each stage's whole step
and its data path alone are timed in turn; medians are printed.

    python benchmarks/data_path.py --threads 2
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from rich.table import Table

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.facemix import FineTuneTask, with_fallback
from halfsmile.methods.pretrain.mae import MaeTask
from halfsmile.methods.pretrain.masked_conv import build_autoencoder
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.recipes import recipe_named
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.batches import ImagePool
from halfsmile.training.environment import reuse_freed_memory
from halfsmile.training.optim import make_optimizer
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        threads: Processor cores to use.
        rounds: Alternations; the median counts.
        faces: Faces in memory.
    """

    threads: int = 2
    rounds: int = 9
    faces: int = 20_000


def median_seconds(*actions: Callable[[int], object], rounds: int) -> list[float]:
    times: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for action, kept in zip(actions, times, strict=True):
            start = time.perf_counter()
            action(number)
            kept.append(time.perf_counter() - start)
    return [statistics.median(kept[1:]) for kept in times]


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    reuse_freed_memory()
    recipe = recipe_named("ssfer", "cpu", data_set="ferplus")
    pretrain, finetune = recipe.pretrain, recipe.finetune
    if pretrain is None:
        raise ValueError("The recipe has no Stage I to measure.")
    size, channels = recipe.encoder.image_size, recipe.encoder.channels
    shape = (options.faces, size, size, channels)
    pool = ImagePool([np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)])
    generator = torch.Generator().manual_seed(0)
    autoencoder = build_autoencoder(
        build_encoder(recipe.encoder),
        decoder_width=pretrain.decoder_width,
        decoder_depth=pretrain.decoder_depth,
        decoder_heads=pretrain.decoder_heads,
        normalize_target=pretrain.normalize_target,
    )
    mae = MaeTask(autoencoder, augment=pretrain.augment, mask_ratio=pretrain.mask_ratio)
    encoder = build_encoder(recipe.encoder, drop_path=finetune.drop_path)
    facemix = FineTuneTask(
        Classifier(encoder, taxonomy=FERPLUS, standardize=recipe.standardize),
        augment=finetune.augment,
        ema_decay=finetune.ema_decay,
    )
    plain = FineTuneTask(
        Classifier(encoder, taxonomy=FERPLUS, standardize=recipe.standardize),
        augment=finetune.augment,
        mixing="none",
        ema_decay=0.995,
    )
    targets = torch.eye(8)[torch.arange(finetune.batch_size) % 8]

    table = Table("step", "whole ms", "data path ms", "share %", "images/s")
    rows: list[tuple[str, Task, int]] = [
        ("masked autoencoder", mae, pretrain.batch_size),
        ("FaceMix", facemix, finetune.batch_size),
        ("plain fine-tuning", plain, finetune.batch_size),
    ]
    for name, task, batch_size in rows:
        sampler = ShuffledSampler(len(pool), batch_size=batch_size, seed=0)
        optimizer = make_optimizer(task.train().model, finetune.optim)
        boxes = with_fallback(None, batch=batch_size, size=size, device=torch.device("cpu"))
        labeled = None if task is mae else targets

        def whole(
            step: int,
            task: Task = task,
            sampler: ShuffledSampler = sampler,
            optimizer: torch.optim.Optimizer = optimizer,
            labeled: torch.Tensor | None = labeled,
        ) -> None:
            loss, _ = task(Batch(images=pool(sampler(step)), targets=labeled), generator)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            task.after_update()

        def data(step: int, sampler: ShuffledSampler = sampler, boxes: torch.Tensor = boxes) -> torch.Tensor:
            return finetune.augment(pool(sampler(step)), boxes=boxes, generator=generator).images

        step_seconds, data_seconds = median_seconds(whole, data, rounds=options.rounds)
        table.add_row(
            name,
            f"{1e3 * step_seconds:.1f}",
            f"{1e3 * data_seconds:.1f}",
            f"{100 * data_seconds / step_seconds:.1f}",
            f"{batch_size / step_seconds:.0f}",
        )
    make_console().print(table)


if __name__ == "__main__":
    main()
