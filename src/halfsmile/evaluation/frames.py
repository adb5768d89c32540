"""Frames of videos as features: a classifier gives them, a network over frames reads them.

The per-frame network is frozen: its features are computed once and kept in a :class:`FrameTable`, and the
network over frames never sees a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.data.windows import FrameTrack
from halfsmile.evaluation.inference import run_on_faces
from halfsmile.models.classifier import Classifier
from halfsmile.models.temporal.encoder import TemporalNetwork
from halfsmile.sequences.windowed import FrameFeatures, frame_logits


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Frames with their features, and the tracks that they belong to.

    Args:
        features: (N, F) float32; rows without a face are not used.
        present: (N,) bool, False where there is no face or its picture could not be read.
        labels: (N,) int64 class indices, −1 without a label.
        tracks: Frames of one person in one video, in order, as rows of the above.

    Raises:
        ValueError: If the lengths differ, no frame has a face, or a feature of a face is not finite.
    """

    features: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    tracks: list[FrameTrack]

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
    found = run_on_faces(model.features, images, device=device, batch_size=batch_size)
    return np.asarray(found.float().cpu().numpy(), np.float32)


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
