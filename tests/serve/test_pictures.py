"""What the server takes for a picture, before and while it decodes it."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from halfsmile.data.decode import BadImageError
from halfsmile.serve.pictures import Sent, claimed_pixels, decode_picture


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_pictures_of_phones_are_taken_by_their_content(kind: str) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    file = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(np.full((64, 96, 3), 99, np.uint8)).save(file, kind)
    sent = Sent("IMG_1.jpg", file.getvalue())
    assert claimed_pixels(sent, 10_000) == 64 * 96
    assert decode_picture(sent, 10_000).shape == (64, 96, 3)
    with pytest.raises(BadImageError, match=r"IMG_1.jpg: 96 × 64 pixels are more than the 6,000 taken here"):
        claimed_pixels(sent, 6_000)
    with pytest.raises(BadImageError, match=r"IMG_1.jpg: the HEIC or AVIF picture is damaged"):
        claimed_pixels(Sent("IMG_1.jpg", file.getvalue()[:40]), 10_000)


def test_without_the_extra_a_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadImageError, match=r"pip install 'halfsmile\[heif\]'"):
        claimed_pixels(Sent("IMG_1.HEIC", b"\0\0\0\x18ftypheic" + bytes(60)), 10_000)


def test_a_video_is_no_picture() -> None:
    with pytest.raises(BadImageError, match=r"^a.jpg: not a picture, but a video or a sound recording\.$"):
        claimed_pixels(Sent("a.jpg", b"\0\0\0\x18ftypisom" + bytes(60)), 10_000)


def test_formats_of_files_are_not_those_of_the_server() -> None:
    for data in (b"P5 640 480 255 ", b"II*\0\x08\0\0\0\0\0", b"whatever it is"):
        with pytest.raises(BadImageError, match="not a picture that is read here"):
            claimed_pixels(Sent("a.jpg", data), 10_000_000)


def test_a_header_that_looks_like_that_of_a_film_does_not_hide_a_picture() -> None:
    gif = bytearray(b"GIF89a" + b"\x30\0\x20\0" + bytes(600))
    gif[188] = gif[376] = ord("G")  # as the packets of a transport stream begin
    assert claimed_pixels(Sent("a.gif", bytes(gif)), 10_000) == 48 * 32


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"<!doctype html><title>", "not a picture, but an HTML page"),
        (b"/9j/4AAQSkZJRgABAQ", "not a picture, but a picture in Base64, which is text; decode it first"),
        (b"data:image/png;base64,iVBOR", "not a picture, but a picture in Base64"),
        (b"\x1f\x8b\x08\0", "not a picture, but compressed by gzip"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a picture, but a sound recording"),
        (b"RIFF\0\0\0\0AVI LIST", "not a picture, but a video or a sound recording"),
        (b"8BPS\0\1", "not a picture, but a Photoshop file; export it as JPEG or PNG"),
        (b"\xff\x0a\xfa", "not a picture, but a JPEG XL picture, which is not read"),
    ],
)
def test_what_is_sent_instead_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BadImageError, match=f"^a.jpg: {words}"):
        claimed_pixels(Sent("a.jpg", data), 10_000)
