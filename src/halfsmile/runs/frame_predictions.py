"""What a run said about every frame of its test videos, as a Parquet file.

Columns: ``image``, ``video``, ``person``, ``time`` (seconds), ``label`` (null in a transition), ``spoiled``,
``face`` (whether there was a readable picture), and for each of :data:`METHODS` a list<float32> of
probabilities, null where the method says nothing. Rows of one track, one person in one video, follow each
other in the order of time. The order of the probabilities is the JSON list ``halfsmile.labels`` in the file's
metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.runs.predictions import LABELS_KEY
from halfsmile.sequences.metrics import SequenceMetrics, SequenceTruth, evaluate_sequences
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import atomic_write

METHODS = ("per_frame", "smoothed", "temporal")
NEUTRAL = "neutral"


@dataclass(frozen=True, eq=False)
class FramePredictions:
    """Predictions for N frames, track by track.

    Args:
        images: Locators.
        videos: Video of each frame; None where unknown.
        people: Person of each frame; None where unknown.
        times: Seconds, rising within a track. Shape (N,).
        targets: Class indices, −1 without a label. Shape (N,).
        spoiled: True where a frame is known to be blurred, dark or covered. Shape (N,).
        faces: True where there was a readable picture. Shape (N,).
        probabilities: By method, (N, K); a row is a distribution or NaN.
        taxonomy: The K classes.
    """

    images: tuple[str, ...]
    videos: tuple[str | None, ...]
    people: tuple[str | None, ...]
    times: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64]
    spoiled: npt.NDArray[np.bool_]
    faces: npt.NDArray[np.bool_]
    probabilities: dict[str, npt.NDArray[np.float32]]
    taxonomy: Taxonomy

    def __len__(self) -> int:
        return len(self.images)

    def tracks(self) -> list[slice]:
        """The rows of each track."""
        keys = list(zip(self.videos, self.people, strict=True))
        starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
        return [slice(start, stop) for start, stop in pairwise([*starts, len(keys)])]

    def scores(self) -> dict[str, SequenceMetrics]:
        """Scores of each method, all on the same frames: those with a face and a label.

        Where a method says nothing, the frames around speak, so that frames before and after count as
        neighbors.

        Raises:
            ValueError: If no frame has both.
        """
        tracks = self.tracks()
        targets = np.where(self.faces, self.targets, -1)
        truth = [SequenceTruth(targets[rows], self.spoiled[rows]) for rows in tracks]
        has_neutral = NEUTRAL in self.taxonomy.labels
        neutral = NEUTRAL if has_neutral else self.taxonomy.labels[0]
        found = {}
        for method, probabilities in self.probabilities.items():
            filled = [fill(probabilities[rows], self.times[rows]) for rows in tracks]
            scores = evaluate_sequences(filled, truth, self.taxonomy, neutral=neutral)
            if not has_neutral:
                scores = replace(scores, onsets=0, onset_error=float("nan"), onsets_missed=0)
            found[method] = scores
        return found


def fill(
    probabilities: npt.NDArray[np.floating[Any]], times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Rows of NaN interpolated in time, the first and last known row held; uniform where none is known.

    Args:
        probabilities: (T, K).
        times: (T,) seconds, rising.
    """
    result = np.array(probabilities, np.float64)
    known = ~np.isnan(result[:, 0])
    if not known.any():
        return np.full_like(result, 1 / result.shape[1])
    for column in result.T:
        column[~known] = np.interp(times[~known], times[known], column[known])
    return result


def write_frame_predictions(path: Path, found: FramePredictions) -> None:
    """Write predictions atomically."""
    classes = len(found.taxonomy)
    columns: dict[str, Any] = {
        "image": pa.array(found.images, pa.string()),
        "video": pa.array(found.videos, pa.string()),
        "person": pa.array(found.people, pa.string()),
        "time": pa.array(found.times),
        "label": pa.array([found.taxonomy.labels[k] if k >= 0 else None for k in found.targets], pa.string()),
        "spoiled": pa.array(found.spoiled),
        "face": pa.array(found.faces),
    }
    for method in METHODS:
        rows = np.asarray(found.probabilities[method], np.float32)
        known = ~np.isnan(rows[:, 0])
        ends = np.cumsum(known * classes, dtype=np.int32)
        columns[method] = pa.ListArray.from_arrays(
            pa.array(np.append(np.int32(0), ends)), pa.array(rows[known].ravel()), mask=pa.array(~known)
        )
    table = pa.table(columns).replace_schema_metadata({LABELS_KEY: json.dumps(found.taxonomy.labels)})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def read_frame_predictions(path: Path) -> FramePredictions:
    """Read what :func:`write_frame_predictions` wrote.

    Raises:
        ValueError: If the file is missing, is no Parquet file of frames, or its values do not fit.
    """
    try:
        table = pq.read_table(path, partitioning=None)
        taxonomy = from_labels(json.loads((table.schema.metadata or {})[LABELS_KEY]))
        labels = [taxonomy.index(label) if label else -1 for label in table["label"].to_pylist()]
        return FramePredictions(
            tuple(table["image"].to_pylist()),
            tuple(table["video"].to_pylist()),
            tuple(table["person"].to_pylist()),
            np.array(table["time"], np.float64),
            np.array(labels, np.int64),
            np.array(table["spoiled"], np.bool_),
            np.array(table["face"], np.bool_),
            {method: _matrix(table[method].to_pylist(), len(taxonomy)) for method in METHODS},
            taxonomy,
        )
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise ValueError(f"{path} holds no readable predictions for frames of videos: {error}") from error


def _matrix(rows: list[list[float] | None], classes: int) -> npt.NDArray[np.float32]:
    silent = [float("nan")] * classes
    return np.array([row or silent for row in rows], np.float32).reshape(len(rows), classes)
