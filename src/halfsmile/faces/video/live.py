"""A stream of the network: its newest frames, however slowly they are taken, and another try where it breaks.

A thread reads and decodes all the time. What waits longer than :data:`HELD` seconds is dropped, and where
decoding itself is too slow, only key frames are decoded until the stream has been caught up with. A stream
that falls silent or is cut off is opened again; times go on by the clock. A file at an address, whose length
in seconds or bytes is known, is read as any other file: nothing is dropped, and it is not tried again. Nor is
anything dropped of what comes faster than it is shown, as no stream does.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Iterator

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from halfsmile.faces.video.decoder import Picture, VideoDecoder
from halfsmile.faces.video.source import BadVideoError, stream_duration, told

HELD = 0.5  # seconds of frames that wait at most
HELD_PIXELS = 1 << 26  # and their pixels
GRACE = 3.0  # seconds from opening in which nothing is dropped: what comes at once may be all there is
AHEAD = 0.5  # seconds that a stream's time may be ahead of the clock for it to count as one
SURE = 60.0  # seconds that a stream must last for its tries to be counted anew
_PATIENCE = 1.0  # seconds without waiting for the network after which decoding is too slow
_WAIT = 0.003  # seconds that tell waiting for the network from taking what has come
_FILE_QUEUE = 4
_PACED = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt")  # whose servers do not wait for slow readers


class LiveStream:
    """One reading of a stream, as :class:`halfsmile.faces.video.decoder.VideoDecoder`.

    Args:
        source: Its address.
        max_pixels: Larger frames are refused.
        retries: How often in a row it is opened again after it has broken off.
    """

    def __init__(self, source: str, *, max_pixels: int, retries: int = 3) -> None:
        self.source = source
        self.max_pixels = max_pixels
        self.retries = retries
        self._queue: deque[Picture] = deque()
        self._changed = threading.Condition()
        self._is_over = self._is_left = False  # no more frames come; nobody wants them any more
        self._error: BadVideoError | None = None
        self._told: list[str] = []
        self._end: list[str] = []
        self._frames = self._dropped = 0

    def pictures(self) -> Iterator[Picture]:
        """Index, time in seconds, and a function that gives the pixels of each frame that is not dropped.

        Raises:
            BadVideoError: If the source can't be opened, or nothing in it can be decoded.
        """
        threading.Thread(target=self._read, name="stream", daemon=True).start()
        try:
            while True:
                with self._changed:
                    while not self._queue and not self._is_over:
                        self._changed.wait(0.5)
                    if not self._queue:
                        break
                    picture = self._queue.popleft()
                    self._changed.notify_all()
                yield picture
            if self._error is not None:
                raise self._error
        finally:
            with self._changed:
                self._is_left = True
                self._changed.notify_all()

    def problems(self) -> list[str]:
        """A sentence for each kind of trouble so far."""
        dropped = []
        if self._dropped:
            dropped = [
                f"{self._dropped:,} of {self._frames:,} frames were dropped, since they came faster than "
                "they could be looked at."
            ]
        return dropped + self._told

    def missing_end(self) -> list[str]:
        """A sentence if a file at the address ended before the time that it gives itself."""
        return self._end

    def _read(self) -> None:
        try:
            self._read_again_and_again()
        except BadVideoError as error:
            self._error = error
        except Exception as error:  # the reader of the frames shall learn of it
            self._error = BadVideoError(f"{self.source}: it can't be read ({type(error).__name__}).")
            self._error.__cause__ = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _read_again_and_again(self) -> None:
        tries, index, last = 0, -1, 0.0  # number and time of the latest frame
        arrived = broke = time.monotonic()  # when it came, and when the stream broke off
        while True:
            decoder = _Catching(self.source, max_pixels=self.max_pixels)
            reason: str | None = None
            opened, first, base = time.monotonic(), index + 1, 0.0
            decoder.opened = opened
            is_first = True
            try:
                for number, seconds, pixels in decoder.pictures():
                    if self._is_left:
                        return
                    now = time.monotonic()
                    if is_first and first:
                        base = last + (now - arrived) - seconds
                        self._told.append(f"It was connected again after {now - broke:.1f} s.")
                    is_first = False
                    index, last, arrived = first + number, base + seconds, now
                    self._put((index, last, pixels), decoder)
            except BadVideoError as error:
                if index < 0:
                    raise
                reason = str(error).removeprefix(f"{self.source}: ").rstrip(".")
            else:
                reason = decoder.broken()
            self._told += decoder.problems()
            self._frames += decoder.skipped
            self._dropped += decoder.skipped
            if reason is None:
                self._end = decoder.missing_end()
                return
            broke = time.monotonic()
            tries = 0 if broke - opened > SURE else tries
            if tries == self.retries:
                self._told.append(
                    f"Reading stopped after {last:.1f} s ({reason}); it broke off {tries + 1} times in a row."
                    if tries
                    else f"Reading stopped after {last:.1f} s ({reason})."
                )
                return
            if not is_first:
                self._told.append(f"The stream broke off after {last:.1f} s ({reason}).")
            tries += 1
            with self._changed:
                self._changed.wait_for(lambda: self._is_left, 2.0 ** (tries - 1))
            if self._is_left:
                return

    def _put(self, picture: Picture, decoder: _Catching) -> None:
        with self._changed:
            self._frames += 1
            if not decoder.is_live or decoder.is_ahead:
                self._changed.wait_for(lambda: len(self._queue) < _FILE_QUEUE or self._is_left)
            self._queue.append(picture)
            self._changed.notify_all()
            waiting = picture[1] - self._queue[0][1]
            if waiting <= HELD and len(self._queue) * decoder.frame_pixels <= HELD_PIXELS:
                return
            if decoder.is_live and not decoder.is_ahead:
                self._dropped += len(self._queue) - 1
                self._queue = deque([picture])


class _Catching(VideoDecoder):
    """A decoder that leaves out all but key frames while it is slower than its stream.

    Attributes:
        is_live: Whether the stream comes at its own speed.
        skipped: Frames that were not decoded.
        frame_pixels: Of a frame.
    """

    is_live = True
    skipped = 0
    frame_pixels = 1
    opened = 0.0  # by the clock

    @property
    def is_ahead(self) -> bool:
        """Whether more seconds of it have come than have passed, or hardly any have passed."""
        passed = time.monotonic() - self.opened
        return passed < GRACE or self._time > passed + AHEAD

    def broken(self) -> str | None:
        """Why a stream stopped that may be tried again; None where it ended, or is none.

        Over HTTP without a length, the end of the connection is that of the stream, and FFmpeg calls it an
        error of input and output.
        """
        error = self._stopped
        is_http = str(self.source).lower().startswith(("http://", "https://"))
        if error is None or not self.is_live or (is_http and getattr(error, "errno", None) == errno.EIO):
            return None
        self._stopped = None
        return told(error)

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        paced = str(self.source).partition("://")[0].lower() in _PACED
        is_file = container.duration is not None or stream_duration(stream) is not None or container.size > 0
        self.is_live = paced or not is_file
        self.frame_pixels = max(1, stream.width * stream.height)
        waited, is_skipping = time.monotonic(), False
        try:
            packets = container.demux(stream)
            while True:
                asked = time.monotonic()
                packet = next(packets, None)
                if packet is None:
                    return
                now = time.monotonic()
                waited = now if now - asked > _WAIT else waited
                is_late = self._time < now - self.opened - _PATIENCE and not self.is_ahead
                if self.is_live and not is_skipping and is_late and now - waited > _PATIENCE:
                    stream.codec_context.skip_frame, is_skipping = "NONKEY", True
                elif is_skipping and packet.is_keyframe and now - waited <= _PATIENCE:
                    stream.codec_context.skip_frame, is_skipping = "DEFAULT", False
                self.skipped += is_skipping and not packet.is_keyframe and packet.size > 0
                try:
                    decoded = packet.decode()
                except FFmpegError as error:
                    self._note_damage(packet, told(error))
                else:
                    yield from self._sound(decoded)
        except FFmpegError as error:
            self._stopped = error
