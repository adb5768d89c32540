"""What can be wrong with the pictures of a data set, and with the places of faces in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from halfsmile.data.check.duplicates import across_splits
from halfsmile.data.check.subject import Finding, Subject, of_rows
from halfsmile.data.manifest import SPLITS, Manifest

MIN_SIDE = 24  # pixels below which a face tells little
MIN_CONTRAST = 3.0  # standard deviation of gray levels below which a picture shows nothing


def unreadable(subject: Subject) -> Iterator[Finding]:
    """Pictures that are missing or damaged."""
    bad = subject.pictures.bad if subject.pictures else ()
    missing = [(row, reason) for row, reason in bad if _is_missing(reason)]
    damaged = [(row, reason) for row, reason in bad if not _is_missing(reason)]
    total = len(subject.manifest)
    if missing:
        yield Finding(
            f"Missing pictures: {len(missing):,} of {total:,}.",
            "Copy them again, or take their rows out of the list. Training leaves them out and counts them.",
            tuple(reason for _, reason in missing),
        )
    if damaged:
        yield Finding(
            f"Pictures that are damaged, empty, or no pictures: {len(damaged):,} of {total:,}.",
            "Copy them again or remove them. Training leaves them out and counts them.",
            tuple(reason for _, reason in damaged),
        )


def copies(subject: Subject) -> Iterator[Finding]:
    """Pictures that are there more than once, in one split or in two, and with different labels."""
    if subject.duplicates is None:
        return
    manifest = subject.manifest
    has_splits = manifest.table["split"].null_count < len(manifest)
    exact, near = (
        _of_pictures(manifest, subject.duplicates.exact),
        _of_pictures(manifest, subject.duplicates.near),
    )
    for kind, groups in (("Exact", exact), ("Near", near)):
        leaks = across_splits(manifest, groups)
        if leaks:
            yield Finding(
                f"{kind} copies in more than one split: {_pictures(leaks)} ({_leaked(manifest, leaks)}).",
                "Scores are too good otherwise. `--clean` writes a list without them: training rows go "
                "first, a test row never.",
                _named(subject, leaks),
                leaks,
            )
        across = set(leaks)
        inside = tuple(group for group in groups if group not in across)
        if inside:
            yield Finding(
                f"{kind} copies{' within a split' if has_splits else ''}: {_pictures(inside)}.",
                "They count several times. Remove all but one if that is not meant.",
                _named(subject, inside),
                inside,
                is_problem=False,
            )
    labels = manifest.column("label")
    differ = tuple(group for group in exact if len({labels[row] for row in group} - {None}) > 1)
    if differ:
        yield Finding(
            f"Equal pixels with different labels: {_pictures(differ)}.",
            "Decide for one label, or remove the pictures.",
            _named(subject, differ),
            differ,
        )


def _of_pictures(manifest: Manifest, groups: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Groups of pictures, of whose several faces in a split, each with its box, only the first counts."""
    images, splits = manifest.column("image"), manifest.column("split")
    has_box = manifest.table["box"].is_valid().to_pylist()
    found = []
    for group in groups:
        first = {(images[row], splits[row]): row for row in reversed(group)}
        rows = tuple(row for row in group if not has_box[row] or first[images[row], splits[row]] == row)
        if len(rows) > 1:
            found.append(rows)
    return tuple(found)


def places(subject: Subject) -> Iterator[Finding]:
    """Boxes and landmarks that are not in their picture, or in another order."""
    table, images = subject.manifest.table, subject.shown()
    sizes = {}
    if subject.pictures is not None:
        sizes = dict(zip(subject.pictures.rows.tolist(), subject.pictures.sizes.tolist(), strict=True))
    outside, empty, swapped = [], [], []
    for row, (box, points) in enumerate(
        zip(table["box"].to_pylist(), table["landmarks"].to_pylist(), strict=True)
    ):
        width, height = sizes.get(row, (np.inf, np.inf))
        if box is not None:
            if not (box[0] < box[2] and box[1] < box[3]):
                empty.append(row)
            elif box[0] >= width or box[1] >= height or box[2] <= 0 or box[3] <= 0:
                outside.append(row)
        if points is not None:
            x, y = np.array(points[::2]), np.array(points[1::2])
            if (x < 0).all() or (y < 0).all() or (x > width).all() or (y > height).all():
                outside.append(row)
            elif _is_mirrored(x, y):
                swapped.append(row)
    yield from of_rows(
        sorted(set(outside)),
        "Pictures with a box or landmarks outside of them",
        "Do they belong to pictures of another size?",
        images,
    )
    yield from of_rows(
        empty,
        "Pictures with an empty box, or one whose corners are the wrong way round",
        "A box is x0, y0, x1, y1; a table with x, y, width, height is read with `--box xywh`.",
        images,
    )
    yield from of_rows(
        swapped,
        "Pictures with landmarks in another order",
        "The order is: eye at the image's left, eye at its right, nose, mouth at the left, at the right.",
        images,
    )


def looks(subject: Subject) -> Iterator[Finding]:
    """Pictures that show nothing, and small ones."""
    if subject.pictures is None or not len(subject.pictures.rows):
        return
    pictures, images = subject.pictures, subject.shown()
    flat = pictures.rows[pictures.contrast < MIN_CONTRAST].tolist()
    yield from of_rows(flat, "Pictures of a single gray level, which show nothing", "Remove them.", images)
    small = pictures.rows[pictures.sizes.min(axis=1) < MIN_SIDE].tolist()
    yield from of_rows(
        small,
        f"Pictures smaller than {MIN_SIDE} pixels",
        "Inspect some: faces so small tell little.",
        images,
        is_problem=False,
    )


def _is_missing(reason: str) -> bool:
    return "No such file" in reason or "has no member" in reason


def _is_mirrored(x: Any, y: Any) -> bool:
    """Whether eyes or mouth corners are swapped, or eyes and mouth, judged in the face's own axes.

    A face in profile has corners in nearly the same place: a little past each other is not swapped.
    """
    down = np.array([x[3:].mean() - x[:2].mean(), y[3:].mean() - y[:2].mean()])
    right = np.array([down[1], -down[0]])
    eyes = np.array([x[1] - x[0], y[1] - y[0]]) @ right
    mouth = np.array([x[4] - x[3], y[4] - y[3]]) @ right
    return bool(min(eyes, mouth) < -0.1 * (down @ down))


def _pictures(groups: Sequence[Sequence[int]]) -> str:
    return f"{sum(map(len, groups)):,} pictures in {len(groups):,} group{'s' if len(groups) > 1 else ''}"


def _leaked(manifest: Manifest, groups: Sequence[Sequence[int]]) -> str:
    """How many rows of each split have a copy in another one."""
    splits = manifest.column("split")
    counts = Counter(splits[row] for group in groups for row in group)
    return ", ".join(f"{counts[split]:,} in {split}" for split in SPLITS if counts[split])


def _named(subject: Subject, groups: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """A text for each group: its first picture, and the first of another split or else the second one."""
    images, splits = subject.shown(), subject.manifest.column("split")
    texts = []
    for group in groups:
        other = next((row for row in group if splits[row] != splits[group[0]]), group[1])
        shown = (
            f"{images[row]} ({splits[row]})" if splits[row] else images[row] for row in (group[0], other)
        )
        texts.append(" = ".join(shown) + (f" and {len(group) - 2} more" if len(group) > 2 else ""))
    return tuple(texts)
