"""Opening of a video file or network stream, and what its header says."""

from __future__ import annotations

import errno
import os
import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import (
    ArgumentError,
    DecoderNotFoundError,
    DemuxerNotFoundError,
    ExitError,
    ExperimentalError,
    FFmpegError,
    HTTPClientError,
    HTTPError,
    InvalidDataError,
    PatchWelcomeError,
    ProtocolNotFoundError,
)
from av.error import EOFError as EndOfFileError
from av.stream import Disposition
from av.video.stream import VideoStream

from halfsmile.data.image_formats.others import other_format
from halfsmile.data.image_header import heif_kind, image_size

MAX_PIXELS = 2**26  # twice a frame of 8K video
NETWORK_SECONDS = 10.0  # how long a network stream may be silent
_HEAD = 1 << 16  # bytes by which pictures and other formats are told
_ANALYZED = "2000000"  # microseconds of a network stream that are looked at before its first frame is given
_FORMATS = (  # no playlists, which open other files; no still pictures; no text
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,"
    "gif,apng,dv,mxf,nut,rm,wtv,yuv4mpegpipe"
)
_ANIMATIONS = ("avis", "hevc", "hevx", "msf1")  # brands of files whose gray streams are transparency

_WORDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (InvalidDataError, "its data are damaged or of no known format"),
    (EndOfFileError, "it ends there"),
    (ExitError, f"nothing came for {NETWORK_SECONDS:g} s"),
    (
        (ProtocolNotFoundError, DemuxerNotFoundError, DecoderNotFoundError),
        "this FFmpeg has no decoder for it",
    ),
    (ArgumentError, "what it says of itself, or leads to, is not valid"),
    ((PatchWelcomeError, ExperimentalError), "this FFmpeg has no decoder for it"),
)
"""FFmpeg's errors, and what is said of them."""


class BadVideoError(ValueError):
    """A source that no frame can be had from: the message says of which and why."""


def is_address(source: str | Path) -> bool:
    """Whether a source is on a network, as ``rtsp://…``, and not a file."""
    return isinstance(source, str) and "://" in source


def open_container(source: str | Path, max_pixels: int) -> InputContainer:
    """Open a file, which may then read nothing but itself, or an address.

    Raises:
        BadVideoError: If it does not exist, is empty, is no video, or does not answer.
    """
    options = {"max_pixels": str(max_pixels)}
    if is_address(source):
        name = str(source)
        options |= {"rtsp_transport": "tcp", "analyzeduration": _ANALYZED}
    else:
        path = Path(source)
        if not path.is_file():
            what = "it is not a regular file" if path.exists() else "there is no such file"
            what = "it is a folder; name a video in it" if path.is_dir() else what
            raise BadVideoError(f"{source}: {what}.")
        if not path.stat().st_size:
            raise BadVideoError(f"{source}: the file is empty.")
        name = f"file:{path}"
        options |= {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    timeout = NETWORK_SECONDS if is_address(source) else None
    try:
        return av.open(name, options=options, timeout=timeout, metadata_errors="replace")
    except FFmpegError as error:
        if not is_address(source) and (known := _known(Path(source))):
            raise BadVideoError(f"{source}: it is no video, but {known}.") from error
        is_cut_like = isinstance(error, InvalidDataError) and not is_address(source)
        hint = "; an MP4 file cut short before its index looks so" if is_cut_like else ""
        raise BadVideoError(f"{source}: can't be read as a video ({told(error)}{hint}).") from error


def _known(path: Path) -> str | None:
    """What a file is that FFmpeg can't read."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if image_size(head) is not None or heif_kind(head) == "still":
        return "a picture"
    return other_format(head)


def told(error: FFmpegError) -> str:
    """What FFmpeg complains of, in words of ours."""
    for kinds, words in _WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, HTTPError | HTTPClientError):
        match = re.search(r"\b[45]\d\d\b", str(error.strerror))
        return f"the server answered {match[0]}" if match else "the server refused"
    if getattr(error, "errno", None) == errno.EIO:
        return "it breaks off there"
    if isinstance(error, OSError) and error.errno is not None and 0 < error.errno < 1000:
        return os.strerror(error.errno).lower()
    return f"FFmpeg can't go on ({type(error).__name__})"


def video_stream(container: InputContainer, source: str | Path, max_pixels: int) -> VideoStream:
    """The first stream of moving pictures; of an animated AVIF not its first picture alone.

    Raises:
        BadVideoError: If there is none, it is of an unknown codec, or its frames are too large.
    """
    streams = moving_pictures(container)
    if not streams:
        kinds = sorted({s.type.replace("video", "still pictures") for s in container.streams})
        raise BadVideoError(
            f"{source}: there is no video stream, but {', '.join(kinds)}."
            if kinds
            else f"{source}: there is no stream; an MP4 file cut short before its index looks so."
        )
    stream = next((stream for stream in streams if stream.frames != 1), streams[0])
    if stream.codec_context is None:
        raise BadVideoError(f"{source}: FFmpeg has no decoder for its video stream.")
    if stream.width * stream.height > max_pixels:
        raise BadVideoError(
            f"{source}: frames of {stream.width} x {stream.height} pixels are larger than the {max_pixels} "
            "pixels allowed."
        )
    if not stream.width and not is_address(source):
        raise BadVideoError(f"{source}: frames are damaged, or larger than the {max_pixels} pixels allowed.")
    return stream


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The streams of pictures without cover art and the tiles of a HEIC picture."""
    pieces = Disposition.attached_pic | Disposition.dependent
    return [stream for stream in container.streams.video if not stream.disposition & pieces]


def count_films(container: InputContainer) -> int:
    """How many films a file holds side by side; the transparency of an animated picture is none."""
    films = [stream for stream in moving_pictures(container) if stream.frames != 1]
    if container.metadata.get("major_brand") in _ANIMATIONS:
        films = [film for film in films if not str(film.format and film.format.name).startswith("gray")]
    return len(films)


def stream_duration(stream: VideoStream) -> float | None:
    """Seconds from a stream's first frame to the end of its last, if the file says so."""
    if stream.duration:
        return seconds(stream.duration, stream.time_base)
    clock = stream.metadata.get("DURATION", "").split(":")  # of Matroska: HH:MM:SS.fraction, from time zero
    try:
        hours, minutes, rest = map(float, clock)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + rest - seconds(stream.start_time, stream.time_base)


def origin(container: InputContainer, stream: VideoStream) -> float:
    """Time stamp in seconds that counts as zero: of what comes first, picture or sound."""
    first = (container.start_time or 0) / av.time_base
    own = seconds(stream.start_time, stream.time_base)
    return own if abs(first - own) < 1e-3 else first  # the container's time is rounded


def seconds(ticks: int | None, time_base: Fraction | None) -> float:
    """Ticks of a clock in seconds; 0 for None."""
    return float((ticks or 0) * (time_base or 0))
