"""A network over frames on whole videos: frames in, logits out, in memory that does not grow with the video.

* A network whose logits depend on a bounded number of frames (online, or convolution) is run on chunks with
  that many frames on either side: the result is exactly that of one pass over the whole video.
* An offline Transformer is run on overlapping windows; the logits of a frame are blended with weights that
  fall off towards the ends of each window.
* :class:`OnlineStream` takes one frame at a time and answers ``delay`` frames later.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.models.temporal import TemporalNetwork

Floats = npt.NDArray[np.float32]
CHUNK = 256
WINDOWS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of one person.

    Args:
        time: Seconds, later than that of the frame before.
        feature: (F,) float32; None where there is no face.
    """

    time: float
    feature: Floats | None


def frame_logits(
    model: TemporalNetwork, frames: Iterable[Frame], *, hop: int | None = None
) -> Iterator[Floats]:
    """Logits of every frame of a video, in order.

    Args:
        model: Used in evaluation mode, on the device of its weights.
        frames: Read as far as needed and never held as a whole.
        hop: Frames from one window to the next where windows are blended; half a window by default. Lower
            values blend more windows and take longer.

    Yields:
        (classes,) float32 per frame.

    Raises:
        ValueError: If times do not rise, or ``hop`` is out of its range.
    """
    ordered = _in_order(frames)
    if model.context is not None:
        return _in_chunks(model, ordered, *model.context)
    window = model.config.window
    hop = max(1, window // 2) if hop is None else hop
    if not 1 <= hop <= window:
        raise ValueError(f"hop must lie between 1 and the window of {window} frames, found {hop}.")
    return _blended(model, ordered, window, hop)


class OnlineStream:
    """An online network fed one frame at a time.

    Holds the last ``context`` frames. The logits are those of :func:`frame_logits`.

    Args:
        model: An online network.

    Raises:
        ValueError: If the network is offline.
    """

    def __init__(self, model: TemporalNetwork) -> None:
        if not model.config.online or model.context is None:
            raise ValueError("A stream needs an online network; this one was made with a delay of None.")
        self.model = model
        self.past, self.delay = model.context
        self._frames: deque[Frame] = deque(maxlen=self.past + 1 + self.delay)
        self._waiting = 0

    def push(self, frame: Frame) -> Floats | None:
        """Take a frame and answer with the logits (classes,) of the one ``delay`` frames before it, if any.

        Raises:
            ValueError: If the frame is not later than the one before.
        """
        if self._frames:
            _require_later(self._frames[-1].time, frame.time)
        self._frames.append(frame)
        self._waiting += 1
        return self._answer() if self._waiting > self.delay else None

    def finish(self) -> list[Floats]:
        """Logits of the frames that still wait for later ones; the stream then is as new."""
        answers = []
        while self._waiting:
            answers.append(self._answer())
        self._frames.clear()
        return answers

    def _answer(self) -> Floats:
        place = len(self._frames) - self._waiting
        self._waiting -= 1
        frames = list(self._frames)[max(0, place - self.past) :]
        answer: Floats = _run(self.model, [frames])[0, min(place, self.past)]
        return answer


def _in_order(frames: Iterable[Frame]) -> Iterator[Frame]:
    before = -math.inf
    for frame in frames:
        _require_later(before, frame.time)
        before = frame.time
        yield frame


def _require_later(before: float, now: float) -> None:
    if not before < now < math.inf:
        raise ValueError(f"Frame times must be finite and rise; {now} s follows {before} s. Sort the frames.")


def _in_chunks(model: TemporalNetwork, frames: Iterator[Frame], past: int, future: int) -> Iterator[Floats]:
    """Run on ``past`` known frames, up to CHUNK new ones, and ``future`` later ones; keep the new ones."""
    held: list[Frame] = []
    done, ended = 0, False
    while not ended or done < len(held):
        while not ended and len(held) < done + CHUNK + future:
            frame = next(frames, None)
            ended = frame is None
            if frame is not None:
                held.append(frame)
        stop = min(done + CHUNK, len(held))
        if stop > done:
            yield from _run(model, [held])[0, done:stop]
        forget = max(0, stop - past)
        held, done = held[forget:], stop - forget


def _blended(model: TemporalNetwork, frames: Iterator[Frame], window: int, hop: int) -> Iterator[Floats]:
    """Run on windows that start every ``hop`` frames, the last one ending with the video, and average."""
    held: list[Frame] = []
    first = 0  # number of held[0] in the video
    sums = np.zeros((0, model.classes), np.float32)
    weights = np.zeros((0, 1), np.float32)
    start, last, ended = 0, -1, False
    shape = np.minimum(np.arange(window), np.arange(window)[::-1])[:, None].astype(np.float32) + 1
    while not ended:
        wanted = start + (WINDOWS_AT_ONCE - 1) * hop + window - first
        while not ended and len(held) < wanted:
            frame = next(frames, None)
            ended = frame is None
            if frame is not None:
                held.append(frame)
        if not held:
            return
        count = first + len(held)
        starts = [s for s in range(start, count, hop) if s + window <= count][:WINDOWS_AT_ONCE]
        start += hop * len(starts)
        final = max(0, count - window)
        if ended and final > max([last, *starts]):
            starts.append(final)
        last = max([last, *starts])
        sums = np.pad(sums, ((0, len(held) - len(sums)), (0, 0)))
        weights = np.pad(weights, ((0, len(held) - len(weights)), (0, 0)))
        windows = [held[s - first : s - first + window] for s in starts]
        for s, window_logits in zip(starts, _run(model, windows), strict=True):
            place = slice(s - first, s - first + len(window_logits))
            share = shape if len(window_logits) == window else np.ones((len(window_logits), 1), np.float32)
            sums[place] += share * window_logits
            weights[place] += share
        settled = len(held) if ended else min(start, final) - first
        yield from sums[:settled] / weights[:settled]
        held, sums, weights = held[settled:], sums[settled:], weights[settled:]
        first += settled


@torch.inference_mode()
def _run(model: TemporalNetwork, windows: list[list[Frame]]) -> Floats:
    """Logits (B, T, classes) of windows of equal length."""
    if not windows:
        return np.zeros((0, 0, model.classes), np.float32)
    model.eval()
    device = model.feature_mean.device
    features = np.zeros((len(windows), len(windows[0]), model.features), np.float32)
    present = np.zeros(features.shape[:2], np.bool_)
    for i, window in enumerate(windows):
        for t, frame in enumerate(window):
            if frame.feature is not None:
                features[i, t], present[i, t] = frame.feature, True
    times = np.array([[frame.time - window[0].time for frame in window] for window in windows])
    logits = model(
        torch.from_numpy(features).to(device),
        torch.from_numpy(times).to(device),
        torch.from_numpy(present).to(device),
    )
    return np.asarray(logits.float().cpu().numpy(), np.float32)
