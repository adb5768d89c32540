"""Where one shot of a film ends and the next begins."""

from __future__ import annotations

import statistics
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image

_WIDTH, _HEIGHT = 64, 36
_BINS = 16
_FEWEST = 3  # changes that make a median; before, half the threshold is taken for usual
_NOISE = 4.0  # standard deviation of gray levels below which a picture shows nothing

_Summary = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # pattern, histogram


class ShotDetector:
    """Finds hard cuts in a stream of frames, one after the other, in constant memory.

    A cut changes both what is where and which colors there are, by much in itself and by more than the frames
    before did: motion hardly changes the colors, and a lively film changes both all the time. Frames without
    contrast, as black or white ones, are passed over; a cut through black is found. Dissolves are not. A
    frame of another size than the one before always begins a shot: nothing is where it was.

    A cut from one face to another in front of the same wall changes the picture no more than a caption or a
    shock to the camera does. :attr:`may_be_cut` tells of those, too; whether the faces look alike must
    decide.

    Args:
        threshold: Smallest change that counts, 0 to 1. Higher values find fewer cuts.
        ratio: How many times the median of the last changes a cut must be. Higher values find fewer cuts.
        possible_threshold: The smallest change of what may be a cut.
        possible_ratio: Its least ratio to the median.
        window: Number of changes in the median.
        min_seconds: A cut so soon after another is none.

    Attributes:
        may_be_cut: Whether the latest frame begins a new shot, or may begin one.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.15,
        ratio: float = 4.0,
        possible_threshold: float = 0.04,
        possible_ratio: float = 8.0,
        window: int = 24,
        min_seconds: float = 0.25,
    ) -> None:
        self.threshold = threshold
        self.ratio = ratio
        self.possible_threshold = possible_threshold
        self.possible_ratio = possible_ratio
        self.min_seconds = min_seconds
        self._recent: deque[float] = deque(maxlen=window)
        self._before: _Summary | None = None
        self._size: tuple[int, ...] | None = None
        self._cut_time = self._possible_time = -np.inf
        self.may_be_cut = False

    def update(self, image: Image, time: float) -> bool:
        """Take the next frame.

        Args:
            image: (H, W, 3) uint8, RGB, of any size.
            time: Seconds.

        Returns:
            Whether it begins a new shot; the first frame of all does not.
        """
        self.may_be_cut = False
        step = max(1, min(image.shape[0] // (2 * _HEIGHT), image.shape[1] // (2 * _WIDTH)))
        thinned = np.ascontiguousarray(image[::step, ::step])
        small = np.asarray(cv2.resize(thinned, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        now = (_pattern(small), _histogram(small))
        size, self._size = self._size, image.shape[:2]
        shows_something = now[0].std() >= _NOISE
        if size not in (None, self._size):
            self._before = now if shows_something else None
            self._cut(time)
            self.may_be_cut = True
            return True
        if not shows_something:
            return False
        before, self._before = self._before, now
        if before is None:
            return False
        change = _change(before, now)
        usual = statistics.median(self._recent) if len(self._recent) >= _FEWEST else self.threshold / 2
        self._recent.append(change)
        found = change >= max(self.threshold, self.ratio * usual) and self._is_late(self._cut_time, time)
        if found:
            self._cut(time)
        possible = change >= max(self.possible_threshold, self.possible_ratio * usual)
        self.may_be_cut = found or (possible and self._is_late(self._possible_time, time))
        if self.may_be_cut:
            self._possible_time = time
        return found

    def _cut(self, time: float) -> None:
        self._cut_time = self._possible_time = time
        self._recent.clear()

    def _is_late(self, before: float, time: float) -> bool:
        return time - before >= self.min_seconds


def _pattern(small: Image) -> npt.NDArray[np.float32]:
    """Gray values less their mean: (pixels,)."""
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
    return np.asarray(gray - gray.mean(), np.float32)


def _histogram(small: Image) -> npt.NDArray[np.float32]:
    """Shares of the levels of red, green and blue: (3 * bins,), sum 1."""
    levels = small.reshape(-1, 3) // (256 // _BINS) + _BINS * np.arange(3)
    return np.asarray(np.bincount(levels.ravel(), minlength=3 * _BINS) / levels.size, np.float32)


def _change(first: _Summary, second: _Summary) -> float:
    """Geometric mean of the change of pattern and the change of colors, 0 to 1.

    Patterns differ by one less their correlation, so that light does not count; histograms by half the sum of
    absolute differences.
    """
    (old, old_colors), (new, new_colors) = first, second
    pattern = np.clip(1 - old @ new / np.sqrt((old @ old) * (new @ new)), 0, 1)
    return float(np.sqrt(pattern * np.abs(old_colors - new_colors).sum() / 2))
