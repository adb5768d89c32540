"""Whether a store is whole: every byte that its index speaks of, and no byte that it does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.store.read import read_index
from halfsmile.data.store.shards import BLOCK, END_MARK, Shard, shard_name, shard_numbers
from halfsmile.utils.progress import Progress

_COLUMNS = ("member", "shard", "offset", "length", "sha256", "width", "height")


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found.

    Args:
        faces: Rows of the index.
        shards: Shards that the index names.
        bad: (row, member, reason) of the faces that can't be trusted.
        problems: What is wrong with whole shards.
    """

    faces: int
    shards: int
    bad: tuple[tuple[int, str, str], ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.bad and not self.problems


def verify(root: Path, *, pixels: bool = False, progress: bool = True) -> Verification:
    """Read a whole store and compare it with its index: names, lengths and SHA-256 of all members.

    Args:
        root: The store.
        pixels: Also decode every picture and compare its size.
        progress: Show progress on standard error when it takes more than two seconds.

    Raises:
        ValueError: If there is no finished store.
    """
    root = Path(root)
    table, _ = read_index(root, _COLUMNS)
    numbers = table["shard"].to_numpy()
    known = set(numbers.tolist())
    bad: list[tuple[int, str, str]] = []
    problems = [
        f"{shard_name(number)} is not in the index."
        for number in shard_numbers(root)
        if number not in known and (root / shard_name(number)).stat().st_size > len(END_MARK)
    ]
    with Progress("verifying faces", total=len(table), active=progress) as shown:
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            part = table.take(pa.array(rows))
            try:
                shard = Shard(root / shard_name(number))
            except OSError as error:
                problems.append(f"{shard_name(number)} can't be read ({error.strerror}).")
                members = part["member"].to_pylist()
                bad += [(int(r), m, "its shard is missing") for r, m in zip(rows, members, strict=True)]
                continue
            problems += _unknown_bytes(shard, part)
            for row, face in zip(rows.tolist(), part.to_pylist(), strict=True):
                if reason := _fault(shard, face, pixels=pixels):
                    bad.append((row, face["member"], reason))
                shown.advance(1)
    return Verification(len(table), len(np.unique(numbers)), tuple(bad), tuple(problems))


def _fault(shard: Shard, face: dict[str, Any], *, pixels: bool) -> str | None:
    """What is wrong with a face, None if nothing."""
    try:
        name, data = shard.member(face["offset"], face["length"])
    except ValueError as error:
        return str(error)
    if name != face["member"]:
        return f"the shard has {name} in its place"
    if hashlib.sha256(data).hexdigest() != face["sha256"]:
        return "its bytes have changed (SHA-256 differs)"
    if pixels:
        try:
            height, width, _ = decode(data, name).shape
        except BadImageError as error:
            return str(error)
        if (width, height) != (face["width"], face["height"]):
            return f"it is {width} × {height}, the index says {face['width']} × {face['height']}"
    return None


def _unknown_bytes(shard: Shard, part: pa.Table) -> list[str]:
    """Members or rubbish that no row of the index speaks of, in a shard whose rows are in order."""
    starts = part["offset"].to_numpy() - BLOCK
    lengths = part["length"].to_numpy()
    ends = starts + BLOCK + -(-lengths // BLOCK) * BLOCK
    found = []
    if starts[0] or (starts[1:] != ends[:-1]).any():
        found.append(f"{shard.path.name} has bytes between its faces that the index does not know.")
    if shard.size != ends[-1] + len(END_MARK):
        found.append(f"{shard.path.name} has {shard.size} bytes; expected {ends[-1] + len(END_MARK)}.")
    return found
