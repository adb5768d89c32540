"""Pictures that are in a data set more than once, and people and pictures that stand in two splits.

Exact duplicates have equal pixels. Near duplicates, such as another compression, size, brightness or a crop
one pixel off, are found in two steps: perceptual hashes (:mod:`halfsmile.data.check.phash`) at most 8 bits
apart, then 16 × 16 thumbnails whose correlation is at least 0.96. The hash alone will not do for faces, which
are much alike once aligned: of the pairs of UTKFace crops at most 8 bits apart, 97 in 100 are no duplicates.
docs/store.md has the measurements behind both numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.check.near_pairs import Rows, near_pairs
from halfsmile.data.check.phash import SIDE, Hashes, phash, thumbnail
from halfsmile.data.decode import BadImageError, pixel_sha256, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image
from halfsmile.utils.parallel.threads import map_in_threads
from halfsmile.utils.progress import Progress

MAX_DISTANCE = 8
MIN_CORRELATION = 0.96
_STRICTNESS = ("train", "valid", "test")
_SMALL = 16
_CHUNK = 256
_PAIRS = 2**12
"""Pairs of thumbnails that are compared in one go."""

Group = tuple[int, ...]


@dataclass(frozen=True)
class Signatures:
    """What pictures are compared by: 272 bytes each.

    Args:
        pixels: Beginning of the SHA-256 of the pixels, equal for equal pictures. (N,), uint64.
        hashes: Perceptual hashes. (N,), uint64.
        thumbnails: (N, 16, 16), uint8, gray.
        rows: Row of the manifest that each belongs to. (N,), int64.
        bad: (row, reason) of the pictures that could not be read.
    """

    pixels: Hashes
    hashes: Hashes
    thumbnails: Image
    rows: Rows
    bad: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Duplicates:
    """Groups of rows, each sorted; groups are in the order of their first row.

    Args:
        exact: Rows with equal pixels.
        near: Rows that show nearly the same picture, their exact copies included; none of these groups is
            exact copies alone.
        bad: (row, reason) of the pictures that could not be read.
    """

    exact: tuple[Group, ...]
    near: tuple[Group, ...]
    bad: tuple[tuple[int, str], ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """All groups, each row in at most one."""
        joined = {row for group in self.near for row in group}
        return tuple(sorted([*self.near, *(group for group in self.exact if group[0] not in joined)]))


def read_signatures(manifest: Manifest, *, progress: bool = True) -> Signatures:
    """Signatures of all pictures of a manifest, read in threads; what can't be read is listed in ``bad``."""
    locators, root = manifest.column("image"), Path(manifest.root)
    bad: list[tuple[int, str]] = []

    def load(start: int) -> Signatures:
        rows: list[int] = []

        def images() -> Iterator[Image]:
            for row, image in readable(root, locators, range(start, start + _CHUNK), bad):
                rows.append(row)
                yield image

        return signatures_of(images(), rows)

    parts = [signatures_of([])]
    with Progress("comparing pictures", total=len(locators), active=progress) as shown:
        starts = range(0, len(locators), _CHUNK)
        for start, part in zip(starts, map_in_threads(load, starts), strict=True):
            parts.append(part)
            shown.advance(min(_CHUNK, len(locators) - start))
    return Signatures(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.thumbnails for part in parts]),
        np.concatenate([part.rows for part in parts]),
        tuple(sorted(bad)),
    )


def readable(
    root: Path, locators: Sequence[str], rows: Sequence[int], bad: list[tuple[int, str]]
) -> Iterator[tuple[int, Image]]:
    """Rows and their pictures, one at a time; rows and reasons of those that can't be read go to ``bad``."""
    for row in rows:
        if row >= len(locators):
            return
        try:
            image = read_image(root, locators[row])
        except BadImageError as error:
            bad.append((row, str(error)))
        else:
            yield row, image


def signatures_of(images: Iterable[Image], rows: Sequence[int] | None = None) -> Signatures:
    """Signatures of pictures, RGB (H, W, 3) or gray (H, W, 1); ``rows`` counts from 0 by default.

    One picture is processed after the other, and ``rows`` last, so that both may come as pictures are read.
    """
    pixels, thumbnails = [], []
    for image in images:
        pixels.append(int(pixel_sha256(image)[:16], 16))
        thumbnails.append(thumbnail(image))
    stacked = np.array(thumbnails, np.uint8).reshape(-1, SIDE, SIDE)
    step = SIDE // _SMALL
    small = stacked.reshape(-1, _SMALL, step, _SMALL, step).mean((2, 4)).round().astype(np.uint8)
    numbers = np.arange(len(pixels)) if rows is None else np.array(rows, np.int64)
    return Signatures(np.array(pixels, np.uint64), phash(stacked), small, numbers)


def group_duplicates(
    signatures: Signatures, *, max_distance: int = MAX_DISTANCE, min_correlation: float = MIN_CORRELATION
) -> Duplicates:
    """Group signatures.

    Args:
        signatures: Of all pictures.
        max_distance: Bits that the hashes of near duplicates may differ in, 0 to 16.
        min_correlation: Correlation that their thumbnails must reach.
    """
    copies: dict[int, list[int]] = defaultdict(list)
    for place, value in enumerate(signatures.pixels.tolist()):
        copies[value].append(place)
    firsts = np.array([places[0] for places in copies.values()], np.int64)
    pairs = _near(signatures, firsts, max_distance, min_correlation)
    rows = signatures.rows.tolist()
    exact = [tuple(sorted(rows[p] for p in places)) for places in copies.values() if len(places) > 1]
    near = [
        tuple(sorted(rows[p] for first in group for p in copies[int(signatures.pixels[first])]))
        for group in _connected(pairs)
    ]
    return Duplicates(tuple(sorted(exact)), tuple(sorted(near)), signatures.bad)


def across_splits(manifest: Manifest, groups: Iterable[Group]) -> tuple[Group, ...]:
    """The groups whose rows stand in more than one split."""
    splits = manifest.column("split")
    return tuple(group for group in groups if len({splits[row] for row in group} - {None}) > 1)


def people_in_two_splits(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Number of faces per split of everybody who stands in more than one."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for person, split in zip(manifest.column("person"), manifest.column("split"), strict=True):
        if person is not None and split is not None:
            counts[person][split] += 1
    return {person: dict(found) for person, found in sorted(counts.items()) if len(found) > 1}


def without_leaks(manifest: Manifest, groups: Iterable[Group]) -> Manifest:
    """Drop rows that have a duplicate in a stricter split: training rows first, test rows never.

    Returns:
        The other rows, with a note that says how many of each split were dropped.
    """
    splits = manifest.column("split")
    dropped: set[int] = set()
    for group in across_splits(manifest, groups):
        strictest = max(_STRICTNESS.index(splits[row]) for row in group if splits[row])
        kept = _STRICTNESS[strictest]
        dropped |= {row for row in group if splits[row] not in (kept, None)}
    counts = Counter(splits[row] for row in dropped)
    rest = manifest.take([row for row in range(len(manifest)) if row not in dropped])
    if not dropped:
        return rest
    note = f"Dropped {dict(sorted(counts.items()))} rows with a duplicate in a stricter split."
    return Manifest(rest.table, rest.root, rest.taxonomy, (*rest.notes, note))


def _near(signatures: Signatures, firsts: Rows, max_distance: int, min_correlation: float) -> Rows:
    """Pairs of places, (P, 2), among pictures that differ; of equal hashes, each is paired with the first."""
    values, first_of, inverse = np.unique(signatures.hashes[firsts], return_index=True, return_inverse=True)
    apart, _ = near_pairs(values, max_distance)
    equal = np.stack([first_of[inverse], np.arange(len(firsts))], axis=1)
    pairs = firsts[np.concatenate([first_of[apart], equal[equal[:, 0] != equal[:, 1]]])]
    close = [
        correlation(signatures.thumbnails[part[:, 0]], signatures.thumbnails[part[:, 1]]) >= min_correlation
        for part in np.array_split(pairs, max(1, len(pairs) // _PAIRS))
    ]
    return np.asarray(pairs[np.concatenate(close)], np.int64)


def correlation(first: Image, second: Image) -> npt.NDArray[np.float32]:
    """Pearson correlation of pictures, (N, H, W) each; 0 where one has no contrast."""
    one, other = (
        images - images.mean(axis=(1, 2), keepdims=True)
        for images in (first.astype(np.float32), second.astype(np.float32))
    )
    norms = np.sqrt((one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2)))
    return np.asarray((one * other).sum(axis=(1, 2)) / np.maximum(norms, 1e-6), np.float32)


def _connected(pairs: Rows) -> list[list[int]]:
    """Connected components of a graph given by its edges."""
    parent: dict[int, int] = {}

    def find(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for first, second in pairs.tolist():
        parent[find(second)] = find(first)
    groups: dict[int, list[int]] = defaultdict(list)
    for node in list(parent):
        groups[find(node)].append(node)
    return list(groups.values())
