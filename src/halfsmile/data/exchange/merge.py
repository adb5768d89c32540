"""Several data sets as one: every label mapped onto one taxonomy, as the user says, and nothing silently."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import Taxonomy, from_labels

_SHOWN = 3


@dataclass(frozen=True)
class MergeSource:
    """A data set to merge.

    Args:
        name: Short and unique; it is put in front of people and videos.
        manifest: Its rows.
        renames: What becomes of labels that the target taxonomy lacks: another label, or None to drop the
            rows.
    """

    name: str
    manifest: Manifest
    renames: Mapping[str, str | None] = field(default_factory=dict)


def classes_of(sources: Sequence[MergeSource]) -> Taxonomy | None:
    """Classes of the first source that has labels, under the names that they get; None if no source has any.

    Those that it drops are left out unless another source has them.
    """
    labeled = [
        {label: source.renames.get(label, label) for label in source.manifest.taxonomy.labels}
        for source in sources
        if source.manifest.taxonomy is not None
    ]
    if not labeled:
        return None
    first, *others = labeled
    elsewhere = {new for targets in others for new in targets.values()}
    return from_labels(
        dict.fromkeys(new or old for old, new in first.items() if new is not None or old in elsewhere)
    )


def merge(
    sources: Sequence[MergeSource], taxonomy: Taxonomy | None, *, same_people: bool = False
) -> Manifest:
    """Put data sets one behind the other.

    People and videos are renamed to ``<source>/<person>``, because number 1 of one data set is not number 1
    of another.

    Votes are added up onto the target's classes and scaled to sum 1 again; where all votes were for dropped
    classes they are null.

    Args:
        sources: At least one, with different names.
        taxonomy: Classes of the result; None if no source has labels.
        same_people: People of one name are one person in all sources, and keep it.

    Returns:
        A manifest whose root is the innermost folder that holds all sources. Its notes say how many rows came
        from where, what was renamed and dropped, how many names of people and which pictures sources share.

    Raises:
        ValueError: If names repeat, a label has no target, or the sources lie on different drives.
    """
    names = [source.name for source in sources]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Merging needs sources with different names, found {names}.")
    root = _common_root([source.manifest.root for source in sources])
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for source in sources:
        new, said = _rows(source, taxonomy, root, same_people=same_people)
        rows += new
        notes += [*said, *(f"{source.name}: {note}" for note in source.manifest.notes)]
    notes += _shared_people(sources, same_people=same_people)
    hashes = Counter(row["sha256"] for row in rows if row["sha256"] is not None)
    repeated = sum(times - 1 for times in hashes.values())
    if repeated:
        notes.append(f"{repeated} rows have the hash of an earlier row; find the copies before training.")
    return Manifest.from_rows(rows, root, taxonomy, notes)


def _shared_people(sources: Sequence[MergeSource], *, same_people: bool) -> list[str]:
    """A note where a name of a person occurs in several sources."""
    named = [set(source.manifest.column("person")) - {None} for source in sources]
    times = Counter(name for names in named for name in names)
    if not (shared := sorted(name for name, count in times.items() if count > 1)):
        return []
    listed = ", ".join(shared[:_SHOWN]) + (" …" if len(shared) > _SHOWN else "")
    what = "1 name of a person is" if len(shared) == 1 else f"{len(shared):,} names of people are"
    said = f"{what} in several sources ({listed})"
    if same_people:
        return [f"{said}: one person each, as asked."]
    example = ", ".join(
        f"{source.name}/{shared[0]}"
        for source, names in zip(sources, named, strict=True)
        if shared[0] in names
    )
    return [f"{said}: different people, as {example}. If they are the same: --same-people."]


def _rows(
    source: MergeSource, taxonomy: Taxonomy | None, root: Path, *, same_people: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    manifest = source.manifest
    targets = _targets(source, taxonomy)
    prefix = _prefix(manifest.root, root)
    rows, counts = [], Counter[str]()
    for row in manifest.table.to_pylist():
        label = row["label"]
        if label is not None and targets[label] is None:
            counts[label] += 1
            continue
        row["image"] = row["image"] if PurePath(row["image"]).is_absolute() else prefix + row["image"]
        row["label"] = None if label is None else targets[label]
        row["votes"] = moved_votes(row["votes"], targets, manifest.taxonomy, taxonomy)
        for name in ("video",) if same_people else ("person", "video"):
            row[name] = None if row[name] is None else f"{source.name}/{row[name]}"
        rows.append(row)
    said = [f"{source.name}: {len(rows)} of {len(manifest)} rows."]
    changed = {old: new for old, new in targets.items() if new is not None and new != old}
    if changed:
        said.append(
            f"{source.name}: renamed " + ", ".join(f"{old} to {new}" for old, new in changed.items()) + "."
        )
    if counts:
        said.append(f"{source.name}: dropped rows with the labels {dict(sorted(counts.items()))}.")
    return rows, said


def _targets(source: MergeSource, taxonomy: Taxonomy | None) -> dict[str, str | None]:
    own = source.manifest.taxonomy
    if own is None:
        return {}
    if taxonomy is None:
        raise ValueError(f"{source.name} has the labels {list(own.labels)}: say onto which taxonomy.")
    try:
        return own.map_to(taxonomy, source.renames)
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from error


def moved_votes(
    votes: Sequence[float] | None,
    targets: Mapping[str, str | None],
    old: Taxonomy | None,
    new: Taxonomy | None,
) -> list[float] | None:
    """Votes over the classes of one taxonomy as those over another: added up, and scaled to sum 1 again.

    Args:
        votes: Shape (old classes,), or None.
        targets: New class by old one; None drops its votes.
        old: Taxonomy of the votes.
        new: Taxonomy of the result.

    Returns:
        Shape (new classes,); None where there are no votes, or all were for dropped classes.
    """
    if votes is None or old is None or new is None:
        return None
    moved = np.zeros(len(new))
    for label, share in zip(old.labels, votes, strict=True):
        target = targets[label]
        if target is not None:
            moved[new.index(target)] += share
    total = moved.sum()
    return [float(v) for v in moved / total] if total > 0 else None


def _common_root(roots: Sequence[Path]) -> Path:
    folders = [
        str(Path(root).resolve().parent if Path(root).is_file() else Path(root).resolve()) for root in roots
    ]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:
        raise ValueError(f"The sources {folders} have no folder in common ({error}).") from error


def _prefix(root: Path, common: Path) -> str:
    """What turns a locator below ``root`` into one below ``common``."""
    path = Path(root).resolve().relative_to(common).as_posix()
    if Path(root).is_file():
        return f"{path}!"
    return "" if path == "." else f"{path}/"
