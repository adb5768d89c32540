"""Stage IV: the features of frames → windows → a network over frames → probabilities of whole videos.

The per-frame network is frozen: its features are computed once and kept in a :class:`FrameTable`, and the
network over frames never sees a pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.data.windows import PADDING, Track, WindowSampler
from halfsmile.methods.temporal import TemporalTask, WindowBatch, balanced_weights
from halfsmile.models.classifier import Classifier
from halfsmile.models.precision import Precision
from halfsmile.models.temporal import TemporalNetwork
from halfsmile.models.temporal_convolution import make_network
from halfsmile.models.temporal_file import save_network
from halfsmile.recipes.config import TemporalStageConfig
from halfsmile.sequences.windowed import FrameFeatures, frame_logits
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import LoopConfig, train
from halfsmile.transforms.pixels import to_tensor


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Frames with their features, and the tracks that they belong to.

    Args:
        features: (N, F) float32; rows without a face are not looked at.
        present: (N,) bool, False where there is no face or its picture could not be read.
        labels: (N,) int64 class indices, −1 without a label.
        tracks: Frames of one person in one video, in order, as rows of the above.

    Raises:
        ValueError: If the lengths differ, no frame has a face, or a feature of a face is not finite.
    """

    features: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    tracks: list[Track]

    def __post_init__(self) -> None:
        rows = len(self.features)
        if self.features.ndim != 2 or self.present.shape != (rows,) or self.labels.shape != (rows,):
            raise ValueError(
                f"Expected features (N, F) and presence and labels of N frames, found "
                f"{self.features.shape}, {self.present.shape} and {self.labels.shape}."
            )
        if not self.present.any():
            raise ValueError(f"None of the {rows} frames has a face; there is nothing to learn or predict.")
        bad = self.present & ~np.isfinite(self.features).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{int(bad.sum())} frames have features that are not finite, first row "
                f"{np.flatnonzero(bad)[0]}. Mark them as not present, or compute them again."
            )


@torch.inference_mode()
def frame_features(
    model: Classifier, images: npt.NDArray[np.uint8], *, device: torch.device, batch_size: int = 256
) -> npt.NDArray[np.float32]:
    """Features of faces as they enter the classifier's head.

    Args:
        model: Used in evaluation mode.
        images: (N, S, S, C) uint8.
        device: Where to compute.
        batch_size: Faces at a time.

    Returns:
        (N, F).
    """
    model.to(device).eval()
    parts = [
        model.feature_norm(model.encoder(to_tensor(images[i : i + batch_size]).to(device).float() / 255))
        for i in range(0, len(images), batch_size)
    ]
    return np.asarray(torch.cat(parts).float().cpu().numpy(), np.float32)


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
    """Train a network over frames, going on from its newest checkpoint.

    Args:
        config: Hyper-parameters.
        table: Training frames.
        taxonomy: Classes.
        folder: Stage folder; gets ``metrics.jsonl``, ``checkpoint/`` and the
            network (see models/temporal_file).
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


def predict_frames(model: TemporalNetwork, table: FrameTable) -> npt.NDArray[np.float32]:
    """Probabilities of every frame of every track, tracks as a whole, frames without a face included.

    Returns:
        (N, classes), rows sum to 1; NaN for frames that belong to no track.
    """
    probabilities = np.full((len(table.features), model.classes), np.nan, np.float32)
    for track in table.tracks:
        frames = (
            FrameFeatures(time, table.features[row] if table.present[row] else None)
            for row, time in zip(track.rows.tolist(), track.times.tolist(), strict=True)
        )
        logits = torch.from_numpy(np.stack(list(frame_logits(model, frames))))
        probabilities[track.rows] = logits.softmax(dim=1).numpy()
    return probabilities
