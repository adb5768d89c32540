"""Where the pictures or videos of a table are: as it says, or found by the end of their path."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import unquote

import pyarrow as pa

from halfsmile.data.containers.archive import (
    ARCHIVE_SUFFIXES,
    inner_path,
    members_below,
    open_archive,
    split_locator,
)
from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.readers.folder import is_hidden, is_image, walk
from halfsmile.data.tables.intervals import INTERVAL, any_video
from halfsmile.data.tables.values import names_picture, without_query

_SAMPLE = 50
_UPLOADED = re.compile(r"(^|/)(data/upload/|data/local-files/|[0-9a-f]{8}-)")
_OF_LABEL_STUDIO = (
    " If Label Studio wrote this table: `halfsmile data import PICTURES TABLE --layout folder --out "
    "list.parquet`."
)
_MARK = re.compile("[!#@]")
_ENDINGS = ("", "_aligned")


def locate(
    base: Path,
    images: Sequence[str],
    table: str,
    folders: Sequence[str] = (),
    videos: Sequence[str | None] = (),
    *,
    are_videos: bool = False,
) -> tuple[Path, list[str], list[str]]:
    r"""The root of a table's pictures, their locators below it, and notes.

    Paths of another machine are found by their end: ``C:\faces\a\1.png`` is ``a/1.png`` or ``1.png`` below
    the folder, where only one picture fits. Names without a suffix stand for the picture of that name, and
    numbers for the one of that number: 7 is ``0007.png``. Names of videos are looked for among videos only.

    Args:
        base: The table's folder, or the archive that it lies in.
        images: As the table names them, with ``/`` between folders.
        table: Name of the table, for notes.
        folders: For each picture the folder of its table below ``base``, with ``/`` behind it or empty.
        videos: For each picture the video whose frame it is where the table names it by its number there: it
            is looked for in folders that are called as the video or its file without the suffix.
        are_videos: Whether the rows are whole videos or parts of them, also where no suffix says so.
    """
    are_videos = are_videos or _are_videos(images)
    videos = videos or [None] * len(images)
    if any(folders):
        inside = set(_members(base)) if base.is_file() else None
        places = [folder + image for folder, image in zip(folders, images, strict=True)]
        images = [
            place if (place in inside if inside is not None else _is_there(base, place)) else image
            for place, image in zip(places, images, strict=True)
        ]
    if base.is_dir() and _are_there(base, images):
        return base, list(images), []
    if base.is_dir() and not are_videos:  # those are not read in archives
        archives = _archives(base)
        if len(archives) == 1 and not (images and os.path.isfile(base / images[0])):
            names = _members(archives[0])
            if set(images) & set(names):
                base = archives[0]
    names = _members(base) if base.is_file() else _files(base, are_videos=are_videos)
    if base.is_dir() and not are_videos and (archives := _archives(base)):
        names = [*names, *members_below(base, [archive.name for archive in archives])[0]]
    return base, *_found(images, names, table, base, folders or [""] * len(images), videos)


def left_beside(base: Path, images: Sequence[str], table: str) -> list[str]:
    """A note on what no row of a table names in a folder or archive: pictures, of a table of videos those.

    There is none where all are in no row.

    Args:
        base: The root of the pictures.
        images: Locators of all rows below it.
        table: Name of the table.
    """
    are_videos = _are_videos(images)
    archives = {member[0] for image in images if (member := split_locator(image)) is not None}
    files = {image if split_locator(image) else _MARK.split(image, maxsplit=1)[0] for image in images}
    root = os.path.abspath(base)
    named = {os.path.relpath(os.path.join(root, file), root).replace(os.sep, "/") for file in files}
    if base.is_file():
        names = [name for name in _members(base) if is_image(PurePosixPath(name))]
    else:
        names = _files(base, are_videos=are_videos)
        names += [n for n in members_below(base, sorted(archives))[0] if is_image(PurePosixPath(n))]
    bare = [name for name in names if name not in named]
    if not bare or len(bare) == len(names):
        return []
    are = ("video" if are_videos else "picture") + (" is" if len(bare) == 1 else "s are")
    return [LeftOut(f"{len(bare):,} {are} in no row that was read of {table}, first {bare[0]}.")]


def _are_videos(images: Sequence[str]) -> bool:
    """Whether rows are videos: some by their suffix, or parts of one, and none is a picture by its suffix."""
    is_some = any(INTERVAL in name for name in images) or any_video(pa.chunked_array([images], pa.string()))
    return is_some and not any(map(names_picture, images))


def _archives(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name.lower().endswith(ARCHIVE_SUFFIXES))


def _members(archive: Path) -> list[str]:
    try:
        return list(open_archive(archive).names)
    except ValueError:
        return []


def _files(folder: Path, *, are_videos: bool) -> list[str]:
    """The pictures of a folder, or its videos: these also where it has no picture."""
    names = walk(folder)[0]
    pictures = [] if are_videos else [name for name in names if is_image(PurePosixPath(name))]
    return pictures or [name for name in names if has_video_suffix(name) and not is_hidden(name)]


def _are_there(base: Path, images: Sequence[str]) -> bool:
    """Whether some of the pictures, taken evenly, are where the table says."""
    step = max(1, len(images) // _SAMPLE)
    return all(_is_there(base, image) for image in images[::step])


def _is_there(base: Path, image: str) -> bool:
    return os.path.isfile(base / image) or os.path.isfile(base / _MARK.split(image, maxsplit=1)[0])


def _found(
    images: Sequence[str],
    names: Sequence[str],
    table: str,
    base: Path,
    folders: Sequence[str],
    videos: Sequence[str | None],
) -> tuple[list[str], list[str]]:
    """Locators of pictures by the ends of their paths, those below their table's folder first, and notes."""
    there = set(names)
    by_end: defaultdict[str, list[str]] = defaultdict(list)
    by_stem: defaultdict[str, list[str]] = defaultdict(list)
    by_number: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        by_end[_plain(path.name)].append(name)
        by_stem[_plain(path.stem)].append(name)
        if path.stem.isdecimal():
            by_number[path.stem.lstrip("0")].append(name)
    locators: list[str] = []
    moved: list[tuple[str, str]] = []
    missing: list[str] = []
    torn: list[tuple[str, list[str]]] = []
    frames: list[str] = []
    for image, folder, video in zip(images, folders, videos, strict=True):
        found: str | None = image
        if image not in there and not (base.is_dir() and _is_there(base, image)):
            plain_name, mark, span = image.rpartition(INTERVAL)
            wanted = unquote(without_query(plain_name if mark else image))
            last = PurePosixPath(wanted)
            ends = by_end.get(_plain(last.name)) or [
                name for ending in _ENDINGS for name in by_stem.get(_plain(f"{_stem(last)}{ending}"), ())
            ]
            if last.name.isdecimal() and (video is not None or not ends):
                ends = by_number.get(last.name.lstrip("0"), [])
            if video is not None:
                ends = [name for name in ends if _is_of_video(name, video)]
            if plain := [name for name in ends if split_locator(name) is None]:
                ends = plain  # an archive beside may be what the files were unpacked from
            near = [name for name in ends if name.startswith(folder)]
            found = wanted if wanted in there else _best(wanted, near or ends)
            found = f"{found}{mark}{span}" if mark and found is not None else found
            if found is None:
                missing.append(image)
                if video is not None and not ends:
                    frames.append(image)
                if len(ends) > 1:
                    torn.append((image, ends))
            else:
                moved.append((image, found))
        locators.append(found or image)
    notes: list[str] = []
    if moved:
        (first, place), *_ = moved
        notes.append(
            f"{len(moved):,} pictures of {table} were found by the end of their path, first {first} as "
            f"{place}."
        )
    if missing:
        note = (
            f"{len(missing):,} of {len(images):,} pictures of {table} are not in {base}, first {missing[0]}."
        )
        if len(missing) == len(images) and _UPLOADED.search(missing[0]):
            note += _OF_LABEL_STUDIO
        elif torn:
            name, ends = torn[0]
            note += (
                f" {len(torn):,} of these names fit several pictures, {name} fits {', '.join(ends[:2])}: "
                "name them with their folders (--columns image=FOLDER,FILE joins two columns), or put the "
                "table into the folder of those that are meant."
            )
        elif names and len(missing) == len(images):
            note += (
                f" There are {len(names):,} others, first {names[0]}: the table has to name pictures as they "
                "are called, in the column that --columns image=COLUMN says."
            )
        if frames:
            note += (
                f" {len(frames):,} frames were not found in folders of their videos' names, first "
                f"{frames[0]}: name the folders as the videos."
            )
        notes.append(Fault(note) if torn or frames else LeftOut(note))
    return locators, notes


def _is_of_video(name: str, video: str) -> bool:
    """Whether a picture lies in a folder that is called as a video, or as its file without the suffix."""
    path = PurePosixPath(video)
    called = {_plain(path.name), _plain(path.stem)}
    return any(_plain(part) in called for part in inner_path(name).split("/")[:-1])


def _plain(name: str) -> str:
    """A name in small letters, whose accents are composed: macOS takes them apart."""
    return (name if name.isascii() else normalize("NFC", name)).casefold()


def _stem(path: PurePosixPath) -> str:
    return path.stem if is_image(path) else path.name


def _best(image: str, candidates: Sequence[str]) -> str | None:
    """The one candidate whose path ends most like the picture's; None where two are as good."""
    wanted = [_plain(part) for part in reversed(image.split("/"))]
    scored = []
    for name in candidates:
        parts = [_plain(part) for part in reversed(name.split("/"))]
        scored.append(sum(_agreeing(wanted[1:], parts[1:])))
    top = max(scored, default=0)
    best = [name for name, score in zip(candidates, scored, strict=True) if score == top]
    return best[0] if len(best) == 1 else None


def _agreeing(one: Sequence[str], other: Sequence[str]) -> list[int]:
    """1 for each part from the start that is equal in both."""
    agreeing = []
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        agreeing.append(1)
    return agreeing
