"""Files that are often taken for pictures or videos and are not read: what they are, and what to do."""

from __future__ import annotations

from halfsmile.data.file_kind import begins_as_video

_HEAD = 1024
_EXPORT = "export it as JPEG or PNG"
_SOUND = "a sound recording, which has no pictures"
_BASE64 = "a picture in Base64, which is text; decode it first (base64 -d FILE > picture.jpg)"
_PLAYLIST = "a playlist, which only names films; name those themselves, or the address of the stream"
_MAGIC = (
    (b"%PDF-", "a PDF document; export its pages as JPEG or PNG"),
    (b"%!PS", f"a PostScript drawing; {_EXPORT}"),
    (b"\xc5\xd0\xd3\xc6", f"a PostScript drawing; {_EXPORT}"),
    (b"8BPS", f"a Photoshop file; {_EXPORT}"),
    (b"gimp xcf", f"a file of GIMP; {_EXPORT}"),
    (b"\xff\x0a", f"a JPEG XL picture, which is not read; {_EXPORT}"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL picture, which is not read; {_EXPORT}"),
    (b"II\xbc\x01", f"a JPEG XR picture, which is not read; {_EXPORT}"),
    (b"\x76\x2f\x31\x01", f"an OpenEXR picture, which is not read; {_EXPORT}"),
    (b"#?RADIANCE", f"a Radiance HDR picture, which is not read; {_EXPORT}"),
    (b"#?RGBE", f"a Radiance HDR picture, which is not read; {_EXPORT}"),
    (b"P7\n", f"a PAM picture, which is not read; {_EXPORT}"),
    (b"PF\n", f"a PFM picture, which is not read; {_EXPORT}"),
    (b"Pf\n", f"a PFM picture, which is not read; {_EXPORT}"),
    (b"DDS ", f"a DirectDraw texture, which is not read; {_EXPORT}"),
    (b"qoif", f"a QOI picture, which is not read; {_EXPORT}"),
    (b"\0\0\x01\0", f"an icon, which is not read; {_EXPORT}"),
    (b"icns", f"an icon, which is not read; {_EXPORT}"),
    (b"SIMPLE  =", f"a FITS picture, which is not read; {_EXPORT}"),
    (b"\x93NUMPY", "an array of NumPy; in Python, Predictor().predict(numpy.load(FILE)) takes it"),
    (b"PK\x03\x04", "a zip archive or an office document; an archive of pictures must be named .zip"),
    (b"Rar!\x1a\x07", "a RAR archive, which is not read; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not read; unpack it"),
    (b"\x1f\x8b", "compressed by gzip; unpack it, or name an archive of pictures .tar.gz"),
    (b"version https://git-lfs", "a pointer of Git LFS instead of the file itself; run git lfs pull"),
    (b"ID3", _SOUND),
    (b"fLaC", _SOUND),
    (b"\xff\xfb", _SOUND),
    (b"\xff\xf3", _SOUND),
    (b"data:image/", _BASE64),
    (b"/9j/", _BASE64),
    (b"iVBORw0KGgo", _BASE64),
    (b"#EXTM3U", _PLAYLIST),
    (b"[playlist]", _PLAYLIST),
)


def other_format(data: bytes) -> str | None:
    """What a file is that is neither picture nor video to be read, and what to do; None where nobody knows.

    Args:
        data: The file, or its first bytes.

    Example:
        >>> other_format(b"<!DOCTYPE html><title>Sign in</title>")
        'an HTML page; the address may have led to a login or an error, or be of a page with a film'
    """
    for magic, words in _MAGIC:
        if data.startswith(magic):
            return words
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _SOUND
    if data[128:132] == b"DICM":
        return f"a DICOM file, which is not read; {_EXPORT}"
    text = _text(data)
    if is_web_page(data):
        return "an HTML page; the address may have led to a login or an error, or be of a page with a film"
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in text:
        return f"an SVG drawing; {_EXPORT}"
    if text.startswith(b"<?xml") and b"<mpd" in text:
        return _PLAYLIST
    return None


def is_web_page(data: bytes) -> bool:
    """Whether a file is a page of HTML.

    Args:
        data: The file, or its first bytes.
    """
    return _text(data).startswith((b"<!doctype html", b"<html"))


def _text(data: bytes) -> bytes:
    """How a text begins, without capitals."""
    return data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()


def other_than_picture(data: bytes) -> str | None:
    """As :func:`other_format`, where only a picture will do: videos are named, too.

    Args:
        data: The file, or its first bytes.
    """
    return other_format(data) or ("a video or a sound recording" if begins_as_video(data) else None)
