"""Zip and tar archives read in place: nothing is unpacked to where a hostile name could write.

Tar archives may be compressed with gzip, bzip2 or xz; these are unpacked once for each process into a file
without a name in the temporary folder, since compressed bytes can't be read at an offset.

Refused and counted: names that are absolute or climb out with ``..``, links, devices, encrypted members,
members above :data:`MEMBER_LIMIT`, and members that shrink more than :data:`RATIO_LIMIT` to one (zip bombs).
Of members with one name the last counts, as when unpacking. A leading ``./`` is taken off.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

from halfsmile.data.containers.open_file import OpenFile, per_file
from halfsmile.data.containers.tar_index import BLOCK, is_tar_header, tar_members

MEMBER_LIMIT = 1 << 28
RATIO_LIMIT = 200
UNPACK_LIMIT = 1 << 36
_SMALL = 1 << 20
_DAMAGE = (OSError, EOFError, RuntimeError, NotImplementedError, ValueError, OverflowError, zlib.error,
           lzma.LZMAError, struct.error, zipfile.BadZipFile)  # fmt: skip
_CHUNK = 1 << 20
_COMPRESSIONS: tuple[tuple[bytes, Callable[[Path], io.BufferedIOBase]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_IN_ARCHIVE = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, ARCHIVE_SUFFIXES))}))!(.+)", re.IGNORECASE | re.DOTALL
)

Member = TypeVar("Member")


def split_locator(locator: str) -> tuple[str, str] | None:
    """Archive and member of a locator ``archive.zip!member``; None for other locators.

    Example:
        >>> split_locator("a/faces.tar.gz!b/c.png")
        ('a/faces.tar.gz', 'b/c.png')
    """
    match = _IN_ARCHIVE.fullmatch(locator) if "!" in locator else None
    return (match[1], match[2]) if match else None


def inner_path(locator: str) -> str:
    """A locator as a path in which an archive is a folder of its name; others as they are.

    Example:
        >>> inner_path("a/train.tar.gz!b/c.png"), inner_path("b/c.png")
        ('a/train/b/c.png', 'b/c.png')
    """
    if (found := split_locator(locator)) is None:
        return locator
    archive, member = found
    ending = next(end for end in ARCHIVE_SUFFIXES if archive.lower().endswith(end))
    return f"{archive[: -len(ending)]}/{member}"


def members_below(root: Path, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Locators of all files in some archives below a folder, and what is wrong with the archives."""
    found: list[str] = []
    notes: list[str] = []
    for name in names:
        try:
            archive = open_archive(Path(root) / name)
        except ValueError as error:
            notes.append(f"{name} was left out: {error}")
            continue
        found += [f"{name}!{member}" for member in archive.names]
        notes += archive.notes
    return found, notes


@dataclass(frozen=True)
class Archive:
    """The files of an archive, by name.

    Args:
        path: The archive.
        names: Names of the readable files, sorted, without a leading ``./``.
        notes: What was refused and why, with counts.
        contents: Reads a member by name; use :meth:`read`.
    """

    path: Path
    names: tuple[str, ...]
    notes: tuple[str, ...]
    contents: Callable[[str], bytes]

    def read(self, name: str) -> bytes:
        """Contents of a file.

        Raises:
            ValueError: If there is no such file, or it is damaged.
        """
        try:
            return self.contents(name)
        except KeyError as error:
            raise ValueError(f"{self.path} has no member {name!r}.") from error
        except _DAMAGE as error:
            raise ValueError(f"{name!r} can't be read from {self.path} ({error}).") from error


def _open(path: Path) -> Archive:
    with path.open("rb") as file:
        start = file.read(BLOCK)
    for magic, opener in _COMPRESSIONS:
        if start.startswith(magic):
            unpacked, notes = _unpack(path, opener)
            return _open_tar(path, unpacked, notes)
    if is_tar_header(start):
        return _open_tar(path, OpenFile(path.open("rb")), ())
    return _open_zip(path)


_cached = per_file(_open)


def open_archive(path: Path) -> Archive:
    """The archive at a path, recognized by its contents and kept open until the file changes.

    Raises:
        ValueError: If the file is missing, unreadable, or no archive.
    """
    try:
        return _cached(Path(path))
    except OSError as error:
        raise ValueError(f"{path} is not a readable zip or tar archive ({error}).") from error


class _Listing(Generic[Member]):
    """Members by their name in the order of appearance, and what is wrong with the others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: dict[str, Member] = {}
        self.repeated: Counter[str] = Counter()
        self.refused: dict[str, list[str]] = {}

    def add(self, stored_name: str, member: Member, size: int, problem: str) -> None:
        name, unsafe = _normalized(stored_name)
        if not (problem or unsafe) and size > MEMBER_LIMIT:
            problem = f"larger than {MEMBER_LIMIT >> 20} MiB"
        if problem == "folder":
            return
        if problem or unsafe:
            self.refused.setdefault(problem or unsafe, []).append(stored_name)
            return
        if name in self.members:
            self.repeated[name] += 1
        self.members[name] = member

    def archive(self, contents: Callable[[str], bytes], notes: Iterable[str] = ()) -> Archive:
        found = [
            f"{len(names)} members of {self.path.name} were refused ({problem}), first {names[0]!r}."
            for problem, names in self.refused.items()
        ]
        if self.repeated:
            found.append(
                f"{self.repeated.total()} members of {self.path.name} were replaced by later ones of the "
                f"same name, first {next(iter(self.repeated))!r}."
            )
        return Archive(self.path, tuple(sorted(self.members)), (*notes, *found), contents)


def _open_tar(path: Path, file: OpenFile, notes: tuple[str, ...]) -> Archive:
    listing = _Listing[tuple[int, int]](path)
    for member in tar_members(file.read, file.length):
        listing.add(member.name, (member.offset, member.size), member.size, member.problem)

    def contents(name: str) -> bytes:
        return file.read(*listing.members[name])

    return listing.archive(contents, notes)


def _open_zip(path: Path) -> Archive:
    try:
        file = zipfile.ZipFile(path)
        listing = _Listing[zipfile.ZipInfo](path)
        for info in file.infolist():
            listing.add(info.filename, info, info.file_size, _zip_problem(info))
    except (*_DAMAGE, KeyError) as error:
        raise ValueError(f"{path} is not a readable zip or tar archive ({error}).") from error
    lock = threading.Lock()

    def contents(name: str) -> bytes:
        info = listing.members[name]
        with lock:
            return file.read(info)

    return listing.archive(contents)


def _zip_problem(info: zipfile.ZipInfo) -> str:
    if info.is_dir():
        return "folder"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link"
    if info.flag_bits & 1:
        return "encrypted"
    if info.file_size > max(_SMALL, RATIO_LIMIT * info.compress_size):
        return f"more than {RATIO_LIMIT} times its packed size"
    return ""


def _normalized(name: str) -> tuple[str, str]:
    """The name as a locator, and why it is unsafe (empty for a safe one)."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or (parts and re.match(r"[A-Za-z]:", parts[0])):
        return "", "absolute path"
    if ".." in parts:
        return "", "path that climbs out"
    if not parts or not _is_text(name):
        return "", "no usable name"
    return "/".join(parts), ""


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _unpack(path: Path, opener: Callable[[Path], io.BufferedIOBase]) -> tuple[OpenFile, tuple[str, ...]]:
    """The bytes behind a compressed tar, in a temporary file without a name; a broken tail is noted."""
    with contextlib.ExitStack() as on_error:
        unpacked = on_error.enter_context(tempfile.TemporaryFile())
        notes = _unpack_into(unpacked, path, opener)
        on_error.pop_all()
    return OpenFile(unpacked), notes


def _unpack_into(
    unpacked: IO[bytes], path: Path, opener: Callable[[Path], io.BufferedIOBase]
) -> tuple[str, ...]:
    folder = tempfile.gettempdir()
    limit = min(
        UNPACK_LIMIT, max(_SMALL, RATIO_LIMIT * path.stat().st_size), shutil.disk_usage(folder).free // 2
    )
    notes: tuple[str, ...] = ()
    try:
        with opener(path) as packed:
            while chunk := packed.read1(_CHUNK):
                if unpacked.tell() + len(chunk) > limit:
                    raise ValueError(
                        f"{path} unpacks to more than {limit / 2**20:,.0f} MiB (the least of "
                        f"{RATIO_LIMIT} times its size, {UNPACK_LIMIT >> 30} GiB, and half of what is free "
                        f"in {folder}). Unpack it yourself, or make it an uncompressed tar."
                    )
                unpacked.write(chunk)
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if not unpacked.tell():
            raise ValueError(f"{path} can't be unpacked ({error}).") from error
        notes = (f"{path.name} is damaged: only its first {unpacked.tell():,} bytes could be unpacked.",)
    unpacked.flush()
    return notes
