"""From what a user names to what can be processed: pictures, videos, cameras and streams.

======================  ==================================================================================
``photo.jpg``           a picture: JPEG, PNG, WebP, GIF, BMP, TIFF, PNM, JPEG 2000, HEIC, AVIF
``clip.mp4``            a video
``folder``              every picture, video and archive below it, except hidden ones
``faces.zip``           every picture in the archive (also .tar, .tar.gz, .tar.bz2, .tar.xz)
``'shots/**/*.png'``    what the pattern matches, by the rules of ``glob.glob``
``0``                   a camera by its number
``https://…/a.jpg``     a picture
``rtsp://…``            a stream (also rtsps, rtmp, http, https, udp, srt)
======================  ==================================================================================

Content decides what a file is, whatever its name: a picture, a video, or an animated GIF, PNG or WebP, which
is a video, too. Suffixes decide in archives, where an animation is a picture, its first.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, open_archive
from halfsmile.data.decode import read_image
from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.preprocess import Image
from halfsmile.data.readers.folder import is_image, is_utf8, walk
from halfsmile.faces.video.media_kind import (
    RAW,
    RAW_SUFFIXES,
    media_kind,
    require_name,
    what_it_is,
    why_no_video,
)
from halfsmile.faces.web_image import is_web_picture, read_web_image

SCHEMES = ("http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp")
_NOT_UTF8 = "the name is not UTF-8; rename it"
_DATA = re.compile(r"data:[\w.+/-]*(;[^,]*)?,", re.IGNORECASE)
_USER = re.compile(r"^([a-z]+://)[^/?#]*@", re.IGNORECASE)  # up to the last @: passwords hold some
_SECRETS = re.compile(r"([?&][^=&]*(?:user|pass|pwd|key|token|secret|auth)[^=&]*=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True)
class MediaSource:
    """One thing to process.

    Args:
        kind: ``picture``, ``video`` (a file), ``camera`` or ``stream``; the last two need not end.
        name: As results and messages call it; an address without user, password and keys.
        place: Path within what the user named, for files that are written about it; without ``..``.
        root: Folder or archive of a picture.
        locator: Of the picture below ``root``; of a stream, its whole address.
        pictures: Of a video that is a folder of pictures, those in their order.
    """

    kind: Literal["picture", "video", "camera", "stream"]
    name: str
    place: PurePosixPath
    root: Path = Path()
    locator: str = ""
    pictures: tuple[MediaSource, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether somebody has to stop it."""
        return self.kind in ("camera", "stream")

    @property
    def key(self) -> str:
        """The same for all names of one file or member of an archive; links are not followed."""
        return self.name if self.is_remote else os.path.abspath(self.name)

    @property
    def is_remote(self) -> bool:
        """Whether it is no file of this machine."""
        return self.is_live or (self.kind == "picture" and "://" in self.locator and self.root == Path())

    def read(self, problems: list[str] | None = None) -> Image:
        """The pixels of a picture.

        Args:
            problems: See :func:`halfsmile.data.decode.read_image`.

        Raises:
            BadImageError: If it can't be read.
        """
        if self.is_remote:
            return read_web_image(self.locator, self.name)
        return read_image(self.root, self.locator, problems=problems)

    @property
    def file(self) -> Path:
        """The file that holds it; of a picture in an archive, the archive."""
        if self.kind == "video":
            return Path(self.name)
        return self.root if self.root.is_file() else self.root / self.locator

    @property
    def video(self) -> str | int:
        """What :func:`halfsmile.faces.video.frames.frames` takes for a video, camera or stream."""
        if self.kind == "camera":
            return int(self.name)
        return self.locator if self.kind == "stream" else self.name


@dataclass(frozen=True)
class MediaSources:
    """What was found.

    Args:
        items: In the order of the names given, each once, by the first of its names.
        ignored: (name, reason) of files that are neither picture, video nor readable archive.
        notes: What else should be known, as members that an archive was refused, or what was left out.
    """

    items: tuple[MediaSource, ...]
    ignored: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Named(Container[str]):
    """Holds every name of some sources, in whatever spelling."""

    def __init__(self, sources: Iterable[MediaSource]) -> None:
        self._keys = {source.key for source in sources}

    def __contains__(self, name: object) -> bool:
        return name in self._keys or os.path.abspath(str(name)) in self._keys


@dataclass
class _Search:
    items: dict[str, MediaSource] = field(default_factory=dict)
    ignored: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, source: MediaSource) -> None:
        self.items.setdefault(source.key, source)

    def ignore(self, name: str, reason: str) -> None:
        self.ignored.setdefault(os.path.abspath(name), (name, reason))


def find_sources(names: Iterable[str | Path], *, leave_out: Sequence[Path] = ()) -> MediaSources:
    """Everything behind some names.

    Args:
        names: See the top of this module.
        leave_out: Folders that results are written to. Where one lies within a folder that is named, what is
            in it is left out, with a note; where it is the named folder or file itself or lies above it,
            nothing is.

    Raises:
        ValueError: If there is no such file, a pattern matches nothing, an address is of an unknown kind, or
            nothing can be processed.
    """
    given = [str(name) for name in names]
    if not given:
        raise ValueError("Name at least one picture, video, folder, archive, camera or address.")
    found = _Search()
    for name in given:
        _add(found, name)
    _leave_out(found, leave_out, given)
    ignored, notes = tuple(found.ignored.values()), tuple(dict.fromkeys(found.notes))
    if not found.items:
        where = ", ".join(map(_shown, given))
        count = "1 file" if len(ignored) == 1 else f"{len(ignored):,} files"
        detail = f"; ignored: {count}, first {ignored[0][0]} ({ignored[0][1]})" if ignored else ""
        raise ValueError(" ".join((f"There is no picture and no video in {where}{detail}.", *notes)))
    return MediaSources(tuple(found.items.values()), ignored, notes)


def _add(found: _Search, name: str) -> None:
    path = Path(name)
    require_name(name)
    if name.isdecimal() and not path.exists():
        found.add(MediaSource("camera", name, PurePosixPath(f"camera-{name}")))
    elif _DATA.match(name):
        raise ValueError(f"{name[:40]}…: data: addresses are not read; save what they hold as a file.")
    elif "://" in name:
        scheme = name.partition("://")[0].lower()
        if scheme not in SCHEMES:
            raise ValueError(f"{name}: streams are read from {', '.join(SCHEMES)} addresses, not {scheme}.")
        name = scheme + name[len(scheme) :]
        public = _SECRETS.sub(r"\1…", _USER.sub(r"\1", name))
        try:
            is_picture = scheme in ("http", "https") and is_web_picture(name)
        except ValueError as error:
            raise ValueError(f"{public} is no address that can be read ({error}).") from error
        kind: Literal["picture", "stream"] = "picture" if is_picture else "stream"
        found.add(MediaSource(kind, public, PurePosixPath(_stream_place(public)), locator=name))
    elif path.is_dir():
        _add_folder(found, path)
    elif path.exists():
        _add_file(found, path)
    elif glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise ValueError(f"No file matches {_shown(name)}.")
        for match in map(Path, matches):
            if match.is_dir():
                continue
            _add_file(found, match)
    else:
        raise ValueError(f"{_shown(name)} does not exist.")


def _add_folder(found: _Search, root: Path) -> None:
    if not is_utf8(str(root)):
        found.ignore(_shown(str(root)), _NOT_UTF8)
        return
    names, notes = walk(root)
    found.notes += notes
    for name in names:
        place = PurePosixPath(name)
        full = str(root / name)
        if any(part.startswith(".") or part == "__MACOSX" for part in place.parts):
            continue
        if name.lower().endswith(ARCHIVE_SUFFIXES):
            _add_archive(found, root / name, place)
        elif place.suffix.lower() in RAW_SUFFIXES:
            found.ignore(full, f"{place.suffix}: {RAW}")
        elif (kind := media_kind(root / name)) == "picture":
            found.add(MediaSource("picture", full, place, root, name))
        elif kind == "video":
            found.add(MediaSource("video", full, place))
        else:
            reason = what_it_is(root / name, "picture nor video")
            found.ignore(full, f"{place.suffix or 'no suffix'}: {reason}")


def _add_file(found: _Search, path: Path) -> None:
    place = PurePosixPath(path.name)
    if not is_utf8(str(path)):
        found.ignore(_shown(str(path)), _NOT_UTF8)
    elif path.name.lower().endswith(ARCHIVE_SUFFIXES):
        _add_archive(found, path, place)
    elif path.suffix.lower() in RAW_SUFFIXES:
        found.ignore(str(path), RAW)
    elif (kind := media_kind(path)) == "video" or (kind is None and why_no_video(path) is None):
        found.add(MediaSource("video", str(path), place))
    elif kind == "picture":
        found.add(MediaSource("picture", str(path), place, path.parent, path.name))
    else:
        found.ignore(str(path), what_it_is(path, "picture, video nor archive"))


def _add_archive(found: _Search, path: Path, place: PurePosixPath) -> None:
    try:
        archive = open_archive(path)
    except ValueError as error:
        found.ignore(str(path), str(error))
        return
    found.notes += archive.notes
    for member in archive.names:
        inside = PurePosixPath(member)
        name = f"{path}!{member}"
        if any(part.startswith(".") or part == "__MACOSX" for part in inside.parts):
            continue
        if is_image(inside):
            found.add(MediaSource("picture", name, place.with_suffix("") / inside, path, member))
        elif has_video_suffix(member):
            found.ignore(name, "videos in archives are not read; unpack it")
        elif member.lower().endswith(ARCHIVE_SUFFIXES):
            found.ignore(name, "archives in archives are not read; unpack it")
        else:
            found.ignore(name, f"{inside.suffix or 'no suffix'}: no picture")


def _stream_place(address: str) -> str:
    """A file name of an address."""
    rest = address.partition("://")[2].partition("?")[0]
    name = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in rest)
    return name.strip("-.") or "stream"


def _shown(name: str) -> str:
    """A name as messages can hold it."""
    return name if is_utf8(name) else repr(os.fsencode(name))


def _leave_out(found: _Search, folders: Sequence[Path], given: Sequence[str]) -> None:
    """Take out what lies in one of the folders, but not what the user named in it, nor what that holds."""
    named = [Path(_fixed_part(name)) for name in given if "://" not in name]
    there = [folder for folder in folders if folder.exists()]
    files = {
        key: source.file.resolve() for key, source in found.items.items() if there and not source.is_remote
    }
    for folder in there:
        results = folder.resolve()
        kept = [Path(os.path.abspath(path)) for path in named if path.resolve().is_relative_to(results)]
        left_out = [
            key
            for key, file in files.items()
            if file.is_relative_to(results)
            and not any(Path(os.path.abspath(found.items[key].file)).is_relative_to(path) for path in kept)
        ]
        for key in left_out:
            del found.items[key], files[key]
        if left_out:
            what = "1 picture or video" if len(left_out) == 1 else f"{len(left_out):,} pictures and videos"
            found.notes.append(f"{what} in {folder} left out: results are written there.")


def _fixed_part(name: str) -> str:
    """Of a pattern, the folder that it looks in."""
    if os.path.exists(name) or not glob.has_magic(name):
        return name
    parts = Path(name).parts
    return str(Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))]))
