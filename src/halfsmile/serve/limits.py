"""What a server takes on: every number that keeps it from running out of memory, disk or time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Limits of one server. What exceeds them is refused with a reason, never cut silently.

    Args:
        body_bytes: Largest body of a request with pictures.
        body_seconds: Longest time for such a body to arrive.
        idle_seconds: Longest pause of a client in the middle of a body; also for the lines before it.
        memory_bytes: Bodies held in memory at once, of all requests together.
        files: Pictures in a request.
        pixels: Largest picture, by its header.
        queue_pixels: Pixels of all pictures that wait or are analyzed; one byte per color each.
        queue: Pictures that wait; more give 429.
        batch: Pictures of one batch.
        batch_seconds: How long an idle server waits for a batch to fill.
        request_seconds: Longest time from body to answer; then 503.
        concurrency: Requests being served at once; more give 429.
        video_bytes: Largest video file.
        video_body_seconds: Longest time for it to arrive.
        frames: Frames of a video.
        video_seconds: Length of a video.
        jobs: Videos in hand, finished ones included; more give 429, but finished ones make place.
        running_jobs: Videos analyzed in turn at the same time.
        results_bytes: Results of one video on disk.
        keep_seconds: How long results of a finished video stay.
        streams: WebSocket connections at once.
        frame_bytes: Largest picture of a stream.
        frame_pixels: Its pixels.
        stream_idle_seconds: A stream that sends nothing for so long is closed.

    Raises:
        ValueError: If one is not positive, or the queue can't hold the largest picture.
    """

    body_bytes: int = 32 * MIB
    body_seconds: float = 60.0
    idle_seconds: float = 10.0
    memory_bytes: int = 512 * MIB
    files: int = 32
    pixels: int = 40_000_000
    queue_pixels: int = 200_000_000
    queue: int = 256
    batch: int = 8
    batch_seconds: float = 0.004
    request_seconds: float = 60.0
    concurrency: int = 128
    video_bytes: int = 2048 * MIB
    video_body_seconds: float = 1800.0
    frames: int = 216_000
    video_seconds: float = 7200.0
    jobs: int = 8
    running_jobs: int = 2
    results_bytes: int = 1024 * MIB
    keep_seconds: float = 600.0
    streams: int = 8
    frame_bytes: int = 4 * MIB
    frame_pixels: int = 3840 * 2160
    stream_idle_seconds: float = 120.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"The limit {field.name} must be positive, found {value}.")
        if self.queue_pixels < max(self.pixels, self.frame_pixels):
            raise ValueError(
                f"queue_pixels is {self.queue_pixels:,}, less than the largest picture of "
                f"{max(self.pixels, self.frame_pixels):,} pixels; no such picture could ever be analyzed."
            )
        if self.queue < self.files:
            raise ValueError(
                f"queue is {self.queue}, less than the {self.files} pictures of the largest request; "
                "it could never be answered."
            )

    def public(self) -> dict[str, int | float]:
        """What a client may want to know before it sends anything."""
        names = ("body_bytes", "files", "pixels", "video_bytes", "video_seconds", "frames", "frame_bytes")
        return {name: getattr(self, name) for name in names}


_UNITS = {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "s": 1.0, "min": 60.0, "h": 3600.0, "": 1.0}


def limits_of(given: Iterable[str]) -> ServerLimits:
    """The usual limits, some of them replaced.

    Args:
        given: ``name=number`` each, with KiB, MiB or GiB behind bytes and s, min or h behind seconds.

    Raises:
        ValueError: If a name is unknown, or a number is none or out of range.

    Example:
        >>> limits_of(["video_seconds=90min", "body_bytes=64 MiB"]).video_seconds
        5400.0
    """
    known = {field.name: type(getattr(ServerLimits, field.name)) for field in fields(ServerLimits)}
    found: dict[str, float] = {}
    for one in given:
        name, _, text = one.partition("=")
        match = re.fullmatch(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
        if name.strip() not in known:
            raise ValueError(f"--limits: {name!r} is no limit; there are {', '.join(known)}.")
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(
                f"--limits: {one!r}; expected {name}=NUMBER, with KiB, MiB, GiB, s, min or h behind it if "
                "you like."
            )
        number = float(re.sub("[_,]", "", match[1])) * _UNITS[match[2].lower()]
        found[name.strip()] = known[name.strip()](number)
    return ServerLimits(**found)  # type: ignore[arg-type]
