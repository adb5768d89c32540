"""From frame probabilities to a submission: smooth each video, and answer for the frames without a face."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.readers.affwild2 import FRAMES_PER_SECOND
from halfsmile.evaluation.abaw.metric import NUM_CLASSES
from halfsmile.evaluation.abaw.submission import expected_frames, video_and_frame, write_submission
from halfsmile.runs.predictions import LABELS_KEY
from halfsmile.sequences.smoothing import Smoothing
from halfsmile.taxonomy import AFFWILD2, from_labels


@dataclass(frozen=True)
class FilledClasses:
    """A class for every expected frame.

    Args:
        classes: Class of each frame, in the expected order.
        nearest: Frames without a result that took the class of the nearest frame of their video.
        neutral: Frames of videos without any result, called neutral.
    """

    classes: dict[str, int]
    nearest: int
    neutral: int


def fill_classes(
    expected: Sequence[str],
    probabilities: Mapping[str, npt.NDArray[np.floating[Any]]],
    *,
    smoothing: Smoothing | None = None,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> FilledClasses:
    """Class of every expected frame, from the probabilities of those that show a face.

    Args:
        expected: ``<video>/<frame>.jpg``, see :func:`expected_frames`.
        probabilities: (8,) by frame, in the order of Aff-Wild2. Frames that are not expected are used for
            smoothing and left out of the result.
        smoothing: Applied to each video; None fills gaps from the nearest frame only.
        frames_per_second: Turns frame numbers into the seconds of ``smoothing``. The crops of Aff-Wild2 do
            not tell the rate of their video; 30 is the most common.

    Raises:
        ValueError: If nothing is expected, no expected video has a result, or probabilities are not such.
    """
    smoothing = smoothing or Smoothing("none", max_gap=0)
    known: dict[str, dict[int, npt.NDArray[np.floating[Any]]]] = {}
    for location, row in probabilities.items():
        video, number = video_and_frame(location)
        known.setdefault(video, {})[number] = row
    wanted: dict[str, dict[int, str]] = {}
    for location in expected:
        video, number = video_and_frame(location)
        wanted.setdefault(video, {})[number] = location
    if not wanted.keys() & known.keys():
        raise ValueError(
            f"None of the {len(wanted)} expected videos is among the {len(known)} predicted ones."
        )
    classes = dict.fromkeys(expected, AFFWILD2.index("neutral"))
    nearest = neutral = 0
    for video, locations in wanted.items():
        rows = known.get(video)
        if not rows:
            neutral += len(locations)
            continue
        shapes = {np.shape(row) for row in rows.values()}
        if shapes != {(NUM_CLASSES,)}:
            raise ValueError(f"{video}: expected {NUM_CLASSES} probabilities per frame, found {shapes}.")
        frames = np.array(sorted(locations.keys() | rows.keys()))
        values = np.full((len(frames), NUM_CLASSES), np.nan)
        values[np.searchsorted(frames, list(rows))] = list(rows.values())
        labels = smoothing.labels(values, frames / frames_per_second)
        empty = labels < 0
        if empty.all():
            neutral += len(locations)
            continue
        if empty.any():
            labels[empty] = labels[~empty][_nearest(frames[empty], frames[~empty])]
        for frame, label, is_empty in zip(frames.tolist(), labels.tolist(), empty.tolist(), strict=True):
            if frame in locations:
                classes[locations[frame]] = label
                nearest += is_empty
    return FilledClasses(classes, nearest, neutral)


def submit(
    predictions: Path,
    example: Path,
    out: Path,
    *,
    smoothing: Smoothing | None = None,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> FilledClasses:
    """Turn a file of predictions into a submission.

    Args:
        predictions: Parquet file with the columns ``image`` (whose last two parts are
            ``<video>/<frame>.jpg``) and ``probabilities``, and the class order in its metadata, as
            :mod:`halfsmile.runs.predictions` writes it; labels are not needed.
        example: The organizers' example of a submission.
        out: The text file to write.
        smoothing: See :func:`fill_classes`.
        frames_per_second: See :func:`fill_classes`.

    Raises:
        ValueError: If a file can't be read, classes are not those of Aff-Wild2, or frames repeat.
    """
    filled = fill_classes(
        expected_frames(example),
        _read_probabilities(predictions),
        smoothing=smoothing,
        frames_per_second=frames_per_second,
    )
    write_submission(out, filled.classes)
    return filled


def _read_probabilities(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    try:
        table = pq.read_table(path, columns=["image", "probabilities"], partitioning=None)
        labels = json.loads((table.schema.metadata or {})[LABELS_KEY])
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        raise ValueError(
            f"{path} holds no predictions: expected a Parquet file with image and probabilities, and the "
            f"class order in the metadata entry {LABELS_KEY.decode()!r}: {error}"
        ) from error
    AFFWILD2.require_same(from_labels(labels))
    names = ["/".join(name.split("/")[-2:]) for name in table["image"].to_pylist()]
    rows = table["probabilities"].to_pylist()
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: {len(names) - len(set(names))} frames appear more than once.")
    return {name: np.array(row, np.float64) for name, row in zip(names, rows, strict=True)}


def _nearest(
    wanted: npt.NDArray[np.integer[Any]], known: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """Position of the nearest known value; the earlier one where two are equally near. ``known`` ascends."""
    after = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(wanted - known[before]) <= np.abs(known[after] - wanted), before, after)
