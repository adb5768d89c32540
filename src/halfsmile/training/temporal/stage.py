"""Stage IV of a run: features of the last classifier, a network over frames, and the smoothing to beat."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.frames import Frames
from halfsmile.evaluation.frames import FrameTable, frame_features
from halfsmile.evaluation.inference import predict_probabilities
from halfsmile.evaluation.trained import load_classifier
from halfsmile.models.classifier import Classifier
from halfsmile.runs.stages import STAGE_BY_NAME
from halfsmile.sequences.smoothing import FrameProbabilities, Smoothing
from halfsmile.sequences.smoothing_choice import choose_smoothing
from halfsmile.training.environment import peak_memory
from halfsmile.training.temporal.features import train_temporal
from halfsmile.training.trainer import Trainer
from halfsmile.utils.files import atomic_write


def temporal(run: Trainer) -> None:
    """Stage IV: a network over the frozen features of the last classifier, from videos with labels.

    The classifier is frozen, so features are computed once and kept in ``features.npy``. Which smoothing of
    the single-frame predictions serves best is chosen on the same videos and kept with the result.
    """
    config, frames = run.recipe.temporal, run.faces.frames
    if config is None or frames is None:
        return
    folder, source = run.folder.stage("temporal"), run.folder.last_stage()
    model = load_classifier(run.folder, source).to(run.where.device)
    features = _features(run, model, frames, folder / "features.npy")
    table = FrameTable(frames.spread(features), frames.present, frames.labels, frames.tracks)
    network = train_temporal(
        config,
        table,
        run.faces.taxonomy,
        folder,
        where=run.where,
        seed=run.recipe.seed * 100 + STAGE_BY_NAME["temporal"].seed,
        precision=run.precision,
    )
    if run.where.is_main:
        records = run.folder.records("temporal")
        windows = config.steps * config.batch_size
        run.folder.mark_finished(
            "temporal",
            {
                "features_of": source,
                "smoothing": asdict(_best_smoothing(run, model, frames)),
                "seconds": records.seconds,
                "steps": config.steps,
                "epochs": round(records.epochs, 2),
                "images": windows * config.network.window,
                "precision": run.precision,
                "peak_memory_bytes": peak_memory(),
                "parameters": sum(p.numel() for p in network.parameters()),
            },
        )
    run.where.barrier()


def _features(run: Trainer, model: Classifier, frames: Frames, path: Path) -> npt.NDArray[np.float32]:
    """Features of the readable frames, from the file where there is one."""
    if run.where.is_main and not path.exists():
        found = frame_features(model, frames.faces.images, device=run.where.device)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, found)
    run.where.barrier()
    features: npt.NDArray[np.float32] = np.load(path)
    return features


def _best_smoothing(run: Trainer, model: Classifier, frames: Frames) -> Smoothing:
    """The smoothing of single-frame predictions with the best macro F1 on the videos of this stage."""
    found = predict_probabilities(model, frames.faces.images, device=run.where.device, flip=run.recipe.flip)
    spread, present = frames.spread(found), frames.present
    labels = np.where(present, frames.labels, -1)
    people = [str(number) for number in range(len(frames.tracks))]
    return choose_smoothing(
        [FrameProbabilities(spread[track.rows], track.times) for track in frames.tracks],
        [labels[track.rows] for track in frames.tracks],
        people,
        training_people=people,
    )
