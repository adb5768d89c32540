"""Written videos are read back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces.video.frames import frames, probe
from halfsmile.faces.video.writer import write_video


def shaded(index: int, height: int = 48, width: int = 64) -> Image:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 3 + index, columns * 2 + index, 200 - rows - index], axis=2).astype(np.uint8)


def write_all(path: Path, given: Iterable[tuple[Image, float]], codec: str | None = None) -> None:
    with write_video(path, codec=codec) as write:
        for image, time in given:
            write(image, time)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("codec", [None, "mpeg4"])
def test_pictures_and_uneven_times_come_back(tmp_path: Path, name: str, codec: str | None) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.3, 30)) + 7
    path = tmp_path / "new" / name
    with write_video(path, codec=codec, quality=10) as write:
        for index, time in enumerate(times):
            write(shaded(index), time)
        assert not path.exists()
    found = list(frames(path))
    assert np.allclose([frame.time for frame in found], times - times[0], atol=1.1e-3)
    for index, frame in enumerate(found):
        assert np.abs(frame.image.astype(int) - shaded(index)).mean() < 5
    assert probe(path).codec == ("mpeg4" if codec else "h264")


def test_odd_sizes_are_filled_up(tmp_path: Path) -> None:
    with write_video(tmp_path / "a.mp4", quality=10) as write:
        write(shaded(0, 47, 63), 0)
    image = next(frames(tmp_path / "a.mp4")).image
    assert image.shape == (48, 64, 3)
    assert np.abs(image[:47, :63].astype(int) - shaded(0, 47, 63)).mean() < 5


def test_high_definition_keeps_its_colors(tmp_path: Path) -> None:
    pixels = np.full((720, 1280, 3), (30, 160, 30), np.uint8)
    with write_video(tmp_path / "a.mp4") as write:
        write(pixels, 0)
    assert np.abs(next(frames(tmp_path / "a.mp4")).image.astype(int) - pixels).max() < 4


@pytest.mark.parametrize("suffix", [".gif", "", ".jpg"])
def test_unknown_types_of_file_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ValueError, match=r"\.mp4"), write_video(tmp_path / f"a{suffix}"):
        pass


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "no picture"),
        ([(shaded(0), 0), (shaded(0, 50), 1)], "one shape"),
        ([(shaded(0), 1), (shaded(1), 1)], "Times rise"),
        ([(shaded(0)[:, :, 0], 0)], "uint8"),
        ([(shaded(0).astype(np.float32), 0)], "uint8"),
    ],
)
def test_what_is_no_video_is_refused_and_leaves_no_file(
    tmp_path: Path, given: list[tuple[Any, float]], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        write_all(tmp_path / "a.mp4", given)
    assert list(tmp_path.iterdir()) == []


def test_unknown_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no video encoder 'nothing'"):
        write_all(tmp_path / "a.mp4", [(shaded(0), 0)], codec="nothing")


def test_times_closer_than_a_tick_still_rise(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    times = [0.0, 1.0, math.nextafter(1.0, 2.0), 1.04]
    write_all(path, [(shaded(i), time) for i, time in enumerate(times)])
    found = [frame.time for frame in frames(path)]
    assert found == pytest.approx(times, abs=1e-4)
    assert found == sorted(set(found))


def test_an_error_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="Times rise"):
        write_all(path, [(shaded(0), 0), (shaded(1), -1)])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
