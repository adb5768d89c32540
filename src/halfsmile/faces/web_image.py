"""A picture by its address: ``https://…/photo.jpg``."""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from halfsmile.data.decode import MAX_FILE_BYTES, BadImageError, decode
from halfsmile.data.image_formats.others import is_web_page
from halfsmile.data.image_header import heif_kind, image_size
from halfsmile.data.preprocess import Image
from halfsmile.data.readers.folder import is_image

_SECONDS, _LONGEST = 20.0, 120.0  # that a server may be silent, and that a picture may take
_HEADER, _CHUNK = 1 << 16, 1 << 18
_MOVING = frozenset(
    (
        ".3g2", ".3gp", ".asf", ".avi", ".flv", ".ivf", ".m2ts", ".m3u8", ".m4v", ".mjpeg", ".mjpg", ".mkv",
        ".mov", ".mp4", ".mpd", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".sdp", ".ts", ".webm", ".wmv",
    )
)  # fmt: skip


def is_web_picture(address: str) -> bool:
    """Whether a picture is at an address, and no video or stream.

    The suffix of its path tells where it is known; else the server is asked for the beginning of the content.
    A server that does not answer has none. A page of HTML counts as a picture: who reads it is told what it
    is.

    Args:
        address: ``http(s)://…``.
    """
    path = PurePosixPath(unquote(urlsplit(address).path))
    if is_image(path):
        return True
    if path.suffix.lower() in _MOVING:
        return False
    try:
        with _open(address) as answer:
            if (
                answer.headers.get_content_maintype() == "multipart"
            ):  # one JPEG after the other, from a camera
                return False
            head = answer.read(_HEADER)
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return image_size(head) is not None or heif_kind(head) is not None or is_web_page(head)


def read_web_image(address: str, name: str | None = None) -> Image:
    """Fetch and decode a picture, as :func:`halfsmile.data.decode.read_image` does a file.

    Args:
        address: ``http(s)://…``; user and password in it are sent as such.
        name: For messages, without secrets; the address by default.

    Returns:
        RGB (H, W, 3) or gray (H, W, 1), uint8.

    Raises:
        BadImageError: If the server does not answer, refuses, or sends anything but a picture.
    """
    shown = name or address
    until = time.monotonic() + _LONGEST
    parts: list[bytes] = []
    size = 0
    try:
        with _open(address) as answer:
            length = answer.headers.get("Content-Length", "")
            while chunk := answer.read(_CHUNK):
                parts.append(chunk)
                size += len(chunk)
                if size > MAX_FILE_BYTES:
                    raise BadImageError(f"{shown}: it has more than {MAX_FILE_BYTES:,} bytes.")
                if time.monotonic() > until:
                    raise BadImageError(f"{shown}: it did not arrive within {_LONGEST:g} s.")
    except urllib.error.HTTPError as error:
        error.close()
        what = f"the server answered {error.code} {error.reason}"
        if 300 <= error.code < 400:
            what = "the server sends on from one address to the next without end, or to no web address"
        raise BadImageError(f"{shown}: {what}.") from error
    except http.client.IncompleteRead as error:
        raise BadImageError(f"{shown}: it broke off after {size + len(error.partial):,} bytes.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        told = getattr(reason, "strerror", None) or reason
        raise BadImageError(f"{shown}: the server can't be reached ({told}).") from error
    if length.isdecimal() and size < int(length):
        raise BadImageError(f"{shown}: it broke off after {size:,} of {int(length):,} bytes.")
    return decode(b"".join(parts), shown)


def _open(address: str) -> Any:
    parts = urlsplit(address)
    headers = {"User-Agent": "halfsmile", "Accept": "image/*,*/*;q=0.5"}
    user, has_user, host = parts.netloc.rpartition("@")
    if has_user:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    clean = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(clean, headers=headers)  # noqa: S310
    return urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310
