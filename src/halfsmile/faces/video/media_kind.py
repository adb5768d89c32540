"""What a named file or word is to ``predict``: a picture, a video, or something that nothing is read from."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Literal

from halfsmile.data.file_kind import file_kind, has_video_suffix
from halfsmile.data.image_formats.others import other_format
from halfsmile.data.readers.folder import is_image

RAW_SUFFIXES = frozenset(
    (".arw", ".cr2", ".cr3", ".crw", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw")
)
RAW = "a camera's raw file, of which only the preview could be read; develop it to JPEG or TIFF first"
MOST_CAMERAS = 100
_HEAD = 1024  # bytes by which known formats are told
_CAMERA = re.compile(r"/dev/video(\d+)")


def media_kind(path: Path) -> Literal["picture", "video"] | None:
    """What a file is, by its content, and by its suffix where that is unknown or damaged."""
    kind = file_kind(path)
    if kind == "picture":
        return "picture"
    is_named_as_video = has_video_suffix(path.name)
    if kind == "animation" or is_named_as_video or (kind == "video" and why_no_video(path) is None):
        return "video"
    return "picture" if is_image(PurePosixPath(path.name)) else None


def what_it_is(path: Path, wanted: str) -> str:
    """What a file is that nothing can be made of.

    Args:
        path: The file.
        wanted: What it is none of, as ``picture nor video``.
    """
    if not path.is_file():
        return "not a regular file" if path.exists() else "a link that leads nowhere"
    try:
        with path.open("rb") as file:
            known = other_format(file.read(_HEAD))
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    if known is None and file_kind(path) == "video":
        return why_no_video(path) or f"neither {wanted}"
    return known or f"neither {wanted}"


def why_no_video(path: Path) -> str | None:
    """Why no frame of a file can be had, without its name; None where one can."""
    if not path.is_file():
        return "it is not a regular file"
    from halfsmile.faces.video.frames import BadVideoError, probe

    try:
        probe(path)
    except (BadVideoError, OSError) as error:
        return str(error).removeprefix(f"{path}: ").rstrip(".")
    return None


def require_name(name: str) -> None:
    """Refuse words that name nothing which can be read, with what to type instead.

    An empty word, as of a variable that was not set, would else be the folder that the command runs in.

    Raises:
        ValueError: If it is empty, ``-``, a ``file:`` address, or the device or number of no camera.
    """
    if not name.strip():
        raise ValueError("A name is empty, perhaps that of a variable that is not set; . is this folder.")
    if name == "-" and not Path(name).exists():
        raise ValueError("-: the standard input is not read; save what it holds as a file and name that.")
    if name.lower().startswith("file:"):
        raise ValueError(f"{name}: name the file itself, without file:, as {_path_of(name)}")
    if camera := _CAMERA.fullmatch(name):
        raise ValueError(f"{name}: a camera is named by its number, {camera[1]}.")
    if name.isdecimal() and len(name) > len(str(MOST_CAMERAS - 1)) and not Path(name).exists():
        raise ValueError(f"{name} does not exist, and cameras have numbers up to {MOST_CAMERAS - 1}.")


def _path_of(address: str) -> str:
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(address).path)
