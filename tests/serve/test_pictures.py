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
    with pytest.raises(BadImageError, match="not a picture that is read here"):
        claimed_pixels(Sent("a.jpg", b"\0\0\0\x18ftypisom" + bytes(60)), 10_000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"<!doctype html><title>", "not a picture, but an HTML page"),
        (b"8BPS\0\1", "not a picture, but a Photoshop file; export it as JPEG or PNG"),
        (b"\xff\x0a\xfa", "not a picture, but a JPEG XL picture, which is not read"),
    ],
)
def test_what_is_sent_instead_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BadImageError, match=f"^a.jpg: {words}"):
        claimed_pixels(Sent("a.jpg", data), 10_000)
