from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.predict.conftest import FramedSquares, scene, write_picture

from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.face import NoFace
from halfsmile.predict.inputs import read_picture
from halfsmile.predict.predictor import Predictor

PICTURE = scene([(20, 30, 32)])


class ArrayLike:
    """As a tensor of a framework that NumPy knows how to read."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Image:
        return PICTURE


def test_every_way_to_hand_over_a_file_gives_its_pixels(tmp_path: Path) -> None:
    file = write_picture(tmp_path / "a.png", PICTURE)
    data = file.read_bytes()
    with file.open("rb") as opened:
        for given, name in (
            (str(file), str(file)),
            (file, str(file)),
            (data, "bytes"),
            (bytearray(data), "bytes"),
            (memoryview(data), "bytes"),
            (io.BytesIO(data), "file"),
            (opened, str(file)),
            (ArrayLike(), "array"),
        ):
            image, source = read_picture(given)  # type: ignore[arg-type]
            assert source == name
            np.testing.assert_array_equal(image, PICTURE)


@pytest.mark.parametrize(
    ("order", "channels"),
    [("RGB", [0, 1, 2]), ("BGR", [2, 1, 0]), ("RGBA", [0, 1, 2, 0]), ("BGRA", [2, 1, 0, 0])],
)
def test_the_order_of_channels_is_told_and_transparency_dropped(order: Any, channels: list[int]) -> None:
    given = PICTURE[:, :, channels]
    np.testing.assert_array_equal(read_picture(given, channel_order=order)[0], PICTURE)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 65535.0)])
def test_other_numbers_are_taken_where_black_and_white_are_told(low: float, high: float) -> None:
    values = PICTURE / 255 * (high - low) + low
    np.testing.assert_array_equal(read_picture(values, value_range=(low, high))[0], PICTURE)
    np.testing.assert_array_equal(
        read_picture(values.astype(np.float32), value_range=(low, high))[0], PICTURE
    )


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (PICTURE / 255, {}, r"uint8.*value_range=\(0, 1\)"),
        (PICTURE * 1.0, {"value_range": (0, 1)}, "beyond value_range"),
        (PICTURE / np.nan, {"value_range": (0, 1)}, "finite"),
        (PICTURE / 255, {"value_range": (1, 0)}, "black < white"),
        (np.dstack([PICTURE, PICTURE[:, :, 0]]), {}, 'channel_order="RGBA"'),
        (PICTURE, {"channel_order": "RGBA"}, "RGBA"),
        (PICTURE, {"channel_order": "GBR"}, "channel_order is one of"),
        (PICTURE.transpose(2, 0, 1), {}, r"shape.*transpose\(1, 2, 0\)"),
        (PICTURE[None], {}, "shape.*Predictor.faces"),
        (PICTURE[:0], {}, "empty"),
        (PICTURE.tolist(), {}, "array"),
        ([PICTURE, PICTURE], {}, "predict_many.*faces"),
        (["a.jpg"], {}, "predict_many"),
        ([], {}, "predict_many"),
        (None, {}, "picture.*NoneType"),
        (0, {}, "Predictor.video"),
        (io.StringIO("x"), {}, "'rb'"),
        (PICTURE.astype(complex), {"value_range": (0, 255)}, "numbers, found complex128"),
        ("", {}, "path is empty"),
        ("file:///home/me/a.jpg", {}, "without file:"),
        (io.BytesIO(), {}, r"nothing is left.*seek\(0\)"),
        (b"", {}, "empty"),
        (b"\0\0\0\x18ftypisom", {}, "not an image, but a video"),
        (b"not a picture", {}, "not an image"),
    ],
)
def test_what_is_no_picture_is_told_with_what_to_do(given: Any, options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_picture(given, **options)


@pytest.mark.parametrize("text", ["data:image/png;base64,iVBORw0K", "iVBORw0K" * 1000])
def test_base64_is_told_from_a_path(text: str) -> None:
    with pytest.raises(BadImageError, match=r"is no path. If it is a picture in Base64"):
        read_picture(text)


def test_a_folder_and_a_video_are_answered_with_the_method_for_them(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match="predict_many"):
        read_picture(tmp_path)
    with write_video(tmp_path / "clip.mp4") as write:
        write(PICTURE, 0.0)
    (tmp_path / "clip.mp4").rename(tmp_path / "clip.jpg")
    with pytest.raises(BadImageError, match=r"Predictor\.video"):
        read_picture(tmp_path / "clip.jpg")


def test_images_of_pil_are_read_as_their_files_are(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    alpha = np.full(PICTURE.shape[:2], 7, np.uint8)
    exif = pil.Exif()
    exif[0x0112] = 6
    turned = pil.fromarray(PICTURE[:40])
    turned.save(tmp_path / "turned.png", exif=exif)
    pil.fromarray(np.dstack([PICTURE, alpha])).save(tmp_path / "alpha.png")
    pil.fromarray(PICTURE[:, :, 0]).save(tmp_path / "gray.png")
    pil.fromarray(PICTURE).quantize(8).save(tmp_path / "palette.png")
    pil.fromarray(PICTURE[:, :, 0] > 100).save(tmp_path / "bits.png")
    cv2.imwrite(str(tmp_path / "deep.png"), PICTURE[:, :, 0].astype(np.uint16) * 257)
    for name in ("turned", "alpha", "gray", "palette", "bits", "deep"):
        with pil.open(tmp_path / f"{name}.png") as image:
            found, source = read_picture(image)
        np.testing.assert_array_equal(found, read_picture(tmp_path / f"{name}.png")[0], err_msg=name)
        assert source == str(tmp_path / f"{name}.png")
    assert read_picture(pil.fromarray(PICTURE))[1] == "PIL image"


def test_files_that_give_no_bytes_are_told_how_to_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    file: Any
    with (tmp_path / "a.jpg").open(encoding="utf-8") as file, pytest.raises(ValueError, match="'rb'"):
        read_picture(file)
    with pytest.raises(BadImageError, match=r"a\.jpg: it can't be read .*'rb'"):
        read_picture(file)  # it is closed
    with (tmp_path / "b.jpg").open("wb") as written, pytest.raises(BadImageError, match="'rb'"):
        read_picture(written)


@pytest.mark.parametrize(
    ("values", "mode"), [(PICTURE[:, :, 0].astype(np.int32), "I"), (PICTURE[:, :, 0] / 255, "F")]
)
def test_images_of_pil_of_which_nothing_tells_what_is_white_are_refused(values: Any, mode: str) -> None:
    image = pytest.importorskip("PIL.Image").fromarray(
        np.asarray(values, np.int32 if mode == "I" else np.float32)
    )
    assert image.mode == mode
    with pytest.raises(ValueError, match=rf"32 bits \(mode {mode}\).*value_range"):
        read_picture(image)


@pytest.mark.parametrize("name", ["a.pgm", "a.png", "turned.png"])
def test_pictures_of_16_bits_that_pil_opened_are_read_as_their_files(name: str, tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    deep = PICTURE[:40, :, 0].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / name), deep)
    with pil.open(tmp_path / name) as image:
        opened = image.convert("I") if name != "a.pgm" else image
        opened.format = image.format
        if name == "turned.png":
            opened.getexif()[0x0112] = 3
        seen = read_picture(opened)[0]
    expected = PICTURE[:40, :, :1]
    np.testing.assert_array_equal(seen, expected[::-1, ::-1] if name == "turned.png" else expected)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match=r"none\.png does not exist\.$"):
        read_picture(tmp_path / "none.png")


def test_many_pictures_are_a_list_of_anything_or_a_folder(tmp_path: Path, predictor: Predictor) -> None:
    file = write_picture(tmp_path / "in/a.png", PICTURE)
    write_picture(tmp_path / "in/b.png", PICTURE)
    (tmp_path / "in/notes.txt").write_text("x")
    found = list(
        predictor.predict_many([file, PICTURE, file.read_bytes(), PICTURE.tolist(), tmp_path / "in"])
    )
    assert [face.source for face in found] == [
        str(file), "array 1", "bytes 2", "picture 3", str(file), str(tmp_path / "in/b.png"),
    ]  # fmt: skip
    assert [isinstance(face, NoFace) for face in found] == [False, False, False, True, False, False]
    assert [face.source for face in predictor.predict_many(tmp_path / "in")] == [
        str(tmp_path / "in/a.png"),
        str(tmp_path / "in/b.png"),
    ]
    for wrong in (PICTURE, file.read_bytes(), 3):
        with pytest.raises(ValueError, match="list of pictures or a folder"):
            next(predictor.predict_many(wrong))  # type: ignore[arg-type]


def test_bgr_pixels_are_answered_as_rgb_ones(predictor: Predictor) -> None:
    assert isinstance(predictor.detector, FramedSquares)
    expected = predictor.predict(PICTURE)
    assert len(expected) == 1
    assert predictor.predict(PICTURE[:, :, ::-1], channel_order="BGR") == expected
    (explained,) = predictor.explain(PICTURE[:, :, ::-1], channel_order="BGR")
    assert explained.face == expected[0]
