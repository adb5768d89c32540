"""A video file from RGB pictures and their times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from halfsmile.data.preprocess import Image
from halfsmile.faces.video.decoder import HIGH_DEFINITION
from halfsmile.faces.video.sound import Sound
from halfsmile.utils.files import atomic_write

CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this FFmpeg has is taken
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_OPTIONS = {"movflags": "+faststart"}  # players may start before they have the whole file
_TICKS = 60_000  # per second; MPEG-4 allows no more than 65,535
_BITS_PER_PIXEL_AND_SECOND = 5  # of encoders without a constant quality


@contextmanager
def write_video(
    path: Path, *, codec: str | None = None, quality: int = 23, sound: Sound | None = None
) -> Iterator[Callable[[Image, float], None]]:
    """Yield a function ``write(image, time)``; the file appears when the block ends without an error.

    Times are kept to 1/60,000 s, counted from the first picture. A picture is shown until the next one comes,
    the last one as long as the one before it. An odd last row or column is doubled, as the codecs need it.

    Args:
        path: Where the file shall appear; its suffix, one of ``SUFFIXES``, tells the format.
        codec: FFmpeg's name of an encoder; by default H.264, or MPEG-4 where there is none.
        quality: Of libx264, 0 to 51: lower is better and larger.
        sound: Is written beside the pictures, as long as they last.

    Yields:
        ``write(image, time)``: image (H, W, 3) uint8, RGB, of one shape; time in seconds, rising.

    Raises:
        ValueError: If the suffix or the encoder is unknown, a picture or a time is not as described, or no
            picture was written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: a video is written to a file of type {', '.join(SUFFIXES)}.")
    name = codec or next(name for name in CODECS if name in av.codecs_available)
    with atomic_write(path) as temporary, av.open(str(temporary), "w", options=_OPTIONS) as container:
        writer = _Writer(container, name, quality, path, sound)
        yield writer.write
        writer.finish(path)


class _Writer:
    def __init__(
        self, container: OutputContainer, codec: str, quality: int, path: Path, sound: Sound | None
    ) -> None:
        self.path = path
        self.sound = sound
        self.container = container
        self.codec = codec
        self.quality = quality
        self.reformatter = VideoReformatter()
        self.stream: VideoStream | None = None
        self.shape: tuple[int, ...] = ()
        self.first = 0.0
        self.time = -math.inf
        self.ticks = -1
        self.step = _TICKS // 25

    def write(self, image: Image, time: float) -> None:
        """Encode one picture."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"A picture is (H, W, 3) uint8, found {image.shape} {image.dtype}.")
        if self.stream is None:
            self.shape, self.first = image.shape, time
            self.stream = self._add_stream()
            if self.sound is not None:
                self.sound.open(self.container, self.path, time)
        if image.shape != self.shape:
            raise ValueError(
                f"All pictures of a video have one shape; after {self.shape} came {image.shape}."
            )
        if time <= self.time:
            raise ValueError(f"Times rise; {time} s came after {self.time} s.")
        ticks = max(round((time - self.first) * _TICKS), self.ticks + 1)
        self.step = ticks - self.ticks if self.ticks >= 0 else self.step
        self.time, self.ticks = time, ticks
        height, width = self.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self.reformatter.reformat(
            VideoFrame.from_ndarray(even, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709 if height >= HIGH_DEFINITION else Colorspace.ITU601,
        )
        frame.pts, frame.duration, frame.time_base = ticks, self.step, Fraction(1, _TICKS)
        self.container.mux(self.stream.encode(frame))
        if self.sound is not None:
            self.sound.write(self.container, ticks / _TICKS)

    def finish(self, path: Path) -> None:
        """Write what the encoder still holds."""
        if self.stream is None:
            raise ValueError(f"{path}: no picture was given for the video.")
        self.container.mux(self.stream.encode(None))
        if self.sound is not None:
            self.sound.write(self.container, (self.ticks + self.step) / _TICKS)

    def _add_stream(self) -> VideoStream:
        height, width = self.shape[:2]
        options = {"crf": str(self.quality), "preset": "veryfast"} if self.codec == "libx264" else {}
        try:
            stream = cast(VideoStream, self.container.add_stream(self.codec, rate=25, options=options))
        except (FFmpegError, ValueError) as error:
            raise ValueError(f"This FFmpeg has no video encoder {self.codec!r}.") from error
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.colorspace = 1 if height >= HIGH_DEFINITION else 6  # BT.709, BT.601
        if self.codec != "libx264":
            stream.codec_context.bit_rate = _BITS_PER_PIXEL_AND_SECOND * height * width
        return stream
