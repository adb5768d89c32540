"""Pictures of high dynamic range are seen as those of standard range are."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.decode import decode, read_image
from halfsmile.data.image_formats.hdr import hdr_curve
from halfsmile.data.tone import CURVES, Curve, tone_mapped

COLORS = np.array([[30, 30, 30], [120, 120, 120], [150, 110, 90], [60, 90, 140]], np.uint8)
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def pq(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The signal of colors whose white is diffuse white."""
    light = np.clip((colors / 255) ** 2.4 @ TO_2020.T, 0, 1)
    y = (light * 203 / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def png(
    signal: npt.NDArray[np.float64], transfer: int | None, *, primaries: int = 9, full_range: int = 1
) -> bytes:
    """A PNG file of 16 bits, with or without the chunk that tells its curve."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    samples = np.rint(signal * 65535).astype(">u2")
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    told = b"" if transfer is None else chunk(b"cICP", bytes([primaries, transfer, 0, full_range]))
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if samples.ndim == 3 else 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + told + pixels + chunk(b"IEND", b"")


def test_a_picture_in_pq_has_the_colors_of_its_twin_and_that_is_told(tmp_path: Path) -> None:
    sheet = np.repeat(np.repeat(COLORS[None], 8, 0), 8, 1)
    (tmp_path / "a.png").write_bytes(png(pq(sheet), 16))
    problems: list[str] = []
    image = read_image(tmp_path, "a.png", problems=problems)
    assert np.abs(image.astype(int) - sheet).max() <= 4
    assert problems == ["a.png: high dynamic range (PQ, HDR) was tone-mapped to the standard range."]
    gray = decode(png(pq(sheet)[:, :8, 0], 16), "gray.png")
    assert gray.shape == (8, 8, 1)
    assert np.abs(gray.astype(int) - 30).max() <= 4


def test_pictures_of_standard_range_stay_as_they_are() -> None:
    sheet = np.repeat(np.repeat(COLORS[None], 8, 0), 8, 1)
    for transfer in (None, 1, 13):
        np.testing.assert_array_equal(decode(png(sheet / 255, transfer), "a.png"), sheet)


@pytest.mark.parametrize("told", [{"primaries": 1}, {"primaries": 12}, {"full_range": 0}])
def test_pictures_of_other_colors_or_narrow_range_stay_as_they_are(told: dict[str, int]) -> None:
    sheet = np.repeat(np.repeat(COLORS[None], 8, 0), 8, 1)
    problems: list[str] = []
    seen = decode(png(sheet / 255, 16, **told), "a.png", problems=problems)
    np.testing.assert_array_equal(seen, sheet)
    assert problems == []


def boxes(*transfers: int, more: bytes = b"", primaries: int = 9) -> bytes:
    """The head of a HEIC file with boxes of color."""
    colors = b"".join(b"\0\0\0\x13colrnclx" + struct.pack(">HHHB", primaries, t, 9, 128) for t in transfers)
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + more + colors


@pytest.mark.parametrize(
    ("data", "curve"),
    [
        (boxes(16), "PQ"),
        (boxes(18, 18), "HLG"),
        (boxes(13), None),
        (boxes(), None),
        (boxes(13, 16), None),  # which of them is the picture's is not told
        (boxes(16, more=b"\0\0\0\x15infe\2\0\0\0\0\2\0\0tmap\0"), None),  # that of a gain map's result
        (boxes(16, more=b"\0\0\0\x17infe\3\0\0\0\0\0\0\2\0\0tmap\0"), None),
        (boxes(16).replace(b"heic\0\0\0\0mif1heic", b"heic\0\0\0\0mif1tmap"), None),
        (boxes(16, more=b"<rdf:li>bitmap</rdf:li>"), "PQ"),
        (boxes(16, more=b"\0\0\0\x15infe\2\0\0\0\0\2\0\0mimebitmap\0"), "PQ"),
        (boxes(16, primaries=12), None),
        (boxes(18, primaries=1), None),
        (boxes(16, more=b"\0\0\2\x18colrprof"), None),
        (boxes(16)[:-7], None),
        (b"colrnclx" + bytes([0, 9, 0, 16, 0, 9, 128]), None),
    ],
)
def test_boxes_of_color_tell_the_curve(data: bytes, curve: Curve | None) -> None:
    assert hdr_curve(data) == curve


@pytest.mark.parametrize("transfer", [16, 18])
def test_photographs_of_cameras_in_heif_are_tone_mapped(transfer: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    pillow = pytest.importorskip("PIL.Image")
    heif.register_heif_opener()
    sheet = np.repeat(np.repeat(COLORS[None], 32, 0), 16, 1)
    plain, marked = io.BytesIO(), io.BytesIO()
    image = pillow.fromarray(np.rint(255 * pq(sheet)).astype(np.uint8))
    image.save(plain, "HEIF", quality=95)
    image.save(marked, "HEIF", quality=95, color_primaries=9, transfer_characteristics=transfer)
    if hdr_curve(marked.getvalue()) is None:
        pytest.skip("this pillow-heif does not write the curve")
    problems: list[str] = []
    seen = decode(marked.getvalue(), "a.heic", problems=problems).astype(int)
    assert CURVES[transfer] in problems[0]
    signal = decode(plain.getvalue(), "a.heic").astype(np.uint16) * 257
    assert np.abs(seen - tone_mapped(signal, CURVES[transfer])).mean() < 1
    if transfer == 16:
        assert np.abs(seen - sheet).mean() < 8
