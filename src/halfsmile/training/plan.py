"""What a training would do: resolved recipe, what the data hold, steps and estimated time of each stage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from halfsmile.data.copies import look_for_test_faces
from halfsmile.data.protocols.published import published
from halfsmile.data.sets import DataSets, read_data
from halfsmile.data.split import LabelBudget
from halfsmile.methods.task import Batch, Task
from halfsmile.methods.temporal import TemporalTask, WindowBatch
from halfsmile.models.classifier import Classifier
from halfsmile.models.precision import Precision, choose_precision
from halfsmile.models.temporal.convolution import make_network
from halfsmile.recipes.config import FineTuneConfig, Recipe, TemporalStageConfig, TuneConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.recipes.overrides import field_values
from halfsmile.runs.stages import LAST_STAGE, StageName, stages_until
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.batches import shrink
from halfsmile.training.data import Unused, divide, draw_budget, unlabeled_parts, unused_faces
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import split_batch
from halfsmile.training.optim import make_optimizer
from halfsmile.training.tasks import (
    finetune_task,
    new_classifier,
    pretrain_task,
    semi_task,
    tune_task,
)
from halfsmile.training.teaching.features import load_teacher, teacher_shape
from halfsmile.training.teaching.known_labels import notes_on_known_labels
from halfsmile.utils.console import plain

SECONDS = 1.0
"""Time that the steps of a stage are measured for."""
LOOKING = 10.0
"""Seconds that are spent at most on reading pictures, to tell of test faces among those that train."""


@dataclass(frozen=True)
class StagePlan:
    """One stage of a run.

    Args:
        name: Of the stage.
        rows: Faces (or, of Stage IV, frames) that an epoch passes over.
        epochs: Passes over them.
        batch_size: Faces (windows) of a step, over all processes.
        steps: Steps of the stage.
        seconds_per_step: As measured here, on random pixels.
    """

    name: StageName
    rows: int
    epochs: float
    batch_size: int
    steps: int
    seconds_per_step: float

    @property
    def minutes(self) -> float:
        """Estimated time of all steps."""
        return self.steps * self.seconds_per_step / 60


@dataclass(frozen=True)
class Plan:
    """What a training would do.

    Args:
        recipe: Resolved.
        counts: Faces of each class by role: labeled, held out, test.
        unlabeled: Training faces whose label may not be used, and that a stage learns from.
        extra: Unlabeled faces by source, where a stage learns from them.
        unused: Unlabeled faces that no stage learns from.
        pseudo: Pseudo-labeled faces by source; copies of test and labeled faces will be left out.
        notes: What the readers said.
        stages: In the order in which they run.
        precision: Number format that the steps were measured in.
    """

    recipe: Recipe
    counts: dict[str, dict[str, int]]
    unlabeled: int
    extra: dict[str, int]
    unused: Unused
    pseudo: dict[str, int]
    notes: tuple[str, ...]
    stages: tuple[StagePlan, ...]
    precision: Precision

    def show(self, console: Console) -> None:
        """Print it."""
        protocol = self.recipe.resolved_protocol
        console.print(f"{self.recipe.name}, preset {self.recipe.preset}", style="bold")
        console.print(protocol.describe(), soft_wrap=True)
        for number in published(protocol, self.recipe.labels):
            console.print(
                f"published with {self.recipe.labels} of the labels: {number.method} {number.value:.2f} % "
                f"({number.source})",
                soft_wrap=True,
            )
        console.print(_count_table(self.counts))
        learned = [] if self.unused.own else [f"{self.unlabeled:,} more training faces without their labels"]
        if self.extra or not (self.unused.own or self.unused.extra):
            others = ", ".join(f"{count:,} of {source}" for source, count in self.extra.items())
            learned.append(f"from other sources: {others or 'none'}")
        if learned:
            console.print("; ".join(learned), soft_wrap=True)
        if said := self.unused.describe(self.recipe):
            console.print(said, soft_wrap=True)
        for source, count in self.pseudo.items():
            console.print(
                f"{count:,} pseudo-labeled faces of {source}, less those that are copies of test, held-out "
                "or labeled faces",
                soft_wrap=True,
            )
        for note in self.notes:
            console.print(f"note: {note}", soft_wrap=True)
        table = Table("stage", *(name for name in ("rows", "epochs", "batch", "steps", "s/step", "minutes")))
        for stage in self.stages:
            cells = (f"{stage.rows:,}", f"{stage.epochs:g}", str(stage.batch_size), f"{stage.steps:,}")
            times = (f"{stage.seconds_per_step:.3f}", f"{stage.minutes:.1f}")
            table.add_row(*plain((stage.name, *cells, *times)))
        total = sum(stage.minutes for stage in self.stages)
        table.add_row(
            *plain(("all", "", "", "", f"{sum(s.steps for s in self.stages):,}", "", f"{total:.1f}"))
        )
        console.print(table)
        console.print(
            f"Times are of training steps in {self.precision}, measured for {SECONDS:g} s a stage on this "
            "machine; reading, evaluating and saving come on top.",
            soft_wrap=True,
        )
        console.print("Fields of the recipe, each of which --set can replace:", style="bold")
        for name, value in field_values(self.recipe):
            console.print(f"  {name}={value}", soft_wrap=True)


def _count_table(counts: dict[str, dict[str, int]]) -> Table:
    table = Table("class", *counts)
    for label in next(iter(counts.values())):
        table.add_row(*plain((label, *(f"{of_class[label]:,}" for of_class in counts.values()))))
    table.add_row(
        *plain(("all", *(f"{sum(of_class.values()):,}" for of_class in counts.values()))), style="bold"
    )
    return table


def plan_run(
    recipe: Recipe,
    *,
    data: Path,
    unlabeled: Sequence[Path],
    where: Processes,
    budget: LabelBudget | None = None,
    pseudo_labels: Sequence[Path] = (),
) -> Plan:
    """Read the lists of the data, draw the label budget, and time a few steps of each stage.

    Pictures are read for some seconds at most, to tell of test faces among those that train; nothing is
    written.

    Args:
        recipe: Resolved, see :func:`~halfsmile.recipes.resolve.resolve`.
        data: Labeled data set.
        unlabeled: Folders, archives or stores of unlabeled faces.
        where: This process.
        budget: Which labels may be used; drawn by the recipe if None.
        pseudo_labels: Tables of ``halfsmile pseudo-label``, or labeled lists.

    Raises:
        ValueError: If the data don't fit the recipe.
    """
    sets = read_data(recipe.resolved_protocol, data, unlabeled, seed=recipe.seed, pseudo_labels=pseudo_labels)
    budget = draw_budget(recipe, sets, budget)
    known = notes_on_known_labels(recipe, stages_until(LAST_STAGE), budget, sets.taxonomy)
    roles, _ = divide(recipe, sets, budget)
    unused = unused_faces(recipe, sets, len(roles["unlabeled"]))
    others = {source: manifest for source, manifest in sets.extra.items() if source not in unused.extra}
    extra = {source: len(manifest) for source, manifest in others.items()}
    copies = look_for_test_faces(
        [roles["labeled"], *([] if unused.own else [roles["unlabeled"]])],
        others,
        sets.test,
        size=recipe.encoder.image_size,
        channels=recipe.encoder.channels,
        seconds=LOOKING,
    )
    pseudo = {source: len(found.manifest) for source, found in sets.pseudo.items()}
    precision = choose_precision(where.device).precision
    clock = _Clock(recipe, sets.taxonomy, where, precision)
    own = len(roles["labeled"]) + len(roles["unlabeled"])
    stages = []
    if (config := recipe.pretrain) is not None:
        rows = own + sum(pseudo.values()) + sum(extra.values())
        batch, task = clock.faces(config.batch_size), None
        if config.teacher is not None:
            shape = teacher_shape(load_teacher(config, recipe.encoder.channels))
            task = pretrain_task(recipe, config, shape)
            batch = replace(batch, features=torch.randn(len(batch.images), shape.count))
        task = task or pretrain_task(recipe, config)
        seconds = clock.seconds(task, batch, config.optim, config.accumulate)
        stages.append(_stage("pretrain", rows, config.epochs, config.batch_size, seconds))
    labeled = len(roles["labeled"]) + sum(pseudo.values())
    stages.append(_supervised("finetune", recipe.finetune, labeled, clock))
    if (semi := recipe.semi) is not None:
        left = len(roles["unlabeled"])
        rows = sum(unlabeled_parts(recipe, "semi", [left] if left else [], list(extra.values())))
        batch = clock.faces(semi.labeled_batch, semi.unlabeled_batch)
        model = clock.classifier(semi.drop_path, semi.dropout)
        seconds = clock.seconds(semi_task(semi, model), batch, semi.optim, semi.accumulate)
        stages.append(_stage("semi", rows, semi.epochs, semi.unlabeled_batch, seconds))
    if (tune := recipe.tune) is not None:
        if tune.named.batch_size:
            left = len(roles["unlabeled"])
            unlabeled_parts(recipe, "tune", [left] if left else [], list(extra.values()))
        stages.append(_supervised("tune", tune, labeled, clock))
    if recipe.temporal is not None:
        stages.append(_temporal(recipe.temporal, sets, clock))
    return Plan(
        recipe=recipe,
        counts={
            "labeled": roles["labeled"].counts(),
            "held out": roles["held_out"].counts(),
            "test": sets.test.counts(),
        },
        unlabeled=len(roles["unlabeled"]) - unused.own,
        extra=extra,
        unused=unused,
        pseudo=pseudo,
        notes=(
            *sets.train.notes,
            *(note for manifest in sets.extra.values() for note in manifest.notes),
            *(note for found in sets.pseudo.values() for note in found.manifest.notes),
            *known,
            *copies,
        ),
        stages=tuple(stages),
        precision=precision,
    )


def _stage(name: StageName, rows: int, epochs: float, batch_size: int, seconds: float) -> StagePlan:
    return StagePlan(name, rows, epochs, batch_size, max(1, round(epochs * rows / batch_size)), seconds)


def _supervised(name: StageName, config: FineTuneConfig, rows: int, clock: _Clock) -> StagePlan:
    model = clock.classifier(config.drop_path, config.dropout)
    if isinstance(config, TuneConfig):
        task, batch = tune_task(config, model), clock.faces(config.batch_size, config.named.batch_size)
    else:
        task, batch = finetune_task(config, model), clock.faces(config.batch_size)
    seconds = clock.seconds(task, batch, config.optim, config.accumulate)
    if config.small_side is not None:
        small = clock.seconds(task, shrink(batch, config.small_side), config.optim, config.accumulate)
        seconds = config.small_share * small + (1 - config.small_share) * seconds
    return _stage(name, rows, config.passes(rows), config.batch_size, seconds)


def _temporal(config: TemporalStageConfig, sets: DataSets, clock: _Clock) -> StagePlan:
    window, features = config.network.window, clock.recipe.encoder.width
    model = make_network(config.network, features=features, classes=len(sets.taxonomy))
    shape = (config.batch_size, window)
    batch = WindowBatch(
        images=torch.randn(*shape, features),
        times=torch.arange(window, dtype=torch.float64).expand(shape).clone(),
        present=torch.ones(shape, dtype=torch.bool),
        labels=torch.zeros(shape, dtype=torch.int64),
    )
    task = TemporalTask(model, smoothing=config.smoothing, hide=config.hide, noise=config.noise)
    seconds = clock.seconds(task, batch, config.optim, 1)
    rows = len(sets.train)
    epochs = config.steps * config.batch_size * config.hop / max(1, rows)
    return StagePlan("temporal", rows, round(epochs, 1), config.batch_size, config.steps, seconds)


class _Clock:
    """Times steps as the loop makes them, on random pixels."""

    def __init__(self, recipe: Recipe, taxonomy: Taxonomy, where: Processes, precision: Precision) -> None:
        self.recipe, self.taxonomy, self.where, self.precision = recipe, taxonomy, where, precision

    def classifier(self, drop_path: float, dropout: float) -> Classifier:
        """A new classifier."""
        return new_classifier(self.recipe, self.taxonomy, drop_path=drop_path, dropout=dropout)

    def faces(self, labeled: int, unlabeled: int = 0) -> Batch:
        """The part of a batch that this process sees."""
        encoder, share = self.recipe.encoder, self.where.world_size

        def pixels(count: int) -> torch.Tensor:
            shape = (max(1, count // share), encoder.channels, encoder.image_size, encoder.image_size)
            return torch.randint(0, 256, shape, dtype=torch.uint8)

        def targets(count: int) -> torch.Tensor:
            return nn.functional.one_hot(
                torch.randint(len(self.taxonomy), (count,)), len(self.taxonomy)
            ).float()

        images, others = pixels(labeled), pixels(unlabeled) if unlabeled else None
        return Batch(
            images=images,
            targets=targets(len(images)),
            boxes=torch.full((len(images), 4), float("nan")),
            unlabeled=others,
            unlabeled_targets=None if others is None else targets(len(others)),
        )

    def seconds(self, task: Task, batch: Batch, optim: OptimConfig, parts: int) -> float:
        """Mean time of a step after a first one; each batch is computed in so many parts."""
        device = self.where.device
        task.to(device).to(memory_format=torch.channels_last).train()
        optimizer = make_optimizer(task, optim)
        generator = torch.Generator(device=device).manual_seed(0)
        batch = batch.to(device)

        chunks = list(split_batch(batch, parts))
        trained = [p for p in task.parameters() if p.requires_grad]

        def step() -> None:
            for phase in range(len(task.phases)):
                for chunk in chunks:
                    with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
                        loss, _ = task(chunk, generator, phase)
                    (loss / parts).backward()
                if optim.clip is not None:
                    nn.utils.clip_grad_norm_(trained, optim.clip)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            task.after_update()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elif device.type == "mps":
                torch.mps.synchronize()

        step()
        done, start = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - start < SECONDS:
            step()
            done += 1
        return (time.perf_counter() - start) / done
