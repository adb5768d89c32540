"""Which stream of a container is the video."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from av.stream import Disposition

from halfsmile.faces.video.source import MAX_PIXELS, BadVideoError, video_stream


def container(*dispositions: Disposition, sound: bool = False) -> Any:
    video = [
        SimpleNamespace(type="video", disposition=each, codec_context=object(), width=64, height=48, frames=0)
        for each in dispositions
    ]
    others = [SimpleNamespace(type="audio")] if sound else []
    return SimpleNamespace(streams=Streams([*video, *others]))


class Streams(list[Any]):
    @property
    def video(self) -> list[Any]:
        return [stream for stream in self if stream.type == "video"]


def test_cover_art_and_tiles_are_no_video() -> None:
    for piece in (Disposition.attached_pic, Disposition.dependent | Disposition.default):
        found = container(piece, Disposition.default)
        assert video_stream(found, "a.mp4", MAX_PIXELS) is found.streams[1]
        with pytest.raises(BadVideoError, match=r"a\.heic: there is no video stream, but still pictures\."):
            video_stream(container(piece, piece), "a.heic", MAX_PIXELS)
    with pytest.raises(BadVideoError, match="but audio, still pictures"):
        video_stream(container(Disposition.attached_pic, sound=True), "a.m4a", MAX_PIXELS)
