"""A network over frames on whole videos and on live ones, in memory that does not grow with the video.

The network is anything that gives the logits of a window of frames, in torch or in an ONNX file; what must be
remembered from one window to the next is kept here.

* A network with a bounded ``context`` (online, or a convolution) is run on chunks with that many frames on
  either side: the logits are exactly those of one pass over the whole video.
* Without one (an offline Transformer) it is run on overlapping windows. The logits of a frame are blended
  with weights that fall off towards the ends of each window; the last window ends with the video.

:func:`frame_logits` reads a video as fast as it can, :class:`LogitStream` answers as early as it can.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Decided = tuple[float, Floats]
"""Time of a frame, and its logits (classes,)."""

CHUNK = 256
WINDOWS_AT_ONCE = 16


class WindowNetwork(Protocol):
    """A network over frames, as far as it must be known to run it on windows."""

    @property
    def features(self) -> int:
        """Number F of features of a frame."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes."""
        ...

    @property
    def window(self) -> int:
        """Frames of a window, where the context is not bounded."""
        ...

    @property
    def context(self) -> tuple[int, int] | None:
        """Earlier and later frames that a logit can depend on; None where only the window bounds it."""
        ...

    def window_logits(self, features: Floats, times: Times, present: Flags) -> Floats:
        """Logits (B, T, classes) of windows of equal length.

        Args:
            features: (B, T, F), zeros where there is no face.
            times: (B, T) seconds since the first frame of each window, rising.
            present: (B, T), False where there is no face.
        """
        ...


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """One frame of one person.

    Args:
        time: Seconds, later than that of the frame before.
        features: (F,); None where there is no face.
    """

    time: float
    features: Floats | None


def frame_logits(
    network: WindowNetwork, frames: Iterable[FrameFeatures], *, hop: int | None = None
) -> Iterator[Floats]:
    """Logits of every frame of a video, in order.

    Args:
        network: The network.
        frames: Read as far as needed and never held as a whole.
        hop: Frames from one window to the next where windows are blended; half a window by default. Lower
            values blend more windows and take longer.

    Yields:
        (classes,) per frame.

    Raises:
        ValueError: If ``hop`` is out of its range; or while reading, as :meth:`LogitStream.push`.
    """
    at_once = WINDOWS_AT_ONCE if network.context is None else CHUNK
    return _read(LogitStream(network, hop=hop, at_once=at_once), frames)


def _read(stream: LogitStream, frames: Iterable[FrameFeatures]) -> Iterator[Floats]:
    for frame in frames:
        for _, logits in stream.push(frame.time, frame.features):
            yield logits
    for _, logits in stream.finish():
        yield logits


class LogitStream:
    """Frames of one person as they come.

    Every frame that is pushed comes out once, in order, with the logits that :func:`frame_logits` gives.

    Args:
        network: The network.
        hop: As in :func:`frame_logits`.
        at_once: New frames, or windows where they are blended, that the network is run on together. More are
            faster and later.

    Attributes:
        delay: Frames that are pushed before a frame comes out, one at once: the later ones of a bounded
            context, or a window.

    Raises:
        ValueError: If ``hop`` or ``at_once`` is out of its range.
    """

    def __init__(self, network: WindowNetwork, *, hop: int | None = None, at_once: int = 1) -> None:
        hop = max(1, network.window // 2) if hop is None else hop
        if not 1 <= hop <= network.window:
            raise ValueError(
                f"hop must lie between 1 and the window of {network.window} frames, found {hop}."
            )
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, found {at_once}.")
        self.network = network
        self.delay = network.window if network.context is None else network.context[1]
        self._hop, self._at_once = hop, at_once
        self._now = -math.inf
        self._times: deque[float] = deque()  # of frames that are not decided
        self._windows = self._new_windows()

    def push(self, time: float, features: Floats | None) -> list[Decided]:
        """Take a frame; give those that are now decided.

        Args:
            time: Seconds, later than that of the frame before.
            features: (F,); None where there is no face.

        Raises:
            ValueError: If times do not rise, or there is another number of features.
        """
        if not self._now < time < math.inf:
            raise ValueError(
                f"Frame times must be finite and rise; {time} s follows {self._now} s. Sort the frames."
            )
        if features is not None and np.shape(features) != (self.network.features,):
            raise ValueError(
                f"Expected {self.network.features} features of a face, found shape {np.shape(features)}."
            )
        self._now = time
        self._times.append(time)
        self._windows.held.append(FrameFeatures(time, features))
        return self._timed(self._windows.settle(ended=False))

    def finish(self) -> list[Decided]:
        """Give all frames that still wait for later ones; the stream then is as new."""
        decided = self._timed(self._windows.settle(ended=True))
        self._now, self._windows = -math.inf, self._new_windows()
        return decided

    def _new_windows(self) -> _Chunks | _BlendedWindows:
        if self.network.context is None:
            return _BlendedWindows(self.network, self._hop, self._at_once)
        return _Chunks(self.network, *self.network.context, self._at_once)

    def _timed(self, logits: list[Floats]) -> list[Decided]:
        return [(self._times.popleft(), row) for row in logits]


class _Chunks:
    """Runs on ``past`` known frames, up to ``size`` new ones, and ``later`` ones; keeps the new ones."""

    def __init__(self, network: WindowNetwork, past: int, later: int, size: int) -> None:
        self.network, self.past, self.later, self.size = network, past, later, size
        self.held: list[FrameFeatures] = []
        self.done = 0  # frames of those that have their logits

    def settle(self, *, ended: bool) -> list[Floats]:
        """Logits (classes,) of the frames whose context is known."""
        settled: list[Floats] = []
        enough = 1 if ended else self.size + self.later
        while len(self.held) - self.done >= enough:
            stop = min(self.done + self.size, len(self.held))
            features, times, present = _arrays(self.held, self.network.features)
            logits = self.network.window_logits(features[None], (times - times[0])[None], present[None])
            settled += [*logits[0, self.done : stop]]
            forget = max(0, stop - self.past)
            del self.held[:forget]
            self.done = stop - forget
        return settled


class _BlendedWindows:
    """Runs on windows that start every ``hop`` frames, ``at_once`` of them together, and averages."""

    def __init__(self, network: WindowNetwork, hop: int, at_once: int) -> None:
        self.network, self.hop, self.at_once = network, hop, at_once
        self.held: list[FrameFeatures] = []
        self.sums = np.zeros((0, network.classes), np.float32)
        self.weights = np.zeros((0, 1), np.float32)
        self.first = 0  # number of held[0] in the video
        self.next = 0  # and of the frame at which the next window starts
        self.last = -1  # and at which the last one did

    def settle(self, *, ended: bool) -> list[Floats]:
        """Logits (classes,) of the frames that no later window can hold."""
        count, window = self.first + len(self.held), self.network.window
        final = max(0, count - window)
        if ended or count >= self.next + (self.at_once - 1) * self.hop + window:
            starts = list(range(self.next, count - window + 1, self.hop))
            self.next += self.hop * len(starts)
            if ended and self.held and final > max([self.last, *starts]):
                starts.append(final)
            if starts:
                self._add(starts)
        settled = len(self.held) if ended else min(self.next, final) - self.first
        if settled <= 0:
            return []
        logits = self.sums[:settled] / self.weights[:settled]
        self.sums, self.weights = self.sums[settled:], self.weights[settled:]
        del self.held[:settled]
        self.first += settled
        return [*logits]

    def _add(self, starts: list[int]) -> None:
        features, times, present = _arrays(self.held, self.network.features)
        length = min(self.network.window, len(self.held))
        rows = np.array(starts)[:, None] - self.first + np.arange(length)
        logits = self.network.window_logits(features[rows], times[rows] - times[rows[:, :1]], present[rows])
        # A video shorter than a window has only this one, and its logits are what they are.
        weights = _triangle(length) if length == self.network.window else np.ones((length, 1), np.float32)
        new = len(self.held) - len(self.sums)
        self.sums = np.pad(self.sums, ((0, new), (0, 0)))
        self.weights = np.pad(self.weights, ((0, new), (0, 0)))
        for place, window_logits in zip(rows, logits, strict=True):
            self.sums[place] += weights * window_logits
            self.weights[place] += weights
        self.last = starts[-1]


def _triangle(count: int) -> Floats:
    """Weights (T, 1) of the frames of a window of T: 1 at its ends, largest in its middle."""
    return np.minimum(np.arange(count), np.arange(count)[::-1])[:, None].astype(np.float32) + 1


def _arrays(frames: list[FrameFeatures], width: int) -> tuple[Floats, Times, Flags]:
    """Features (T, F) with zeros where there is no face, times (T,) and presence (T,)."""
    features = np.zeros((len(frames), width), np.float32)
    present = np.array([frame.features is not None for frame in frames], np.bool_)
    for row, frame in enumerate(frames):
        if frame.features is not None:
            features[row] = frame.features
    return features, np.array([frame.time for frame in frames], np.float64), present
