"""From what a table calls its classes to the labels and votes of a taxonomy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from halfsmile.data.manifest import Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.beside.class_names import class_names_beside
from halfsmile.data.readers.words import (
    are_numbered_as_rafdb,
    how_to_name,
    meaning_of_numbers,
    split_of_picture,
)
from halfsmile.data.tables.values import is_number
from halfsmile.taxonomy import RAFDB, Taxonomy, from_names

Row = dict[str, Any]
MISSING = frozenset(("nan", "na", "n/a", "#n/a", "<na>", "null", "nil", "?", "??", "-", "--", "missing",
                      "unlabeled", "unlabelled"))  # fmt: skip
"""What tables write where there is no label."""


@dataclass(frozen=True)
class Classes:
    """What is known of the classes of a table.

    Args:
        votes: Class by the column of its votes.
        taxonomy: As it was given.
        renames: Class by the table's own label; None drops the row.
        has_labels: Whether there is a column of labels; where there is none, votes tell them.
        without: What to type to leave the labels out.
    """

    votes: Mapping[str, str]
    taxonomy: Taxonomy | None
    renames: Mapping[str, str | None]
    has_labels: bool = True
    without: str = " To take the faces without labels: --columns label="


def settle(
    path: Path, root: Path, rows: list[Row], classes: Classes, notes: list[str]
) -> tuple[list[Row], Taxonomy | None]:
    """Rows whose labels and votes are those of a taxonomy, and the taxonomy.

    Numbers need names, unless the pictures' own names tell the data set. Rows without a label get the one
    that most votes are for.

    Raises:
        UnreadLabelsError: If labels are numbers and nothing tells what they mean.
        ValueError: If a class is not in the taxonomy that was given, or the order of votes is not said.
    """
    missing: Counter[str] = Counter()
    for row in rows:
        if row.get("label") is not None:
            row["label"] = whole(row["label"])
            if row["label"].casefold() in MISSING and row["label"] not in classes.renames:
                missing[row["label"]] += 1
                row["label"] = None
    if missing:
        said = ", ".join(f"{text} {count:,}" for text, count in missing.items())
        notes.append(LeftOut(f"{missing.total():,} rows have no label where the table says {said}."))
    classes = replace(classes, renames={whole(label): name for label, name in classes.renames.items()})
    numbers = _named_numbers(path, root, rows, classes, notes)
    renames = {**classes.renames, **numbers}
    taxonomy, vote_columns = classes.taxonomy, list(classes.votes)
    if numbers and taxonomy is None and not classes.renames and are_numbered_as_rafdb(numbers):
        taxonomy = RAFDB
    found = Counter(row["label"] for row in rows if row.get("label") is not None)
    names = {
        **{column: classes.votes[column] for column in vote_columns},
        **{label: label for label in found},
    }
    targets = {name: renames.get(name, renames.get(label, label)) for name, label in names.items()}
    idle = [name for name in classes.renames if name not in names and name not in names.values()]
    if words := [name for name in idle if not is_number(name)]:
        has = ", ".join(sorted({*names.values()})) or "none"
        raise ValueError(f"{path} has no label {', '.join(words)}; it has {has}.")
    if dropped := sum(count for label, count in found.items() if targets[label] is None):
        notes.append(LeftOut(f"{dropped:,} rows were dropped because of their label, as asked."))
        rows = [row for row in rows if row.get("label") is None or targets[row["label"]] is not None]
    if taxonomy is None and not vote_columns and any(row.get("votes") is not None for row in rows):
        raise ValueError(
            f"{path}: votes in one column don't say which class each of them is for. Name one column "
            "per class: --columns votes=votes_anger,votes_disgust,…; --columns votes= leaves the column out."
        )
    ordered = [target for target in dict.fromkeys(targets[name] for name in vote_columns) if target]
    ordered = ordered or sorted({target for target in targets.values() if target})
    if taxonomy is None and len({name.casefold() for name in ordered}) > 1:
        taxonomy = from_names(ordered)
    if taxonomy is None and len(ordered) == 1:
        faults = "".join(f"{note} " for note in notes if isinstance(note, Fault))
        raise ValueError(
            f"{path} has the single label {ordered[0]!r}, and a classifier needs two at least. {faults}Give "
            f"all the data, or name the column of the labels.{classes.without}"
        )
    known = {name.casefold(): name for name in taxonomy.labels} if taxonomy else {}
    if unknown := sorted({name for name in targets.values() if name and name.casefold() not in known}):
        raise ValueError(
            f"{path}: the classes {unknown[:12]} are not in the taxonomy "
            f"{list(taxonomy.labels) if taxonomy else []}. Rename them: "
            f"--label-names {unknown[0]}=…"
        )
    positions = [known[target.casefold()] if (target := targets[name]) else None for name in vote_columns]
    kept, led = [], 0
    for row in rows:
        if row.get("label") is not None:
            row["label"] = known[str(targets[row["label"]]).casefold()]
        if row.get("votes") is not None:
            row["votes"] = _shares(row["votes"], positions, taxonomy)
            if row["votes"] is None:
                continue
            if not classes.has_labels and taxonomy is not None:
                row["label"] = _leading(row["votes"], taxonomy)
                led += row["label"] is not None
        kept.append(row)
    if led:
        notes.append(f"{led:,} rows of {path.name} have the label that most of their votes are for.")
    if len(kept) < len(rows):
        size = len(taxonomy) if taxonomy else 0
        notes.append(
            Fault(f"{len(rows) - len(kept):,} rows were left out because they lack votes for {size} classes.")
        )
    return kept, taxonomy


def _named_numbers(
    path: Path, root: Path, rows: Sequence[Row], classes: Classes, notes: list[str]
) -> dict[str, str | None]:
    """Names of the numbers that were given none, where the pictures' names tell them."""
    labeled = [row for row in rows if row.get("label") is not None]
    numbers = {
        row["label"] for row in labeled if row["label"] not in classes.renames and is_number(row["label"])
    }
    if not numbers:
        return {}
    ordered = sorted(numbers, key=float)
    beside = class_names_beside(_places(path, root), numbers, _faces(path, root, rows))
    if beside.names:
        notes.append(beside.note)
        return {number: beside.names[number] for number in ordered}
    known = meaning_of_numbers(numbers, [row["image"] for row in labeled])
    if known is None:
        raise UnreadLabelsError(
            f"{path}: the labels {', '.join(ordered[:12])} are numbers, and class orders differ between "
            f"data sets.{f' {beside.note}' if beside.note else ''}",
            how_to_name(numbers, classes.without),
            Manifest.from_rows(({**row, "label": None, "votes": None} for row in rows), root, None, notes),
        )
    said = ", ".join(f"{number} {known[number]}" for number in ordered)
    notes.append(f"Labels are numbered as RAF-DB's classes are, whose pictures have such names: {said}.")
    if all(row.get("split") is None for row in rows):
        for row in rows:
            row["split"] = split_of_picture(row["image"])
        notes.append("Splits are those that the pictures' names begin with.")
    return {number: known[number] for number in ordered}


def _places(path: Path, root: Path) -> list[Path]:
    """The folder of a table, those around it up to the root of the pictures, and the root."""
    if not path.is_file() or path == root:
        return [root]
    around = path.parents[: path.parents.index(root)] if root in path.parents else [path.parent]
    return [*around, root]


def _faces(path: Path, root: Path, rows: Sequence[Row]) -> list[str]:
    """The pictures of a table, and the table where it lies in an archive."""
    member = str(path).removeprefix(f"{root}!")
    return [*(row["image"] for row in rows), *([member] if member != str(path) else [])]


def whole(label: str) -> str:
    """A number without its point: ``3.0`` is ``3``."""
    if not is_number(label):
        return label
    value = float(label)
    return str(int(value)) if math.isfinite(value) and value.is_integer() else label


def _leading(votes: Sequence[float], taxonomy: Taxonomy) -> str | None:
    """The class of most votes; None where two have as many."""
    most = max(votes)
    return taxonomy.labels[votes.index(most)] if list(votes).count(most) == 1 else None


def _shares(
    votes: list[float], positions: Sequence[str | None], taxonomy: Taxonomy | None
) -> list[float] | None:
    """Votes in the taxonomy's order, scaled to sum 1; None where they are not valid."""
    if taxonomy is None or min(votes) < 0 or (positions and len(positions) != len(votes)):
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
