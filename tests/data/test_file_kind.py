"""Files of every kind under names that say nothing."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.file_kind import file_kind, is_animated

PICTURE = np.full((20, 30, 3), 90, np.uint8)
STILLS = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm", ".gif")


def moving(path: Path, count: int) -> bytes:
    animation = cv2.Animation()
    animation.frames = [cv2.circle(PICTURE.copy(), (5 + 6 * i, 10), 4, (0, 0, 255), -1) for i in range(count)]
    animation.durations = [80] * count
    assert cv2.imwriteanimation(str(path), animation)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", STILLS)
def test_stills_are_pictures(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "name").write_bytes(cv2.imencode(suffix, PICTURE)[1].tobytes())
    assert file_kind(tmp_path / "name") == "picture"


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("count", [2, 3])
def test_two_frames_or_more_are_an_animation(tmp_path: Path, suffix: str, count: int) -> None:
    data = moving(tmp_path / f"a{suffix}", count)
    (tmp_path / "name.jpg").write_bytes(data)
    assert file_kind(tmp_path / "name.jpg") == "animation"
    for cut in (0, 5, 12, 25, 40, 100):  # never an error, wherever it ends
        is_animated(io.BytesIO(data[:cut]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x18ftypisom" + bytes(20), "video"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "picture"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "video"),
        (b"\xff\x4f\xff\x51" + bytes(40), "picture"),
        (b"\0\0\x01\xba" + bytes(20), "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        ((b"\x47" + bytes(187)) * 4, "video"),
        (b"BMW and other cars, a text of some length", None),
        (b"GIF8", None),
        (b"P5 is a paper size", None),
        (b"source,frame\na.jpg,1\n", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell(tmp_path: Path, data: bytes, kind: str | None) -> None:
    (tmp_path / "name.txt").write_bytes(data)
    assert file_kind(tmp_path / "name.txt") == kind


def test_what_is_no_file_is_nothing(tmp_path: Path) -> None:
    assert file_kind(tmp_path) is None
    assert file_kind(tmp_path / "missing") is None
