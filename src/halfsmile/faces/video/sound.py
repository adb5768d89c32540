"""The sound of a video, copied as it is beside new pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from halfsmile.faces.video.source import MAX_PIXELS as _MAX_PIXELS
from halfsmile.faces.video.source import BadVideoError, open_container, origin, seconds, video_stream

COPIED = {
    ".mp4": ("aac", "mp3", "mp2", "ac3", "eac3", "opus", "vorbis", "flac", "alac"),
    ".m4v": ("aac", "mp3", "ac3", "eac3", "alac"),
    ".mov": ("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le"),
}
"""Kinds of sound that files of a type can hold, by the name of the codec, which is not always that of its
decoder (mp3float decodes mp3); files of other types hold any."""


class Sound:
    """The first sound track of a file, to be written into another file along with its pictures.

    Args:
        source: The file.

    Attributes:
        problem: Why there will be no sound, or less of it; None where all is well.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = source
        self.problem: str | None = None
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._waiting: Packet[AudioStream] | None = None
        self._out: AudioStream | None = None
        self._zero = 0.0

    def open(self, container: OutputContainer, path: Path, first: float) -> None:
        """Add the track to a file that is about to be written.

        Args:
            container: The file, before its first packet.
            path: Where it will appear; its suffix decides what it can hold.
            first: Time in seconds of the first picture, with which the sound begins.
        """
        try:
            source = open_container(self.source, _MAX_PIXELS)
        except BadVideoError as error:
            self.problem = str(error)
            return
        tracks = source.streams.audio
        if not tracks:
            source.close()
            return
        track = tracks[0]
        codec = None if track.codec_context is None else track.codec_context.codec.canonical_name
        name = codec or "an unknown kind"
        try:
            if codec is None or codec not in COPIED.get(path.suffix.lower(), (codec,)):
                self.problem = f"its sound ({name}) does not fit into {path.suffix} files and was left out"
                source.close()
                return
            self._zero = origin(source, video_stream(source, self.source, _MAX_PIXELS)) + first
            self._out = container.add_stream_from_template(track)
        except (FFmpegError, ValueError, BadVideoError) as error:
            self.problem = f"its sound ({name}) can't be copied ({type(error).__name__})"
            source.close()
            return
        self._packets = self._read(source, track)

    def write(self, container: OutputContainer, until: float) -> None:
        """Write what sounds before a time, in seconds from the first picture."""
        try:
            while self._out is not None:
                packet = self._waiting or next(self._packets, None)
                self._waiting = packet
                if packet is None or seconds(packet.pts, packet.time_base) - self._zero >= until:
                    return
                self._waiting = None
                self._put(container, packet)
        except FFmpegError as error:
            self.problem = f"its sound could be copied up to {until:.1f} s only ({type(error).__name__})"
            self._out = None

    def _put(self, container: OutputContainer, packet: Packet[AudioStream]) -> None:
        base = packet.time_base
        if base is None or packet.pts is None:
            return
        packet.pts -= round(self._zero / base)
        packet.dts = packet.pts
        packet.stream = cast(AudioStream, self._out)
        container.mux(packet)

    def _read(self, source: av.container.InputContainer, track: AudioStream) -> Iterator[Packet[AudioStream]]:
        with source:
            if self._zero > 1:
                source.seek(int(self._zero * av.time_base))
            for packet in source.demux(track):
                if not packet.size or packet.pts is None:
                    continue
                if seconds(packet.pts, packet.time_base) >= self._zero:
                    yield packet
