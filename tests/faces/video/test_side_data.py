"""Motion JPEG whose frames bring EXIF, a kind of side data that PyAV has no name for."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from halfsmile.faces.video.frames import frames, probe

PICTURE = np.zeros((48, 64, 3), np.uint8)
PICTURE[:24, :32] = (220, 20, 20)  # red at the upper left
RESOLUTION_UNIT = 0x0128


def jpeg(orientation: int | None, *, tag: int = 0x0112) -> bytes:
    data = cv2.imencode(".jpg", PICTURE[:, :, ::-1])[1].tobytes()
    if orientation is None:
        return data
    tags = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, tag, 3, 1, orientation, 0, 0)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags + data[2:]


def film(path: Path, orientation: int | None, *, tag: int = 0x0112, rotation: float | None = None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(4):
            packet = av.Packet(jpeg(orientation, tag=tag))
            packet.stream, packet.pts, packet.dts, packet.duration = stream, i, i, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 10), True
            container.mux(packet)
    return path


@pytest.mark.parametrize("name", ["a.avi", "a.mov", "a.mkv"])
def test_frames_with_exif_are_those_without(tmp_path: Path, name: str) -> None:
    plain = list(frames(film(tmp_path / f"plain-{name}", None)))
    exif = list(frames(film(tmp_path / name, 1)))
    assert [(frame.index, frame.time) for frame in exif] == [(frame.index, frame.time) for frame in plain]
    assert all((a.image == b.image).all() for a, b in zip(exif, plain, strict=True))
    assert probe(tmp_path / name).width == 64


def test_a_turn_is_seen_beside_side_data_of_unknown_kinds(tmp_path: Path) -> None:
    (turned, *_) = frames(film(tmp_path / "a.mov", 2, tag=RESOLUTION_UNIT, rotation=90))
    (plain, *_) = frames(film(tmp_path / "b.mov", None, rotation=90))
    assert turned.image.shape == plain.image.shape == (64, 48, 3)
    assert (turned.image == plain.image).all()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_orientation_in_exif_is_applied_once(tmp_path: Path, orientation: int) -> None:
    (frame, *_) = frames(film(tmp_path / "a.avi", orientation))
    turns = {3: 2, 6: 3, 8: 1}[orientation]
    expected = np.rot90(PICTURE, turns)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 12
