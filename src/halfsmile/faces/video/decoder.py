"""From the packets of a video file or stream to upright RGB pictures, by FFmpeg through PyAV."""

from __future__ import annotations

import functools
import heapq
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from halfsmile.data.preprocess import Image
from halfsmile.data.tone import CURVES, Curve, tone_mapped
from halfsmile.faces.video.side_data import display_matrix
from halfsmile.faces.video.source import (
    MAX_PIXELS,
    BadVideoError,
    count_films,
    is_address,
    open_container,
    origin,
    seconds,
    stream_duration,
    told,
    video_stream,
)

_TIMED_PACKETS = ("mov", "matroska")  # formats whose packets all bear the time of showing
HIGH_DEFINITION = 720  # lines from which a file that names no color matrix means BT.709, as players have it
_UNSPECIFIED_COLORS = 2
_CUT_SECONDS = 0.5  # more than this missing at the end means that the file was cut

Picture = tuple[int, float, Callable[[], Image]]


class VideoDecoder:
    """One pass over a source, with an account of what could not be decoded.

    Args:
        source: A file or an address.
        start: Seconds; earlier frames are left out where the file allows to seek.
        max_pixels: Larger frames are refused.
    """

    def __init__(self, source: str | Path, *, start: float = 0.0, max_pixels: int = MAX_PIXELS) -> None:
        self.source = source
        self.start = start
        self.max_pixels = max_pixels
        self._reformatter = VideoReformatter()
        self._time = self._until = -math.inf  # when the latest frame is first shown, and when no more
        self._expected_until: float | None = None
        self._decoded = self._damaged = self._untimed = 0
        self._first_damage = ""
        self._lost: list[float] = []  # heap: times of damaged frames that have not been counted yet
        self._zero = 0.0  # time stamp in seconds of the beginning
        self._stopped: FFmpegError | None = None
        self._curve: Curve | None = None  # of frames of high dynamic range
        self._streams = 1  # films side by side in a file, of which the first is read

    def pictures(self) -> Iterator[Picture]:
        """Index, time in seconds, and a function that gives the pixels of each frame, in order of time.

        The function is for calling before the next frame is asked for.

        Raises:
            BadVideoError: If the source can't be opened, or nothing in it can be decoded.
        """
        earlier, key = self._before_start()
        index = -1
        with open_container(self.source, self.max_pixels) as container:
            stream = video_stream(container, self.source, self.max_pixels)
            if not is_address(self.source):  # qualities of one film stand side by side there
                self._streams = count_films(container)
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(self.max_pixels)}
            self._zero = origin(container, stream)
            length = stream_duration(stream)
            if length is not None:
                self._expected_until = seconds(stream.start_time, stream.time_base) - self._zero + length
            step = float(1 / (stream.guessed_rate or 25))
            aspect = float(stream.sample_aspect_ratio or 1)
            if earlier:
                container.seek(key, stream=stream)
            for frame in self._decode(container, stream):
                time = self._shown(frame)
                if earlier:
                    if time is None or time < self.start:
                        continue
                    index, earlier = earlier - 1, 0
                    self._lost = [lost for lost in self._lost if lost >= self.start]
                if time is None or time <= self._time:
                    self._untimed += 1
                    time = max(0.0, self._time + step)
                index += 1
                while self._lost and self._lost[0] < time:
                    heapq.heappop(self._lost)
                    index += 1
                self._time = time
                self._until = time + seconds(frame.duration, frame.time_base)
                yield index, time, functools.partial(self._pixels, frame, aspect)
        if not self._decoded:
            reason = self._first_damage or (told(self._stopped) if self._stopped else "it holds none")
            raise BadVideoError(f"{self.source}: no frame could be decoded ({reason}).")

    def problems(self) -> list[str]:
        """A sentence for each kind of trouble so far."""
        total = self._damaged + self._decoded
        found = []
        if self._streams > 1:
            found.append(f"It holds {self._streams} films side by side (video streams); the first was read.")
        if self._curve:
            found.append(
                f"High dynamic range ({self._curve}, HDR) was tone-mapped to the standard range before faces "
                "were looked for; players may show the film paler or darker."
            )
        if self._damaged:
            found.append(f"{self._damaged} of {total} frames could not be decoded ({self._first_damage}).")
        if self._untimed:
            found.append(f"{self._untimed} of {total} frames have no usable time; it was extrapolated.")
        if self._stopped:
            found.append(f"Reading stopped after {self._until:.2f} s ({told(self._stopped)}).")
        return found

    def missing_end(self) -> list[str]:
        """A sentence if the frames have ended clearly before the time that the file itself gives."""
        expected = self._expected_until
        if expected is None or not 0 <= self._until < expected - _CUT_SECONDS:
            return []
        return [f"The file is cut short: its frames end after {self._until:.2f} of {expected:.2f} s."]

    def _before_start(self) -> tuple[int, int]:
        """Number of frames before the start, and decoding time stamp of the last key frame among them.

        Both are found from the packets, without decoding; (0, 0) where that can't be.
        """
        count = key = 0
        if self.start <= 0 or is_address(self.source):
            return 0, 0
        with open_container(self.source, self.max_pixels) as container:
            stream = video_stream(container, self.source, self.max_pixels)
            if not container.format.name.startswith(_TIMED_PACKETS):
                return 0, 0
            self._zero = origin(container, stream)
            try:
                for packet in container.demux(stream):
                    if not packet.size or packet.is_discard:
                        continue
                    time = self._shown(packet)
                    if time is None or packet.dts is None:
                        return 0, 0
                    if seconds(packet.dts, packet.time_base) - self._zero >= self.start:
                        break
                    count += time < self.start
                    key = packet.dts if packet.is_keyframe and time <= self.start else key
            except FFmpegError:
                return 0, 0
        return count, key

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Frames in order of time; those that are damaged are left out and noted."""
        try:
            for packet in container.demux(stream):
                try:
                    decoded = packet.decode()
                except FFmpegError as error:
                    self._note_damage(packet, told(error))
                else:
                    yield from self._sound(decoded)
        except FFmpegError as error:
            self._stopped = error
            with suppress(FFmpegError):
                yield from self._sound(stream.decode(None))

    def _sound(self, decoded: list[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in decoded:
            if frame.is_corrupt:
                self._note_damage(frame, "marked as corrupt")
            else:
                self._decoded += 1
                yield frame

    def _note_damage(self, part: Packet[VideoStream] | VideoFrame, reason: str) -> None:
        self._damaged += 1
        self._first_damage = self._first_damage or reason
        time = self._shown(part)
        heapq.heappush(self._lost, -math.inf if time is None else time)

    def _shown(self, part: Packet[VideoStream] | VideoFrame) -> float | None:
        """When a frame or the frame in a packet is shown."""
        return None if part.pts is None else seconds(part.pts, part.time_base) - self._zero

    def _pixels(self, frame: VideoFrame, aspect: float) -> Image:
        untagged_hd = frame.colorspace == _UNSPECIFIED_COLORS and frame.height >= HIGH_DEFINITION
        stretched = 0.25 <= aspect <= 4 and abs(aspect - 1) > 0.01
        width = round(frame.width * aspect) if stretched else frame.width
        if width * frame.height > self.max_pixels:
            raise BadVideoError(
                f"{self.source}: frames of {frame.width} x {frame.height} pixels that are {aspect:g} times "
                f"as wide as high are larger than the {self.max_pixels} pixels allowed."
            )
        curve = CURVES.get(int(frame.color_trc))
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            format="rgb24" if curve is None else "rgb48le",
            src_colorspace=Colorspace.ITU709 if untagged_hd else None,
        )
        matrix = display_matrix(frame)
        if curve is None:
            image = np.asarray(rgb.to_ndarray(), np.uint8)
        else:
            self._curve = curve
            image = tone_mapped(np.asarray(rgb.to_ndarray(), np.uint16), curve)
        return image if matrix is None else upright(image, matrix)


def upright(image: Image, matrix: npt.NDArray[np.int32]) -> Image:
    """Turn and mirror a picture by quarter turns as a display matrix asks.

    Args:
        image: (H, W, 3).
        matrix: (9,) of FFmpeg's ``AV_FRAME_DATA_DISPLAYMATRIX``: a stored point (x, y) is shown at
            (m[0] x + m[3] y, m[1] x + m[4] y), shifted into view.

    Returns:
        (H, W, 3) or (W, H, 3).
    """
    horizontal, vertical = matrix[0], matrix[4]
    if abs(matrix[1]) > abs(matrix[0]):
        image, horizontal, vertical = image.transpose(1, 0, 2), matrix[3], matrix[1]
    return np.ascontiguousarray(image[:: 1 if vertical >= 0 else -1, :: 1 if horizontal >= 0 else -1])
