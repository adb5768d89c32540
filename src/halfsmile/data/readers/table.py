"""Faces listed in a table: CSV, Parquet or JSON Lines, one row a face.

The columns are given by name, or guessed from the usual names (:data:`NAMES`). CSV may be separated by
commas, semicolons, tabs or bars and encoded as UTF-8 (with or without a mark) or UTF-16; see
:mod:`halfsmile.data.readers.table_rows`.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, open_archive
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.table_rows import read_rows
from halfsmile.data.readers.table_values import LENGTHS, BoxFormat, is_number, parse_row
from halfsmile.taxonomy import Taxonomy, from_names

Columns = Mapping[str, str | Sequence[str]]

_XY = ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r")
NAMES: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "image": ("image", "image_path", "img", "img_path", "path", "filepath", "file_path", "file", "file_name",
              "filename"),
    "label": ("label", "expression", "emotion", "class"),
    "votes": ("votes",),
    "split": ("split", "usage", "subset", "set", "partition"),
    "person": ("person", "person_id", "identity", "subject", "subject_id"),
    "video": ("video", "video_id", "sequence", "clip"),
    "frame": ("frame", "frame_id", "frame_number"),
    "box": ("box", "bbox", ("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"),
            ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"),
            ("left", "top", "right", "bottom")),
    "landmarks": ("landmarks", tuple(f"{point}_{axis}" for point in _XY for axis in "xy")),
}  # fmt: skip
"""Column names that are recognized, upper or lower case; the first that fits is taken."""


def read(
    root: Path,
    *,
    columns: Columns | None = None,
    images: Path | None = None,
    taxonomy: Taxonomy | None = None,
    labels: Mapping[str, str | None] | None = None,
    box: BoxFormat = "corners",
) -> Manifest:
    """Read a table of faces.

    Args:
        root: The table: ``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.jsonl`` or ``.ndjson``.
        columns: Column of each part of the manifest, such as ``{"image": "Datei", "label": "Ausdruck"}``.
            ``box``, ``landmarks`` and ``votes`` take one column with a list of numbers, or 4, 10 and as many
            columns as there are classes. What is not named is guessed; an empty name leaves a part out.
        images: Folder or archive that the image column is relative to; by default the table's folder, or the
            only archive in it if the first picture is not a file there.
        taxonomy: Classes; by default a known taxonomy with the labels' names (or with the names of the vote
            columns), else the sorted labels.
        labels: Class name by the table's own label, as ``{"0": "neutral"}``; None drops the row. Needed
            where labels are numbers.
        box: ``corners``: x0, y0, x1, y1. ``size``: x, y, width, height.

    Returns:
        Rows in the order of the table. Rows without an image, or with a value that can't be understood, are
        left out and counted; unused columns are listed in the notes.

    Raises:
        ValueError: If the table can't be read, a named column is missing, labels or splits are unknown, or
            the order of votes is not said.
    """
    path = Path(root)
    found, records, notes = read_rows(path)
    chosen = _choose(path, found, columns or {})
    unused = [name for name in found if name not in {n for names in chosen.values() for n in names}]
    if unused:
        notes.append(f"Columns of {path.name} that were not used: {', '.join(unused)}.")

    rows: list[dict[str, Any]] = []
    bad, first_bad = 0, ""
    for number, record in enumerate(records, start=1):
        try:
            rows.append(parse_row(record, chosen, box))
        except ValueError as error:
            bad += 1
            first_bad = first_bad or f"data row {number} ({error})"
    if bad:
        notes.append(f"{bad:,} rows of {path.name} can't be understood and were left out, first {first_bad}.")
    vote_columns = chosen.get("votes", ()) if len(chosen.get("votes", ())) > 1 else ()
    rows, taxonomy = _with_classes(path, rows, vote_columns, taxonomy, labels or {}, notes)
    if not rows:
        raise ValueError(f"{path} has no usable row. {' '.join(notes)}")
    return Manifest.from_rows(rows, images or _place(path, rows[0]["image"]), taxonomy, notes)


def _place(path: Path, image: str) -> Path:
    """Where the pictures of a table are: its folder, or the only archive there."""
    archives = [file for file in path.parent.iterdir() if file.name.lower().endswith(ARCHIVE_SUFFIXES)]
    if len(archives) != 1 or os.path.isfile(path.parent / image):
        return path.parent
    return archives[0] if image in open_archive(archives[0]).names else path.parent


def _choose(path: Path, found: Sequence[str], columns: Columns) -> dict[str, tuple[str, ...]]:
    """Columns of the table for each part of the manifest."""
    if unknown := sorted(set(columns) - set(NAMES)):
        raise ValueError(f"A face has no {unknown}; columns can be named for {list(NAMES)}.")
    chosen = {}
    by_name = {name.casefold(): name for name in reversed(found)}
    for part, usual in NAMES.items():
        if part in columns:
            given = columns[part]
            names = (given,) if isinstance(given, str) else tuple(given)
            if missing := [name for name in names if name and name not in found]:
                raise ValueError(f"{path} lacks the columns {missing} for {part!r}; it has {list(found)}.")
            wanted = len(names) if part == "votes" else LENGTHS.get(part, 1)
            if len(names) not in (1, wanted):
                raise ValueError(f"{part!r} takes {wanted} columns, got {list(names)}.")
            if names[0]:
                chosen[part] = names
            continue
        for candidate in usual:
            candidates = (candidate,) if isinstance(candidate, str) else candidate
            if all(name in by_name for name in candidates):
                chosen[part] = tuple(by_name[name] for name in candidates)
                break
    if "image" not in chosen:
        raise ValueError(
            f"{path} has no column for the image; it has {list(found)}. Name it, as in "
            "columns={'image': 'a column'}; recognized are " + ", ".join(map(str, NAMES["image"])) + "."
        )
    return chosen


def _with_classes(
    path: Path,
    rows: list[dict[str, Any]],
    vote_columns: Sequence[str],
    taxonomy: Taxonomy | None,
    renames: Mapping[str, str | None],
    notes: list[str],
) -> tuple[list[dict[str, Any]], Taxonomy | None]:
    """Rows whose labels and votes are those of a taxonomy, and the taxonomy."""
    found = Counter(row["label"] for row in rows if row.get("label") is not None)
    if numbers := sorted(label for label in found if label not in renames and is_number(label)):
        raise ValueError(
            f"{path}: the labels {numbers[:12]} are numbers. Say what they mean, as in "
            f"labels={{{numbers[0]!r}: 'neutral', …}}; None drops a row."
        )
    targets = {label: renames.get(label, label) for label in (*found, *vote_columns)}
    if dropped := sum(count for label, count in found.items() if targets[label] is None):
        notes.append(f"{dropped:,} rows were dropped because of their label, as asked.")
        rows = [row for row in rows if row.get("label") is None or targets[row["label"]] is not None]
    names = [target for target in dict.fromkeys(targets[name] for name in vote_columns) if target]
    names = names or sorted({target for target in targets.values() if target})
    if taxonomy is None and not vote_columns and any(row.get("votes") is not None for row in rows):
        raise ValueError(
            f"{path}: votes in one column don't say which class each of them is for. Name one column "
            "per class, as in columns={'votes': ['votes_anger', …]}, or say the order by taxonomy=…; a "
            "column of another name is left out."
        )
    if taxonomy is None and len(names) > 1:
        taxonomy = from_names(names)
    known = {name.casefold(): name for name in taxonomy.labels} if taxonomy else {}
    if unknown := sorted({name for name in targets.values() if name and name.casefold() not in known}):
        raise ValueError(
            f"{path}: the classes {unknown[:12]} are not in the taxonomy "
            f"{list(taxonomy.labels) if taxonomy else '(a single class makes none)'}. Rename them by labels=…"
        )
    positions = [known[target.casefold()] if (target := targets[name]) else None for name in vote_columns]
    kept = []
    for row in rows:
        if row.get("label") is not None:
            row["label"] = known[str(targets[row["label"]]).casefold()]
        if row.get("votes") is not None:
            row["votes"] = _shares(row["votes"], positions, taxonomy)
            if row["votes"] is None:
                continue
        kept.append(row)
    if len(kept) < len(rows):
        size = len(taxonomy) if taxonomy else 0
        notes.append(
            f"{len(rows) - len(kept):,} rows were left out because they lack votes for {size} classes."
        )
    return kept, taxonomy


def _shares(
    votes: list[float], positions: Sequence[str | None], taxonomy: Taxonomy | None
) -> list[float] | None:
    """Votes in the taxonomy's order, scaled to sum 1; None where they are not valid."""
    if taxonomy is None or min(votes) < 0:
        return None
    if positions:
        totals = dict.fromkeys(taxonomy.labels, 0.0)
        for name, value in zip(positions, votes, strict=True):
            if name is not None:
                totals[name] += value
        votes = list(totals.values())
    total = sum(votes)
    if len(votes) != len(taxonomy) or not 0 < total < math.inf:
        return None
    return [value / total for value in votes]
