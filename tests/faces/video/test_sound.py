"""The sound of a film in a copy of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from halfsmile.faces.video.frames import frames
from halfsmile.faces.video.sound import Sound
from halfsmile.faces.video.writer import write_video

SOUND_RATE = 44100


def film(path: Path, *, codec: str | None = "aac", rate: int = SOUND_RATE, seconds: float = 2.0) -> Path:
    """Pictures of ten a second, and a tone whose loudness rises."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio: Any = file.add_stream(codec, rate=rate) if codec else None
        if audio is not None:
            audio.layout = "mono"
        for i in range(round(10 * seconds)):
            pixels = np.full((64, 64, 3), 10 * i, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(video.encode(None))
        if audio is not None:
            kind = "s16" if str(codec).startswith("pcm") else "fltp"
            for i in range(round(SOUND_RATE * seconds / 1024)):
                samples = np.sin(np.arange(1024) / 16) * i / 100
                values = (samples * 32767).astype(np.int16) if kind == "s16" else samples.astype(np.float32)
                tone = av.AudioFrame.from_ndarray(values[None], format=kind, layout="mono")
                tone.rate, tone.pts, tone.time_base = SOUND_RATE, 1024 * i, Fraction(1, SOUND_RATE)
                file.mux(audio.encode(tone))
            file.mux(audio.encode(None))
    return path


def copy(source: Path, target: Path, *, start: float = 0.0, end: float | None = None) -> Sound:
    sound = Sound(source)
    with write_video(target, sound=sound) as write:
        for frame in frames(source, start=start, end=end, problems=[]):
            write(frame.image, frame.time)
    return sound


def packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as file:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in file.demux(file.streams.audio[0])
            if packet.size and packet.pts is not None and packet.time_base is not None
        ]


def test_sound_is_copied_as_it_is(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4")
    sound = copy(source, tmp_path / "b.mp4")
    assert sound.problem is None
    before, after = packets(source), packets(tmp_path / "b.mp4")
    assert len(before) > 80
    known = {data: time for time, data in before}
    assert len(after) >= len(before) - 3
    for time, data in after:
        assert time == pytest.approx(known[data], abs=0.03)
    assert len(list(frames(tmp_path / "b.mp4"))) == 20


@pytest.mark.parametrize(
    ("encoder", "codec", "rate"),
    [("libmp3lame", "mp3", 44100), ("libopus", "opus", 48000), ("flac", "flac", 44100)],
)
def test_sound_is_known_by_its_codec_whatever_decodes_it(
    tmp_path: Path, encoder: str, codec: str, rate: int
) -> None:
    source = film(tmp_path / "a.mp4", codec=encoder, rate=rate)
    assert copy(source, tmp_path / "b.mp4").problem is None
    before, after = packets(source), packets(tmp_path / "b.mp4")
    assert len(after) >= len(before) - 3 > 0
    assert {data for _, data in after} <= {data for _, data in before}
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert file.streams.audio[0].codec_context.codec.canonical_name == codec
        assert sum(frame.samples for frame in file.decode(audio=0)) / rate == pytest.approx(2.0, abs=0.15)


def test_a_part_has_its_part_of_the_sound(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4")
    copy(source, tmp_path / "b.mp4", start=0.5, end=1.5)
    known = {data: time for time, data in packets(source)}
    after = packets(tmp_path / "b.mp4")
    assert 0.9 < len(after) * 1024 / SOUND_RATE < 1.1
    for time, data in after:
        assert time + 0.5 == pytest.approx(known[data], abs=0.03)


def test_a_film_without_sound_has_a_copy_without(tmp_path: Path) -> None:
    sound = copy(film(tmp_path / "a.mp4", codec=None), tmp_path / "b.mp4")
    assert sound.problem is None
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_sound_that_does_not_fit_is_told(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", codec="pcm_s16le")
    sound = copy(source, tmp_path / "b.mp4")
    assert sound.problem is not None
    assert "pcm_s16le" in sound.problem
    assert len(list(frames(tmp_path / "b.mp4"))) == 20
    assert copy(source, tmp_path / "b.mkv").problem is None
    with av.open(str(tmp_path / "b.mkv")) as file:
        assert sorted(stream.type for stream in file.streams) == ["audio", "video"]
