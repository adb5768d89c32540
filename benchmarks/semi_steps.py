"""Cost of semi-supervised steps as multiples of the plain pseudo-label step.

The steps of several methods in the recipe's network, from uint8 faces to updated weights, and the drawing of
their labeled rows by the balanced sampler, all in turn in one process. Rows of FERPlus at 5 % labels.

    python benchmarks/semi_steps.py --threads 2
    python benchmarks/semi_steps.py --methods fixmatch feedback debias
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import tyro
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from halfsmile.data.samplers import BalancedSampler, ShuffledSampler
from halfsmile.methods.family import method_named
from halfsmile.methods.feedback.debiased import Feedback
from halfsmile.methods.semi import Method
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.recipes import recipe_named
from halfsmile.recipes.config import Preset, Recipe, SemiConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.environment import reuse_freed_memory
from halfsmile.training.optim import make_optimizer
from halfsmile.utils.console import make_console

LABELED_ROWS, UNLABELED_ROWS = 1419, 26_970
CLASS_SHARES = (0.35, 0.26, 0.13, 0.12, 0.09, 0.02, 0.02, 0.01)

Step = Callable[[], None]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        recipe: Name of the recipe whose network and Stage III are used.
        preset: Its preset.
        methods: Names of the methods; the first one is the unit. ``feedback-per-sample`` is an option of
            feedback.
        threads: Processor cores to use.
        rounds: Alternations; the median counts.
        steps: Steps of one method in an alternation.
        clock: ``wall``, or on a shared machine ``processor``, the time that this process computed.
    """

    recipe: str = "fixmatch"
    preset: Preset = "cpu"
    methods: tuple[str, ...] = ("fixmatch", "feedback", "feedback-per-sample")
    threads: int = 2
    rounds: int = 7
    steps: int = 3
    clock: Literal["wall", "processor"] = "wall"


def method_of(name: str) -> Method:
    """A method by its name here."""
    return Feedback(per_sample=True) if name == "feedback-per-sample" else method_named(name)


def training_step(task: Task, optim: OptimConfig, batch: Batch) -> Step:
    """One step as the training loop does it, all phases."""
    task.train()
    optimizer = make_optimizer(task, optim)
    parameters = [p for p in task.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        for phase in range(len(task.phases)):
            loss, _ = task(batch, generator, phase)
            loss.backward()
            if optim.clip is not None:
                nn.utils.clip_grad_norm_(parameters, optim.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        task.after_update()

    return step


def semi_step(recipe: Recipe, config: SemiConfig, name: str) -> Step:
    """A method's step on random pictures."""
    torch.manual_seed(0)
    encoder = build_encoder(recipe.encoder, drop_path=config.drop_path)
    model = Classifier(encoder, taxonomy=FERPLUS, standardize=recipe.standardize, dropout=config.dropout)
    task = method_of(name).task(
        model,
        weak=config.weak,
        strong=config.strong,
        weight=config.weight,
        smoothing=config.smoothing,
        ema_decay=config.ema_decay,
    )
    side, channels = recipe.encoder.image_size, recipe.encoder.channels
    images, unlabeled = (
        torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8)
        for count in (config.labeled_batch, config.unlabeled_batch)
    )
    classes = torch.arange(config.labeled_batch) % len(FERPLUS)
    targets = F.one_hot(classes, len(FERPLUS)).float()
    return training_step(task, config.optim, Batch(images=images, targets=targets, unlabeled=unlabeled))


def draws(config: SemiConfig) -> Step:
    """What a step asks of the samplers: labeled rows by class, unlabeled ones in turn."""
    classes = np.random.default_rng(0).choice(len(CLASS_SHARES), size=LABELED_ROWS, p=CLASS_SHARES)
    labeled = BalancedSampler(classes, strategy="balanced", batch_size=config.labeled_batch, seed=0)
    unlabeled = ShuffledSampler(UNLABELED_ROWS, batch_size=config.unlabeled_batch, seed=0)
    number = 0

    def step() -> None:
        nonlocal number
        labeled(number)
        unlabeled(number)
        number += 1

    return step


def seconds(step: Step, steps: int, clock: Callable[[], float]) -> float:
    """Time of a step after one that is not counted."""
    step()
    start = clock()
    for _ in range(steps):
        step()
    return (clock() - start) / steps


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    reuse_freed_memory()
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    recipe = recipe_named(options.recipe, options.preset)
    config = recipe.semi
    if config is None:
        raise ValueError(f"Recipe {recipe.name} has no Stage III to measure.")
    sides = {name: semi_step(recipe, config, name) for name in options.methods}
    sampler = draws(config)
    times: dict[str, list[float]] = {name: [] for name in (*sides, "sampler")}
    for _ in range(options.rounds):
        for name, step in sides.items():
            times[name].append(seconds(step, options.steps, clock))
        times["sampler"].append(seconds(sampler, 100 * options.steps, clock))
    unit = times[options.methods[0]]
    table = Table(
        title=f"Stage III steps, {options.preset} preset, {config.labeled_batch} + {config.unlabeled_batch} "
        f"faces, {options.threads} threads, float32, {options.clock} clock"
    )
    for column in ("step", "milliseconds", f"ratio to {options.methods[0]}", "range"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for name, found in times.items():
        ratios = sorted(b / a for a, b in zip(unit, found, strict=True))
        digits = 2 if name in sides else 5
        table.add_row(
            name,
            f"{1000 * statistics.median(found):.{digits}f}",
            f"{statistics.median(ratios):.{digits}f}",
            f"{ratios[0]:.{digits}f} to {ratios[-1]:.{digits}f}",
        )
    make_console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
