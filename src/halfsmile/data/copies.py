"""Exact copies: faces that are test faces too, under another name or in another file format."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halfsmile.data.images import DecodedFaces, hash_faces, pixel_sha256
from halfsmile.data.manifest import Manifest
from halfsmile.utils.progress import Progress


@dataclass(frozen=True)
class Pixels:
    """What pictures show, to be compared.

    Args:
        locators: Of each picture.
        hashes: Of its pixels, as training sees them; None where it can't be read.
    """

    locators: Sequence[str]
    hashes: Sequence[str | None]

    @classmethod
    def of(cls, faces: DecodedFaces) -> Pixels:
        """Of decoded faces."""
        return cls(faces.manifest.column("image"), _hashes(faces))


def copies_to_drop(hashes: Sequence[str | None], splits: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """Which rows are in the training split and have the pixels of a validation or test row.

    Args:
        hashes: Pixel hash of each row; None where a picture can't be read.
        splits: Split of each row.

    Example:
        >>> copies_to_drop(["a", "b", "b", "c", None], ["train", "train", "valid", "test", "train"]).tolist()
        [False, True, False, False, False]
    """
    pairs = list(zip(hashes, splits, strict=True))
    kept_apart = {digest for digest, split in pairs if digest and split in ("valid", "test")}
    return np.array([split == "train" and digest in kept_apart for digest, split in pairs], np.bool_)


def copies_of(faces: Pixels, others: Pixels) -> list[tuple[str, str]]:
    """Locators of faces whose decoded pixels equal those of another one, each with that other's locator.

    Pixels are compared by hash at the size and in the colors that training sees, so copies that were stored
    otherwise and come out the same are found too.
    """
    known = dict(zip(others.hashes, others.locators, strict=True))
    return [
        (locator, known[digest])
        for locator, digest in zip(faces.locators, faces.hashes, strict=True)
        if digest and digest in known
    ]


def without_copies(
    source: str, faces: DecodedFaces, known: Mapping[str, DecodedFaces | None]
) -> tuple[DecodedFaces, list[str]]:
    """Faces whose decoded pixels are none of others', and a line for each kind of those left out.

    Args:
        source: Where the faces come from, for the lines.
        faces: To be trained on.
        known: What they must not be copies of, by what it is called; None is passed over.
    """
    hashes = _hashes(faces)
    kept = np.ones(len(faces), np.bool_)
    notes = []
    for name, others in known.items():
        if others is None:
            continue
        theirs = set(_hashes(others))
        same = kept & np.array([digest in theirs for digest in hashes], np.bool_)
        if same.any():
            notes.append(
                f"{int(same.sum()):,} faces of {source} have the pixels of {name} and were left out."
            )
            kept &= ~same
    return (faces if kept.all() else faces.take(np.flatnonzero(kept))), notes


def require_no_test_faces(source: str, faces: Pixels, test: Pixels) -> None:
    """Refuse unlabeled faces that contain test faces: even without labels they would flatter the result.

    Args:
        source: Where the faces come from, for the message.
        faces: To be trained on.
        test: Never to be trained on.

    Raises:
        ValueError: If there are any, with their number and an example.
    """
    copies = copies_of(faces, test)
    if copies:
        (locator, twin), *_ = copies
        raise ValueError(
            f"{len(copies)} of {len(faces.locators)} unlabeled faces in {source} are test images, first "
            f"{locator} (the pixels of {twin}). Training must not see them, not even without labels: remove "
            "them, or give other faces with --unlabeled."
        )


def notes_on_test_faces(parts: Sequence[Pixels], test: Pixels) -> list[str]:
    """A note on training faces that are test faces too; they stay, because official splits have such.

    Args:
        parts: Training faces by role.
        test: Test faces.
    """
    copies = [pair for part in parts for pair in copies_of(part, test)]
    if not copies:
        return []
    (locator, twin), *_ = copies
    return [
        f"{len(copies)} training faces have the pixels of test faces, first {locator} ({twin}); the test "
        "result flatters by as much."
    ]


def look_for_test_faces(
    parts: Sequence[Manifest],
    extra: Mapping[str, Manifest],
    test: Manifest,
    *,
    size: int,
    channels: int,
    seconds: float,
) -> list[str]:
    """What training will say of faces that are test faces too, if reading all of them takes no longer.

    Args:
        parts: Training faces by role.
        extra: Unlabeled faces that training learns from, by source.
        test: Test faces.
        size: Side of the square faces that training sees, in pixels.
        channels: Their channels.
        seconds: How long to look.

    Returns:
        Notes, also on pictures that can't be read; one that says so where time was up.

    Raises:
        ValueError: As :func:`require_no_test_faces`.
    """
    until = time.monotonic() + seconds
    found = []
    for manifest in (test, *parts, *extra.values()):
        hashes = hash_faces(manifest, size=size, channels=channels, until=until)
        if hashes is None:
            count = sum(map(len, (test, *parts, *extra.values())))
            return [
                "Whether training faces are exact copies of test faces was not looked for: to read "
                f"{count:,} faces takes longer than {seconds:g} s. The training says it when it has read "
                "them, `halfsmile data check` at once."
            ]
        found.append(Pixels(manifest.column("image"), hashes))
    lost = [
        name for at in found for name, digest in zip(at.locators, at.hashes, strict=True) if digest is None
    ]
    tested, own, others = found[0], found[1 : 1 + len(parts)], found[1 + len(parts) :]
    for source, faces in zip(extra, others, strict=True):
        require_no_test_faces(source, faces, tested)
    notes = notes_on_test_faces(own, tested) or ["No training face is an exact copy of a test face."]
    if lost:
        notes.append(f"{len(lost):,} pictures can't be read and will be left out, first {lost[0]}.")
    return notes


def _hashes(faces: DecodedFaces) -> list[str]:
    found = []
    with Progress("looking for test faces", total=len(faces)) as progress:
        for image in faces.images:
            found.append(pixel_sha256(image))
            progress.advance(1)
    return found
