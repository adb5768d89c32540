from __future__ import annotations

import io
import zipfile

import pytest

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.image_formats.others import other_format


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html>\n<html><title>Sign in", "an HTML page; the address .* login or an error"),
        (b"\xef\xbb\xbf\r\n  <HTML lang=en>", "an HTML page"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="', "an SVG drawing; export it as"),
        (b"<svg width='3'/>", "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF document; export its pages"),
        (b"8BPS\0\1\0\0\0\0\0\0\0\3", "a Photoshop file"),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL picture, which is not read; export it as JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "a JPEG XL picture"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "a Radiance HDR picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript drawing; export it as JPEG or PNG"),
        (bytes(128) + b"DICM" + bytes(9), "a DICOM file, which is not read; export it as JPEG or PNG"),
        (b"\x93NUMPY\1\0", r"an array of NumPy; in Python, Predictor\(\)\.predict\(numpy\.load"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS .* run git lfs pull"),
        (b"/9j/4AAQSkZJRgABAQ", "a picture in Base64, which is text; decode it first"),
        (b"\x1f\x8b\x08\0", r"compressed by gzip; unpack it, or .* \.tar\.gz"),
        (b"P7\nWIDTH 4\n", "a PAM picture, which is not read"),
        (b"#EXTM3U\n#EXTINF:10,\na.ts\n", "a playlist, which only names films; name those themselves"),
        (b'<?xml version="1.0"?><MPD xmlns="urn', "a playlist"),
        (b"ID3\4\0", "a sound recording, which has no pictures"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound recording"),
        (b"\0\0\0\x18ftypisom", "a video or a sound recording"),
        (zipped(), "a zip archive or an office document; .* must be named"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(BadImageError, match=f"^login.jpg: not an image, but {words}"):
        decode(data, "login.jpg")


@pytest.mark.parametrize("data", [b"", b"\xff", b"noise", b'<?xml version="1.0"?><note/>', b"\xff\xd8\xff"])
def test_nothing_is_guessed(data: bytes) -> None:
    assert other_format(data) is None
