"""Training of a network over frames: windows of the features that a frozen classifier gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch

from halfsmile.data.windows import PADDING, WindowSampler
from halfsmile.evaluation.frames import FrameTable
from halfsmile.methods.temporal import TemporalTask, WindowBatch, balanced_weights
from halfsmile.models.precision import Precision
from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalNetwork
from halfsmile.models.temporal.file import save_network
from halfsmile.recipes.config import TemporalStageConfig
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import LoopConfig, train


def window_batches(table: FrameTable, sampler: WindowSampler) -> Callable[[int], WindowBatch]:
    """Batches of windows, a pure function of the step."""

    def batch(step: int) -> WindowBatch:
        windows = sampler(step)
        padding = windows.rows == PADDING
        present = np.where(padding, False, table.present[windows.rows])
        features = np.where(present[..., None], table.features[windows.rows], np.float32(0))
        return WindowBatch(
            images=torch.from_numpy(features),
            times=torch.from_numpy(windows.times),
            present=torch.from_numpy(present),
            labels=torch.from_numpy(np.where(padding, -1, table.labels[windows.rows])),
        )

    return batch


def train_temporal(
    config: TemporalStageConfig,
    table: FrameTable,
    taxonomy: Taxonomy,
    folder: Path,
    *,
    where: Processes,
    seed: int = 0,
    precision: Precision = "float32",
    evaluate: Callable[[TemporalNetwork], dict[str, float]] | None = None,
    title: str = "temporal",
) -> TemporalNetwork:
    """Train a network over frames, resuming from its newest checkpoint.

    Args:
        config: Hyper-parameters.
        table: Training frames.
        taxonomy: Classes.
        folder: Stage folder; gets ``metrics.jsonl``, ``checkpoint/`` and the
            network (see models/temporal/file).
        where: This process.
        seed: Of weights, windows and everything random.
        precision: Number format.
        evaluate: Called on the averaged network now and then; its numbers are logged and select nothing.
        title: Shown with the progress.

    Returns:
        The averaged network, or the trained one where no average is kept.

    Raises:
        ValueError: If no training frame has both a face and a label.
    """
    rows = np.concatenate([np.zeros(0, np.int64), *(track.rows for track in table.tracks)])
    seen = rows[table.present[rows]]
    labels = torch.from_numpy(table.labels[seen])
    if not (labels >= 0).any():
        raise ValueError(
            f"None of the {len(rows)} training frames has both a face and a label: Stage IV can't learn."
        )
    classes = len(taxonomy)
    torch.manual_seed(seed)
    model = make_network(config.network, features=table.features.shape[1], classes=classes)
    model.standardize_as(torch.from_numpy(table.features[seen]))
    weights = balanced_weights(labels, classes) if config.balance else None
    task = TemporalTask(
        model,
        smoothing=config.smoothing,
        class_weights=weights,
        hide=config.hide,
        noise=config.noise,
        ema_decay=config.ema_decay,
    )
    sampler = WindowSampler(
        table.tracks,
        window=config.network.window,
        hop=min(config.hop, config.network.window),
        batch_size=config.batch_size,
        seed=seed,
        rank=where.rank,
        world_size=where.world_size,
    )
    loop = LoopConfig(
        steps=config.steps,
        batch_size=config.batch_size,
        epoch_steps=len(sampler) / config.batch_size,
        optim=config.optim,
        seed=seed,
        precision=precision,
        evaluations=4,
    )
    watch = None if evaluate is None else (lambda _: evaluate(cast(TemporalNetwork, task.averaged)))
    train(task, window_batches(table, sampler), loop, folder, where=where, evaluate=watch, title=title)
    network = cast(TemporalNetwork, task.averaged)
    if where.is_main:
        save_network(folder, network, taxonomy)
    where.barrier()
    return network
