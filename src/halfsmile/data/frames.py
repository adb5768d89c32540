"""Frames of whole videos, decoded and in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.readers.sequences import Sequences
from halfsmile.data.windows import FrameTrack, group_tracks

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frames:
    """N frames of whole videos, M of them with a readable picture.

    Args:
        rows: What the data set says of the N frames.
        labels: Class indices that may be used, −1 elsewhere. Shape (N,), int64.
        faces: The M readable ones, in the same order.
        present: Which of the N are readable. Shape (N,), bool.
        tracks: Frames of one person in one video, in the order of time.
        notes: What was sorted or left out.
    """

    rows: Sequences
    labels: npt.NDArray[np.int64]
    faces: DecodedFaces
    present: npt.NDArray[np.bool_]
    tracks: list[FrameTrack]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """Readable frames per label that may be used."""
        taxonomy = self.rows.manifest.taxonomy
        names = taxonomy.labels if taxonomy else ()
        found = self.labels[self.present]
        return {name: int((found == i).sum()) for i, name in enumerate(names)}

    def spread(self, values: Floats) -> Floats:
        """Values (M, F) of the readable frames as rows of all frames (N, F), NaN for the others."""
        result = np.full((len(self), values.shape[1]), np.nan, np.float32)
        result[self.present] = values
        return result


def load_frames(
    rows: Sequences, labels: npt.NDArray[np.int64], *, size: int, channels: int, cache: Path
) -> Frames:
    """Decode the frames of whole videos, and put them in order.

    Args:
        rows: Frames in any order.
        labels: Class indices that may be used, −1 elsewhere. Shape (N,).
        size: Side of the pictures.
        channels: 1 for gray, 3 for RGB.
        cache: Where a large array goes.

    Raises:
        ValueError: If no picture could be read.
    """
    manifest = rows.manifest
    faces = load_faces(manifest, size=size, channels=channels, cache=cache)
    bad = {locator for locator, _ in faces.bad}
    present = np.array([locator not in bad for locator in manifest.column("image")], np.bool_)
    tracks, notes = group_tracks(manifest.column("video"), manifest.column("person"), rows.times)
    silent = sum(not (labels[track.rows] >= 0).any() for track in tracks)
    if silent:
        notes = [*notes, f"{silent} of {len(tracks)} videos have no labeled frame."]
    return Frames(rows, labels, faces, present, tracks, tuple(notes))
