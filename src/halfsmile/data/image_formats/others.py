"""Files that are often taken for pictures and are not read: what they are, and what to do."""

from __future__ import annotations

_HEAD = 1024
_EXPORT = "export it as JPEG or PNG"
_MAGIC = (
    (b"%PDF-", "a PDF document; export its pages as JPEG or PNG"),
    (b"8BPS", f"a Photoshop file; {_EXPORT}"),
    (b"\xff\x0a", f"a JPEG XL picture, which is not read; {_EXPORT}"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL picture, which is not read; {_EXPORT}"),
    (b"\x76\x2f\x31\x01", f"an OpenEXR picture, which is not read; {_EXPORT}"),
    (b"#?RADIANCE", f"a Radiance HDR picture, which is not read; {_EXPORT}"),
    (b"#?RGBE", f"a Radiance HDR picture, which is not read; {_EXPORT}"),
    (b"DDS ", f"a DirectDraw texture, which is not read; {_EXPORT}"),
    (b"qoif", f"a QOI picture, which is not read; {_EXPORT}"),
    (b"\0\0\x01\0", f"an icon, which is not read; {_EXPORT}"),
    (b"PK\x03\x04", "a zip archive or an office document; an archive of pictures must be named .zip"),
    (b"Rar!\x1a\x07", "a RAR archive, which is not read; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not read; unpack it"),
)


def other_format(data: bytes) -> str | None:
    """What a file is that is no picture which can be read, and what to do; None where nobody knows.

    Args:
        data: The file, or its first bytes.

    Example:
        >>> other_format(b"<!DOCTYPE html><title>Sign in</title>")
        'an HTML page; the address of a picture may have led to a login or an error'
    """
    for magic, words in _MAGIC:
        if data.startswith(magic):
            return words
    text = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page; the address of a picture may have led to a login or an error"
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in text:
        return f"an SVG drawing; {_EXPORT}"
    return None
