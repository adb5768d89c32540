"""Stage IV on the test videos, next to the single-frame classifier and its best smoothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.data.frames import Frames, load_frames
from halfsmile.data.images import DecodedFaces
from halfsmile.data.readers.sequences import Sequences
from halfsmile.evaluation.frames import FrameTable, frame_features, predict_frames
from halfsmile.models.classifier import Classifier
from halfsmile.models.temporal.file import load_network
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.frame_predictions import FramePredictions, write_frame_predictions
from halfsmile.sequences.smoothing import Smoothing
from halfsmile.taxonomy import Taxonomy

Floats = npt.NDArray[np.float32]


def predict_videos(
    folder: RunFolder,
    model: Classifier,
    frames: Frames,
    per_frame: Floats,
    taxonomy: Taxonomy,
    *,
    device: torch.device,
) -> tuple[Floats, dict[str, Any]]:
    """What Stage IV says of the test videos; ``temporal/frames.parquet`` gets it frame by frame.

    Args:
        folder: The run; its Stage IV is finished.
        model: The classifier whose features Stage IV was trained on.
        frames: Test videos with their labels.
        per_frame: Probabilities of the M readable frames by that classifier.
        taxonomy: Classes.
        device: Where to compute features.

    Returns:
        Probabilities (N, classes) of all frames, NaN for frames in no track; and for ``metrics.json`` the
        smoothing and the scores of each method, null where undefined.

    Raises:
        ValueError: If the network is damaged or has other classes.
    """
    network, known = load_network(folder.stage("temporal"))
    known.require_same(taxonomy)
    smoothing = Smoothing(**folder.result("temporal")["smoothing"])
    features = frame_features(model, frames.faces.images, device=device)
    table = FrameTable(frames.spread(features), frames.present, frames.labels, frames.tracks)
    temporal = predict_frames(network.eval(), table)
    single = frames.spread(per_frame)
    smoothed = np.full_like(single, np.nan)
    for track in frames.tracks:
        smoothed[track.rows] = smoothing.apply(single[track.rows], track.times)
    rows = np.concatenate([track.rows for track in frames.tracks])
    manifest = frames.rows.manifest.take(rows)
    found = FramePredictions(
        tuple(manifest.column("image")),
        tuple(manifest.column("video")),
        tuple(manifest.column("person")),
        np.concatenate([track.times for track in frames.tracks]),
        frames.labels[rows],
        frames.rows.spoiled[rows],
        frames.present[rows],
        {"per_frame": single[rows], "smoothed": smoothed[rows], "temporal": temporal[rows]},
        taxonomy,
    )
    write_frame_predictions(folder.stage("temporal") / "frames.parquet", found)
    scores = {
        method: {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in metrics.to_dict().items()
        }
        for method, metrics in found.scores().items()
    }
    return temporal, {"smoothing": {"kind": smoothing.kind, "width": smoothing.width}, **scores}


def frames_to_test(recipe: Recipe, rows: Sequences, *, cache: Path) -> Frames:
    """All frames of the test videos, with their labels."""
    chosen = rows.split(*recipe.resolved_protocol.test_splits)
    size, channels = recipe.encoder.image_size, recipe.encoder.channels
    labels = chosen.manifest.class_indices()
    return load_frames(chosen, labels, size=size, channels=channels, cache=cache)


def scored_faces(frames: Frames) -> tuple[DecodedFaces, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The readable frames that have a label and a place in a track.

    Returns:
        The faces, and their numbers among the M readable frames and among all N.
    """
    tracked = np.zeros(len(frames), np.bool_)
    tracked[np.concatenate([track.rows for track in frames.tracks])] = True
    scored = frames.present & tracked & (frames.labels >= 0)
    among_readable = np.flatnonzero(scored[frames.present])
    faces = frames.faces
    chosen = DecodedFaces(
        faces.images[among_readable],
        faces.boxes[among_readable],
        faces.landmarks[among_readable],
        faces.manifest.take(among_readable),
        faces.bad,
    )
    return chosen, among_readable, np.flatnonzero(scored)
