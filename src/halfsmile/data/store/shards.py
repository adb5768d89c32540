"""Shards: uncompressed tar archives that are appended to in one place and read by offset everywhere else.

A member's bytes begin right behind its 512-byte header, so ``(shard, offset, length)`` finds a picture with
one read and no parsing. The header's size field is compared with the length asked for, which catches an index
that belongs to another shard. The format is POSIX ustar; any tar program lists and unpacks it.
"""

from __future__ import annotations

import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from halfsmile.data.containers.open_file import OpenFile

BLOCK = 512
END_MARK = bytes(2 * BLOCK)
LOCATOR = re.compile(r"(?P<shard>.+\.tar)#(?P<offset>\d+)\+(?P<length>\d+)")
_NAME = re.compile(r"faces-(\d{5,})\.tar")


@dataclass(frozen=True)
class Position:
    """Where the next member goes.

    Args:
        shard: Number of the shard.
        end: Bytes of it that are in use; a multiple of 512.
    """

    shard: int = 0
    end: int = 0


def shard_name(number: int) -> str:
    """File name of a shard.

    Example:
        >>> shard_name(12)
        'faces-00012.tar'
    """
    return f"faces-{number:05d}.tar"


def shard_numbers(root: Path) -> list[int]:
    """Numbers of the shards that lie in a folder, sorted."""
    matches = (_NAME.fullmatch(path.name) for path in Path(root).iterdir())
    return sorted(int(match[1]) for match in matches if match)


def padded(length: int) -> int:
    """A length rounded up to whole tar blocks.

    Example:
        >>> padded(513)
        1024
    """
    return -(-length // BLOCK) * BLOCK


class ShardWriter:
    """Appends members to a row of shards, and can go back to any earlier position.

    Args:
        root: Folder of the shards.
        shard_size: Bytes after which the next shard begins; a member larger than that gets one of its own.
        at: Where to go on. What lies behind it, in this shard or in later ones, is removed.

    Raises:
        ValueError: If the shard at that position is shorter than it was.
        OSError: If the folder can't be written.
    """

    def __init__(self, root: Path, *, shard_size: int, at: Position) -> None:
        self.root = Path(root)
        self.shard_size = shard_size
        self._rewind(at)

    @property
    def position(self) -> Position:
        """Where the next member goes."""
        return Position(self._shard, self._end)

    def append(self, name: str, data: bytes) -> tuple[int, int]:
        """Write one member.

        Args:
            name: At most 100 ASCII characters.
            data: Its bytes.

        Returns:
            Number of the shard, and offset of the member's first byte in it.
        """
        needed = BLOCK + padded(len(data))
        if self._end and self._end + needed + len(END_MARK) > self.shard_size:
            self._finish_shard()
            self._open(Position(self._shard + 1))
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._file.write(info.tobuf(tarfile.USTAR_FORMAT))
        self._file.write(data)
        self._file.write(bytes(padded(len(data)) - len(data)))
        offset = self._end + BLOCK
        self._end += needed
        return self._shard, offset

    def rewind(self, at: Position) -> None:
        """Forget every member behind a position."""
        self._file.close()
        self._rewind(at)

    def sync(self) -> None:
        """Return when everything written so far is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, *, finish: bool = True) -> None:
        """Close the shard; ``finish`` ends it with tar's end mark."""
        if finish:
            self._finish_shard()
        self._file.close()

    def _finish_shard(self) -> None:
        self._file.write(END_MARK)
        self.sync()
        self._file.close()

    def _rewind(self, at: Position) -> None:
        for number in shard_numbers(self.root):
            if number > at.shard:
                (self.root / shard_name(number)).unlink()
        self._open(at)

    def _open(self, at: Position) -> None:
        path = self.root / shard_name(at.shard)
        size = path.stat().st_size if path.exists() else 0
        if size < at.end:
            raise ValueError(
                f"{path} has {size} bytes, but faces up to byte {at.end} were written to it: it was cut "
                "short or replaced. Restore it, or write the store anew."
            )
        self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b", buffering=2**20)
        self._file.truncate(at.end)
        self._file.seek(at.end)
        self._shard, self._end = at.shard, at.end


class Shard:
    """A shard open for reading, by any number of threads at once.

    Args:
        path: The tar file.

    Raises:
        OSError: If it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file = OpenFile(self.path.open("rb"))
        self.size = self._file.length

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of one member.

        Raises:
            ValueError: If the shard is too short, or no member of this length begins at this offset.
        """
        return self.member(offset, length)[1]

    def member(self, offset: int, length: int) -> tuple[str, bytes]:
        """Name and bytes of one member; raises as :meth:`read`."""
        if offset < BLOCK or offset + length > self.size:
            raise ValueError(
                f"{self.path} is cut short: bytes {offset} to {offset + length} were expected in it, but it "
                f"has {self.size}."
            )
        found = self._file.read(offset - BLOCK, BLOCK + length)
        if found[257:262] != b"ustar" or found[124:135] != b"%011o" % length:
            raise ValueError(
                f"{self.path} has no member of {length} bytes at byte {offset}: the index belongs to another "
                "shard."
            )
        return found[:100].rstrip(b"\0").decode("ascii", "replace"), found[BLOCK:]
