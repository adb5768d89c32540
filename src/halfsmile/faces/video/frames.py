"""Frames of a video file, a camera or a network stream: upright RGB pictures with their true times.

FFmpeg decodes, through PyAV; a camera and animated WebP are read by OpenCV. One frame is held at a time, of
WebP some more. Rotation and mirroring that the file asks for, and pixels that are not square, are put right:
coordinates in a frame are those of the picture that a player shows. Colors become 8-bit RGB by the matrix
that the file names; where it names none, BT.709 from 720 lines on and BT.601 below. Interlaced fields are not
separated. High dynamic range (HLG, PQ) is tone-mapped.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.video.animation import WebpDecoder, is_webp
from halfsmile.faces.video.decoder import Picture, VideoDecoder
from halfsmile.faces.video.live import LiveStream
from halfsmile.faces.video.source import (
    MAX_PIXELS,
    BadVideoError,
    is_address,
    open_container,
    stream_duration,
    video_stream,
)

MOST_CAMERAS = 100
_EXACT = 1e-6  # seconds; times of frames are multiples of no round number
__all__ = ["MAX_PIXELS", "BadVideoError", "Video", "VideoFrame", "frames", "probe"]


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One picture of a video.

    Attributes:
        index: Its number in the video from 0, in the order of showing; frames that were not asked for count.
        time: Seconds since the beginning of the video; of a camera, since its first frame. Strictly rising.
        image: (H, W, 3) uint8, RGB, upright. The size may change within a network stream.
    """

    index: int
    time: float
    image: Image


@dataclass(frozen=True)
class Video:
    """What a video file says of itself, and the size of its first frame.

    Attributes:
        width: Pixels of an upright frame.
        height: Pixels of an upright frame.
        duration: Seconds; None where the file does not say.
        rate: Frames per second on average, an estimate; None where there is none.
        codec: FFmpeg's name of the codec, as ``h264``.
    """

    width: int
    height: int
    duration: float | None
    rate: float | None
    codec: str


def probe(source: str | Path, *, max_pixels: int = MAX_PIXELS) -> Video:
    """Read the header and the first frame of a video file.

    Raises:
        BadVideoError: As :func:`frames` does.
    """
    if is_webp(source):
        webp = WebpDecoder(source, max_pixels=max_pixels)
        times = [time for _, time, _ in webp.pictures()]
        rate = (len(times) - 1) / times[-1] if times[-1] else None
        duration = len(times) / rate if rate else None
        return Video(webp.width, webp.height, duration, rate, "webp")
    with open_container(source, max_pixels) as container:
        stream = video_stream(container, source, max_pixels)
        duration = stream_duration(stream)
        if duration is None and container.duration:
            duration = container.duration / av.time_base
        guess, codec = stream.guessed_rate, stream.codec_context.codec.canonical_name
    _, _, pixels = next(VideoDecoder(source, max_pixels=max_pixels).pictures())
    height, width = pixels().shape[:2]
    return Video(width, height, duration, float(guess) if guess else None, codec)


def frames(
    source: str | Path | int,
    *,
    every: int = 1,
    every_seconds: float = 0.0,
    start: float = 0.0,
    end: float | None = None,
    max_pixels: int = MAX_PIXELS,
    retries: int = 3,
    problems: list[str] | None = None,
) -> Iterator[VideoFrame]:
    """Decode the frames of a source one after the other, in constant memory.

    What can be read of a damaged or cut video is read; what could not is told at the end.

    Args:
        source: A file; an address (``rtsp://…``, ``https://…``); or the number of a camera.
        every: Give the frames whose index is a multiple of this; the others are decoded but not converted.
        every_seconds: Of those, give the first at or after each multiple of this time, counted from
            ``start``; 0 gives all.
        start: Give no frame before this time in seconds. MP4 and Matroska files are not decoded up to there.
        end: Give no frame at or after this time in seconds.
        max_pixels: Larger frames are refused before they are decoded.
        retries: How often in a row a stream that breaks off is opened again; see
            :mod:`halfsmile.faces.video.live`.
        problems: Gets a sentence for each kind of trouble when the reading ends; if None, they are warned of.

    Returns:
        The frames in order of time.

    Raises:
        ValueError: If an argument or the number of a camera is out of range.
        BadVideoError: From the first ``next``, if the source can't be opened, is no video, has no video
            stream, is too large, or no frame of it can be decoded.
    """
    if every < 1 or not every_seconds >= 0 or not start >= 0 or (end is not None and not end > start):
        raise ValueError(
            f"Found every = {every}, every_seconds = {every_seconds}, start = {start}, end = {end}; every is "
            "1 or more, every_seconds is not negative, and 0 <= start < end."
        )
    if retries < 0:
        raise ValueError(f"retries must not be negative, found {retries}.")
    if isinstance(source, int) and not 0 <= source < MOST_CAMERAS:  # some make OpenCV end the process
        raise ValueError(f"A camera's number is 0 to {MOST_CAMERAS - 1}, found {int(source)}.")
    return _frames(source, every, every_seconds, start, end, max_pixels, retries, problems)


def _frames(
    source: str | Path | int,
    every: int,
    every_seconds: float,
    start: float,
    end: float | None,
    max_pixels: int,
    retries: int,
    problems: list[str] | None,
) -> Iterator[VideoFrame]:
    decoder: VideoDecoder | WebpDecoder | LiveStream | _Camera
    if isinstance(source, int):
        decoder = _Camera(source)
    elif is_address(source):
        decoder = LiveStream(str(source), max_pixels=max_pixels, retries=retries)
    elif is_webp(source):
        decoder = WebpDecoder(source, max_pixels=max_pixels)
    else:
        decoder = VideoDecoder(source, start=start, max_pixels=max_pixels)
    trouble: list[str] = []
    chosen = EverySeconds(every_seconds, start)
    for index, seconds, pixels in decoder.pictures():
        if end is not None and seconds >= end:
            break
        if seconds >= start and index % every == 0 and chosen.takes(seconds):
            yield VideoFrame(index, seconds, pixels())
    else:
        trouble = decoder.missing_end()
    for problem in decoder.problems() + trouble:
        if problems is None:
            warnings.warn(f"{source}: {problem}", stacklevel=2)
        else:
            problems.append(problem)


class EverySeconds:
    """Chooses the first time at or after each multiple of a step.

    Args:
        step: Seconds; 0 takes every time.
        start: Where the multiples are counted from.

    Example:
        >>> chosen = EverySeconds(1.0)
        >>> [time for time in (0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 4.5, 4.9, 5.3) if chosen.takes(time)]
        [0.0, 1.2, 2.0, 4.5, 5.3]
    """

    def __init__(self, step: float, start: float = 0.0) -> None:
        self.step, self.start = step, start
        self._due = start

    def takes(self, time: float) -> bool:
        """Whether a time, later than those before, is one of them."""
        if time < self._due - _EXACT:
            return False
        if self.step:
            self._due = self.start + self.step * (math.floor((time - self.start + _EXACT) / self.step) + 1)
        return True


class _Camera:
    """Pictures of a camera with the times of their arrival."""

    def __init__(self, number: int) -> None:
        self.number = number

    def pictures(self) -> Iterator[Picture]:
        """As those of a decoder, until the camera is unplugged."""
        capture = cv2.VideoCapture(self.number)
        try:
            first: float | None = None
            for index in itertools.count():
                is_read, image = capture.read()
                if not is_read:
                    break
                now = time.perf_counter()
                first = now if first is None else first
                yield index, now - first, functools.partial(_rgb, np.asarray(image, np.uint8))
            if first is None:
                raise BadVideoError(
                    f"Camera {self.number} gives no picture: not connected, in use, or not permitted."
                )
        finally:
            capture.release()

    def problems(self) -> list[str]:
        """None: a camera has no frames to miss."""
        return []

    def missing_end(self) -> list[str]:
        """One, since a camera does not end by itself."""
        return ["The camera stopped giving pictures."]


def _rgb(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
