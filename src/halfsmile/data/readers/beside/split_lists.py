"""Splits of class folders that lists beside them tell, such as ``train.txt`` and ``test.txt``.

A line names a picture, as a path or its end, with or without its suffix, alone or among other words; JSON
names it anywhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.folds import with_splits
from halfsmile.data.manifest import SPLITS, Fault, LeftOut, Manifest
from halfsmile.data.readers.beside.texts import names_beside, text_beside
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.words import composed, expression_of, split_in, split_of

SUFFIXES = (".txt", ".csv", ".tsv", ".lst", ".list", ".json")
_MARKS = re.compile(r"[,;\t|]+|\s+")
_LOG = re.compile(r"(^|[^a-z])(logs?|loss(es)?|history|metrics?|epochs?|results?)([^a-z]|$)", re.IGNORECASE)
_FRACTION = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.IGNORECASE)
_ANY = frozenset(
    (
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pictures",
        "photos",
        "faces",
        "data",
        "jpegimages",
        "aligned",
    )
)
"""Folders that pictures may lie in on one machine and not on another."""


def with_listed_splits(manifest: Manifest) -> tuple[Manifest, list[str]]:
    """The same faces with the splits that lists beside them tell, and the lists.

    Where faces have splits already, or there are not lists of two splits at least, nothing changes.
    """
    root = Path(manifest.root)
    lists = [
        (name, split)
        for name in names_beside(root, SUFFIXES)
        if (split := split_in(PurePosixPath(name).stem)) is not None and not _LOG.search(name)
    ]
    if len({split for _, split in lists}) < 2 or any(manifest.column("split")):
        return manifest, []
    images = manifest.column("image")
    labels = (
        dict(zip(images, manifest.column("label"), strict=True)) if len(set(images)) == len(images) else {}
    )
    by_end = _by_end(images)
    folders = {part for image in images for part in _key(image).split("/")[:-1]}
    splits: dict[str, str] = {}
    used: list[str] = []
    lost: list[str] = []
    torn: list[str] = []
    others: list[str] = []
    for name, split in lists:
        if (text := text_beside(root, name)) is None:
            continue
        found = [(line, _picture(line, by_end, folders)) for line in _entries(name, text)]
        if 2 * sum(image is not None for _, image in found) <= len(found):
            continue
        used.append(name)
        lost += [f"{line[:60]} in {name}" for line, image in found[_has_header(found) :] if image is None]
        for line, image in found:
            if image is None:
                continue
            if splits.setdefault(image, split) != split:
                torn.append(image)
                splits[image] = max(split, splits[image], key=SPLITS.index)
            if (said := _label(line, image, manifest)) and said != labels.get(image, said):
                others.append(f"{image} as {said} in {name}")
    if len(set(splits.values())) < 2:
        return manifest, []
    counts = Counter(splits[image] for image in images if image in splits)
    said = ", ".join(f"{split} {counts[split]:,}" for split in SPLITS if counts[split])
    told = with_splits(
        manifest,
        [splits.get(image) for image in images],
        f"Splits are those of the lists {', '.join(used)}: {said}.",
    )
    notes: list[str] = []
    if bare := [image for image in images if image not in splits]:
        said = f"{len(bare):,} pictures are in none of the lists and have no split, first {bare[0]}."
        notes.append(LeftOut(said))
    for what, where in (
        ("lines of the lists name no picture", lost),
        ("pictures are in lists of two splits, and were put into the stricter one", torn),
        ("lines of the lists tell another class than the folder, whose class was taken", others),
    ):
        if where:
            notes.append(Fault(f"{len(where):,} {what}, first {where[0]}."))
    return Manifest(told.table, told.root, told.taxonomy, (*told.notes, *notes)), used


def _entries(name: str, text: str) -> list[str]:
    """The lines of a list; of JSON all texts in it."""
    if name.lower().endswith(".json"):
        try:
            return list(_texts(json.loads(text)))
        except (ValueError, RecursionError):
            return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, list):
        for item in document:
            yield from _texts(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if has_image_suffix(key):
                yield key
            yield from _texts(value)


def _by_end(images: Sequence[str]) -> dict[str, str | None]:
    """Picture by the ends of its path, without suffix and capitals; None where several have one."""
    found: dict[str, str | None] = {}
    for image in dict.fromkeys(images):
        parts = _key(image).split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            found[end] = None if end in found else image
    return found


def _key(path: str) -> str:
    """A path without the suffix of a picture, in small letters."""
    path = composed(path.strip().strip("\"'").replace("\\", "/").removeprefix("./")).casefold()
    return path.rpartition(".")[0] if has_image_suffix(path) else path


def _picture(line: str, by_end: dict[str, str | None], known: set[str]) -> str | None:
    """The picture that a line names, as a whole or in one of its fields, by the longest end that fits.

    A name without suffix and folder counts in front of one other field only, which is no fraction: logs have
    numbers, too.

    Args:
        line: Of a list.
        by_end: Picture by the ends of its path.
        known: Folders of all pictures.
    """
    fields = _MARKS.split(line)
    named = [
        field
        for field in (line.rpartition(" ")[0], *fields)
        if "/" in field or has_image_suffix(field.strip("\"'"))
    ]
    in_front = fields[:1] if len(fields) == 2 and not (named or _FRACTION.fullmatch(fields[1])) else []
    for field in (line, *named, *in_front):
        parts = _key(field).split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            if end in by_end:
                image = by_end[end]
                if image is not None and not _contradicts(parts[:start], parts[start:], image, known):
                    return image
                break
    return None


def _contradicts(before: Sequence[str], end: Sequence[str], image: str, known: set[str]) -> bool:
    """Whether the folders that a line names in front of an end are those of another picture.

    These of a class or of other pictures are; where nothing but the name of the file agrees, all are that
    say anything.
    """
    folders = _key(image).split("/")[:-1]
    if not before or len(folders) == len(end) - 1:
        return False
    if any((part in known or expression_of(part)) and part not in folders for part in before):
        return True
    return len(end) == 1 and before[-1] not in _ANY and split_of(before[-1]) is None


def _label(line: str, image: str, manifest: Manifest) -> str | None:
    """The class that a line names beside its picture."""
    labels = {label.casefold(): label for label in manifest.taxonomy.labels} if manifest.taxonomy else {}
    end = _key(image).rpartition("/")[2]
    said = [labels[field.casefold()] for field in _MARKS.split(line) if field.casefold() in labels]
    return said[0] if len(said) == 1 and end not in labels else None


def _has_header(found: Sequence[tuple[str, str | None]]) -> bool:
    """Whether the first line names columns."""
    return bool(found) and found[0][1] is None and len(found) > 1 and not has_image_suffix(found[0][0])
