"""Frames in order: one person's frames of a video as a track, and windows over tracks for training.

Everything here is row numbers and times; the features, labels and pictures of the frames stay where they are.
Which windows make up a step is a pure function of (seed, step), as in data/samplers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.samplers import ShuffledSampler

Rows = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]

PADDING = -1
"""Row number of a place in a window that no frame fills."""


@dataclass(frozen=True, eq=False)
class FrameTrack:
    """The frames of one person in one video, in the order of time.

    Args:
        video: Name of the video.
        person: Name of the person; None where the data does not say.
        rows: Row of each frame in the table that the track was made from. Shape (T,).
        times: Seconds, rising. Shape (T,).
    """

    video: str | None
    person: str | None
    rows: Rows
    times: Seconds

    def __len__(self) -> int:
        return len(self.rows)


def group_tracks(
    videos: Sequence[str | None], people: Sequence[str | None], times: npt.ArrayLike
) -> tuple[list[FrameTrack], list[str]]:
    """Tracks of a table of frames, in the order in which they first appear.

    Frames may come in any order. Of several frames of one person at the same time the first is taken.

    Args:
        videos: Video of each row.
        people: Person of each row.
        times: Seconds of each row, shape (N,).

    Returns:
        The tracks, and notes that count frames that came out of order and frames that were left out.

    Raises:
        ValueError: If the lengths differ, there is no row, or a time is not a finite number.
    """
    seconds = np.asarray(times, np.float64)
    if not len(videos) == len(people) == len(seconds) or seconds.ndim != 1 or not len(seconds):
        raise ValueError(
            f"Expected a video, a person and a time for each of one or more frames, found {len(videos)}, "
            f"{len(people)} and times of shape {seconds.shape}."
        )
    if not np.isfinite(seconds).all():
        bad = np.flatnonzero(~np.isfinite(seconds))
        raise ValueError(f"{len(bad)} frames have no finite time, first row {bad[0]}. Give all frames times.")
    members: dict[tuple[str | None, str | None], list[int]] = {}
    for row, key in enumerate(zip(videos, people, strict=True)):
        members.setdefault(key, []).append(row)
    tracks, unordered, repeated = [], 0, 0
    for (video, person), found in members.items():
        rows = np.array(found, np.int64)
        unordered += int((np.diff(seconds[rows]) < 0).sum())
        rows = rows[np.argsort(seconds[rows], kind="stable")]
        new = np.diff(seconds[rows], prepend=-np.inf) > 0
        repeated += int((~new).sum())
        tracks.append(FrameTrack(video, person, rows[new], seconds[rows[new]]))
    notes = []
    if unordered:
        notes.append(f"{unordered} frames came before an earlier one of their track and were sorted by time.")
    if repeated:
        notes.append(f"{repeated} frames have the time of another one of their track and were left out.")
    return tracks, notes


def window_starts(length: int, *, window: int, hop: int) -> list[int]:
    """First frames of the windows that cover a track; the last one ends with it.

    Args:
        length: Frames of the track, at least 1; one shorter than the window has a single window.
        window: Frames of a window.
        hop: Frames from one window to the next, 1 to ``window``.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> window_starts(10, window=4, hop=4)
        [0, 4, 6]
        >>> window_starts(1, window=4, hop=2)
        [0]
    """
    if length < 1 or not 1 <= hop <= window:
        raise ValueError(
            f"Expected at least one frame and 1 <= hop <= window, found {length}, hop {hop}, window {window}."
        )
    last = max(0, length - window)
    return [*range(0, last, hop), last]


@dataclass(frozen=True, eq=False)
class Windows:
    """Frames of several windows of equal length.

    Args:
        rows: Row of each frame, :data:`PADDING` after the end of a short track. Shape (B, W).
        times: Seconds since the window's first frame; the last one is repeated as padding. Shape (B, W).
    """

    rows: Rows
    times: Seconds


def take_windows(tracks: Sequence[FrameTrack], starts: Sequence[tuple[int, int]], window: int) -> Windows:
    """Windows by (track number, first frame)."""
    rows = np.full((len(starts), window), PADDING, np.int64)
    times = np.zeros((len(starts), window), np.float64)
    for i, (number, start) in enumerate(starts):
        track = tracks[number]
        found = track.rows[start : start + window]
        rows[i, : len(found)] = found
        seconds = track.times[start : start + window] - track.times[start]
        times[i] = np.pad(seconds, (0, window - len(found)), mode="edge")
    return Windows(rows, times)


class WindowSampler:
    """Every window of every track once an epoch, in a new order, each moved by up to half a hop.

    Args:
        tracks: What to draw from.
        window: Frames of a window.
        hop: Frames from one window to the next before they are moved.
        batch_size: Windows of a step, over all processes together.
        seed: Decides orders and moves.
        rank: This process; gets windows rank, rank + world_size, … of the batch.
        world_size: Number of processes; divides ``batch_size``.

    Raises:
        ValueError: If there is no track, or a number is out of its range.
    """

    def __init__(
        self,
        tracks: Sequence[FrameTrack],
        *,
        window: int,
        hop: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.tracks = list(tracks)
        self.window = window
        self.hop = hop
        self.starts = [
            (number, start)
            for number, track in enumerate(self.tracks)
            for start in window_starts(len(track), window=window, hop=hop)
        ]
        self.sampler = ShuffledSampler(
            len(self.starts), batch_size=batch_size, seed=seed, rank=rank, world_size=world_size
        )

    def __len__(self) -> int:
        return len(self.starts)

    def __call__(self, step: int) -> Windows:
        """Windows of this process in a step, counted from 0."""
        sampler = self.sampler
        moves: npt.NDArray[Any] = np.random.default_rng([sampler.seed, 0x77, step]).integers(
            -(self.hop // 2), self.hop // 2 + 1, size=sampler.batch_size
        )
        chosen = []
        for index, move in zip(sampler(step), moves[sampler.rank :: sampler.world_size], strict=True):
            number, start = self.starts[index]
            last = max(0, len(self.tracks[number]) - self.window)
            chosen.append((number, min(max(0, start + int(move)), last)))
        return take_windows(self.tracks, chosen, self.window)
