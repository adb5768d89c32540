"""Animated pictures are read as videos: every frame, its time and its colors."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from halfsmile.faces.video import animation as module
from halfsmile.faces.video.frames import BadVideoError, frames, probe

COUNT = 7


@pytest.fixture(params=[".gif", ".png", ".webp"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A red square that moves to the right by 10 pixels a frame, on gray."""
    animation = cv2.Animation()
    animation.frames = [
        cv2.rectangle(
            np.full((60, 100, 3), 120, np.uint8), (10 * i, 20), (10 * i + 19, 39), (20, 20, 220), -1
        )
        for i in range(COUNT)
    ]
    animation.durations = [80] * COUNT
    found = tmp_path / f"a{request.param}"
    assert cv2.imwriteanimation(str(found), animation)
    return found


@pytest.mark.parametrize("held", [1, 3 * 6000, 1 << 26])
def test_every_frame_comes_with_its_time(path: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_PIXELS", held)
    found = list(frames(path))
    assert [frame.index for frame in found] == list(range(COUNT))
    assert [frame.time for frame in found] == pytest.approx([0.08 * i for i in range(COUNT)])
    for i, frame in enumerate(found):
        assert frame.image.shape == (60, 100, 3)
        inside, outside = frame.image[30, 10 * i + 10].astype(int), frame.image[5, 5].astype(int)
        assert inside[0] > 180, f"red in frame {i}"
        assert inside[2] < 120
        assert np.abs(outside - 120).max() < 40  # GIF has 256 colors
    assert probe(path).width == 100
    assert probe(path).rate == pytest.approx(12.5, abs=0.1)


def test_parts_and_every(path: Path) -> None:
    assert [frame.index for frame in frames(path, every=3)] == [0, 3, 6]
    assert [frame.index for frame in frames(path, start=0.2, end=0.4)] == [3, 4]


def test_what_is_damaged_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(b"RIFF\x40\0\0\0WEBPVP8X" + bytes(40))
    with pytest.raises(BadVideoError, match="damaged or cut short"):
        list(frames(tmp_path / "a.webp"))


def test_large_frames_are_refused(path: Path) -> None:
    with pytest.raises(BadVideoError, match="pixels"):
        list(frames(path, max_pixels=100))


def test_an_animated_avif_gives_all_its_frames(tmp_path: Path) -> None:
    """Its first picture is a stream of its own, too."""
    pillow = pytest.importorskip("PIL.Image")
    shades = [pillow.fromarray(np.full((48, 64, 3), shade, np.uint8)) for shade in (20, 120, 220)]
    path = tmp_path / "a.avif"
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=100)
    seen = [int(np.median(frame.image)) for frame in frames(path)]
    assert len(seen) == 3
    np.testing.assert_allclose(seen, (20, 120, 220), atol=4)


def test_the_transparency_of_an_animated_avif_is_no_film_of_its_own(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    sheets = [np.full((48, 64, 4), shade, np.uint8) for shade in (20, 120, 220)]
    path = tmp_path / "a.avif"
    first, *others = map(pillow.fromarray, sheets)
    first.save(path, save_all=True, append_images=others, duration=100)
    with av.open(str(path)) as file:
        assert sum(stream.frames == 3 for stream in file.streams.video) == 2
    problems: list[str] = []
    assert len(list(frames(path, problems=problems))) == 3
    assert problems == []
