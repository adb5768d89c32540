"""Odd, damaged and hidden-away pictures, all generated."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from halfsmile.data.decode import BadImageError, decode, pixel_sha256, read_image

X, Y = np.meshgrid(np.arange(64), np.arange(48))
GRAY = (X * 3 + Y).astype(np.uint8)
RGB = np.stack([GRAY, 255 - GRAY, np.full_like(GRAY, 90)], axis=2)


def encoded(pixels: npt.NDArray[Any], file_format: str, mode: str | None = None, **options: Any) -> bytes:
    picture = Pillow.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, file_format, **options)
    return buffer.getvalue()


def close(found: npt.NDArray[Any], expected: npt.NDArray[Any], tolerance: float) -> bool:
    same = found.shape == expected.shape and found.dtype == np.uint8
    return bool(same and np.abs(found.astype(int) - expected.astype(int)).mean() <= tolerance)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_color_is_exact(file_format: str) -> None:
    assert np.array_equal(decode(encoded(RGB, file_format), "x"), RGB)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "GIF", "JPEG2000"])
def test_lossy_color_is_close_and_in_rgb_order(file_format: str) -> None:
    assert close(decode(encoded(RGB, file_format), "x"), RGB, 6)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_gray_files_have_one_channel(file_format: str) -> None:
    assert close(decode(encoded(GRAY, file_format), "x"), GRAY[:, :, None], 2)


def test_cmyk_jpeg_becomes_rgb() -> None:
    assert close(decode(encoded(RGB, "JPEG", mode="CMYK"), "x"), RGB, 8)


def test_palette_becomes_rgb() -> None:
    assert close(decode(encoded(RGB, "PNG", mode="P"), "x"), RGB, 30)


def test_black_and_white_png_uses_the_full_range() -> None:
    assert set(np.unique(decode(encoded(GRAY, "PNG", mode="1"), "x"))) == {0, 255}


def test_transparency_is_dropped_and_the_color_beneath_kept() -> None:
    transparent = np.dstack([RGB, np.zeros_like(GRAY)])
    assert np.array_equal(decode(encoded(transparent, "PNG"), "x"), RGB)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    wide = GRAY.astype(np.uint16) * 257
    assert np.array_equal(decode(cv2.imencode(".png", wide)[1].tobytes(), "x"), GRAY[:, :, None])
    color = cv2.cvtColor(RGB.astype(np.uint16) * 257, cv2.COLOR_RGB2BGR)
    assert np.array_equal(decode(cv2.imencode(".png", color)[1].tobytes(), "x"), RGB)


def test_every_value_of_sixteen_bits_is_rounded_to_the_nearest_of_eight() -> None:
    values = np.arange(65_536).reshape(256, 256)
    data = cv2.imencode(".png", values.astype(np.uint16))[1].tobytes()
    assert np.array_equal(decode(data, "a.png")[:, :, 0], np.round(values / 257))


def test_floating_point_samples_are_refused() -> None:
    with pytest.raises(BadImageError, match="float32"):
        decode(encoded(GRAY.astype(np.float32), "TIFF"), "x")


@pytest.mark.parametrize(
    ("orientation", "turns", "flip"), [(3, 2, False), (6, 3, False), (8, 1, False), (2, 0, True)]
)
def test_exif_orientation_is_applied(orientation: int, turns: int, flip: bool) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    upright = np.rot90(RGB[:, ::-1] if flip else RGB, turns)
    assert close(decode(encoded(RGB, "JPEG", exif=exif, quality=95), "x"), upright, 4)


@pytest.mark.parametrize(("file_format", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_animations_give_their_first_picture(file_format: str, options: dict[str, Any]) -> None:
    others = [Pillow.fromarray(255 - RGB), Pillow.fromarray(RGB // 2)]
    data = encoded(RGB, file_format, save_all=True, append_images=others, **options)
    assert close(decode(data, "x"), RGB, 6)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.98])
def test_files_cut_short_are_refused(file_format: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = encoded(noise, file_format)
    with pytest.raises(BadImageError, match=r"^name\.x: "):
        decode(data[: int(len(data) * share)], "name.x")


def test_a_thumbnail_does_not_hide_that_a_jpeg_is_cut_short() -> None:
    thumbnail = encoded(RGB[::4, ::4].copy(), "JPEG")
    application = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = encoded(RGB, "JPEG")
    data = whole[:2] + application + whole[2:]
    assert close(decode(data, "x"), RGB, 6)
    with pytest.raises(BadImageError, match="cut short"):
        decode(data[: int(len(data) * 0.9)], "x")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    assert close(decode(encoded(RGB, "JPEG") + b"trailer" * 9, "x"), RGB, 6)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>no</html>", "not an image"),
        (b"\xff\xd8", "cut short"),
        (b"\0\0\0\x18ftypheic", "export them as JPEG|damaged or cut short"),
        (b"\0\0\0\x18ftypavis", "export them as JPEG|damaged or cut short"),
        (b"\0\0\0\x18ftypisom", "not an image"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason):
        decode(data, "x")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for locator in ("none.png", "folder.png", "none.zip!a.png", "none.csv#0"):
        with pytest.raises(BadImageError, match=r"none|folder"):
            read_image(tmp_path, locator)


def test_zip_members_are_read_from_many_threads(tmp_path: Path) -> None:
    pictures = {f"in/{i}.png": np.full((5, 4, 1), i, np.uint8) for i in range(60)}
    with zipfile.ZipFile(tmp_path / "Faces.zip", "w") as archive:
        for name, pixels in pictures.items():
            archive.writestr(name, encoded(pixels[:, :, 0], "PNG"))
    names = list(pictures) * 4
    with ThreadPoolExecutor(8) as pool:
        below = list(pool.map(lambda name: read_image(tmp_path, f"Faces.zip!{name}"), names))
        itself = list(pool.map(lambda name: read_image(tmp_path / "Faces.zip", name), names))
    for name, first, second in zip(names, below, itself, strict=True):
        assert np.array_equal(first, pictures[name])
        assert np.array_equal(second, pictures[name])
    with pytest.raises(BadImageError, match=r"no member 'in/x\.png'"):
        read_image(tmp_path, "Faces.zip!in/x.png")


def test_a_replaced_archive_is_opened_anew(tmp_path: Path) -> None:
    for value in (10, 200):
        path = tmp_path / "a.zip"
        path.unlink(missing_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.png", encoded(np.full((4, 4 + value), value, np.uint8), "PNG"))
        assert (read_image(tmp_path, "a.zip!x.png") == value).all()


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(BadImageError, match="not a readable zip"):
        read_image(tmp_path, "bad.zip!x.png")
    data = encoded(np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8), "PNG")
    with zipfile.ZipFile(tmp_path / "bit.zip", "w") as archive:
        archive.writestr("x.png", data)
    whole = bytearray((tmp_path / "bit.zip").read_bytes())
    whole[200] ^= 0xFF
    (tmp_path / "bit.zip").write_bytes(whole)
    with pytest.raises(BadImageError, match=r"can't be read"):
        read_image(tmp_path, "bit.zip!x.png")


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_pixel_tables(tmp_path: Path, end: str) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    lines = ["emotion,pixels,Usage", *(f"0,{' '.join(map(str, row.ravel()))},Training" for row in rows)]
    (tmp_path / "f.csv").write_bytes(((end or "\n").join(lines) + end).encode())
    for i, row in enumerate(rows):
        assert np.array_equal(read_image(tmp_path, f"f.csv#{i}"), row[:, :, None])
    with pytest.raises(BadImageError, match="only 3 rows"):
        read_image(tmp_path, "f.csv#3")


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [("1 2 3", "square"), ("", "square"), ("1 2 3 x", "whole"), ("1 2 3 256", "256"), ("1 2 3 -4", "whole")],
)
def test_damaged_pixel_rows_are_refused(tmp_path: Path, pixels: str, reason: str) -> None:
    (tmp_path / "f.csv").write_text(f"pixels,Usage\n{pixels},Training\n")
    with pytest.raises(BadImageError, match=reason):
        read_image(tmp_path, "f.csv#0")


def test_tables_without_pixels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadImageError, match="no column 'pixels'"):
        read_image(tmp_path, "f.csv#0")


def test_a_file_name_may_contain_the_marks_of_other_locators(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a#1.png", "b!c.png", "d.zip!e.png"):
            (tmp_path / name).write_bytes(encoded(GRAY, "PNG"))
            archive.write(tmp_path / name, name)
            assert np.array_equal(read_image(tmp_path, name), GRAY[:, :, None])
    for name in archive.namelist():
        assert np.array_equal(read_image(tmp_path / "all.zip", name), GRAY[:, :, None])


@pytest.mark.parametrize("name", ["scores.csv#1", "set.parquet#7", "set.rec@4", "faces-1.tar#512+2048"])
def test_a_file_named_like_a_place_in_another_is_read_where_there_is_no_other(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(encoded(GRAY, "PNG"))
    assert np.array_equal(read_image(tmp_path, name), GRAY[:, :, None])
    (tmp_path / name[: name.index("#" if "#" in name else "@")]).write_bytes(b"the other one")
    with pytest.raises(BadImageError):
        read_image(tmp_path, name)


def test_hash_depends_on_pixels_and_shape_only() -> None:
    assert pixel_sha256(decode(encoded(RGB, "PNG"), "a")) == pixel_sha256(decode(encoded(RGB, "BMP"), "b"))
    assert pixel_sha256(RGB) != pixel_sha256(RGB[::-1])
    assert pixel_sha256(np.zeros((2, 8, 1), np.uint8)) != pixel_sha256(np.zeros((4, 4, 1), np.uint8))


def png_that_claims(width: int, height: int) -> bytes:
    """A whole PNG of one pixel whose header says another size, checksum and all."""
    data = encoded(GRAY[:1, :1], "PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def test_pictures_of_absurd_size_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    for data in (
        png_that_claims(30_000, 30_000),
        png_that_claims(2**31 - 1, 1),
        b"P5 30000 30000 255\n",
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 30_000, -30_000) + bytes(99),
    ):
        with pytest.raises(
            BadImageError, match=r"claims [\d,]+ × [\d,]+ pixels; at most 134,217,728 are decoded"
        ):
            decode(data, "x")


def test_what_is_no_regular_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name in ("pipe.png", "zero.png", "loop.png"):
        with pytest.raises(BadImageError, match=name):
            read_image(tmp_path, name)


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadImageError, match="1,099,511,627,776 bytes"):
        read_image(tmp_path, "a.png")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tgz", "tar.xz"])
def test_members_of_tars(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.png").write_bytes(encoded(RGB, "PNG"))
    mode = {"tar": "w", "tar.xz": "w:xz"}.get(kind, "w:gz")
    with tarfile.open(tmp_path / f"a.{kind}", mode) as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "x.png", "in/x.png")
    assert np.array_equal(read_image(tmp_path, f"a.{kind}!in/x.png"), RGB)
    assert np.array_equal(read_image(tmp_path / f"a.{kind}", "in/x.png"), RGB)
    with pytest.raises(BadImageError, match=rf"a\.{kind}!none: .* has no member 'none'"):
        read_image(tmp_path, f"a.{kind}!none")


def test_records_and_cells_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(b"no record")
    for locator in ("a.rec@0", "none.rec@0", "none.parquet#0", f"a.rec@{10**17}"):
        with pytest.raises(BadImageError, match=locator):
            read_image(tmp_path, locator)
