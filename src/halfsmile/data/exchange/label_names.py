"""Other names for the labels of lists and stores; readers of folders and tables have that themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from halfsmile.data.exchange.merge import moved_votes
from halfsmile.data.manifest import LeftOut, Manifest
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.readers.words import number_of
from halfsmile.data.split import require_no_budget
from halfsmile.taxonomy import from_labels


def read_named(path: Path, layout: str | None = None, **options: Any) -> Manifest:
    """Read a data set by :func:`~halfsmile.data.readers.registry.read_any`; lists and stores are renamed.

    Args:
        path: The data set.
        layout: Its layout; recognized if None.
        options: For the reader; of lists and stores ``labels`` is taken here.

    Raises:
        ValueError: If it can't be read, is a label budget, or has no such label.
    """
    require_no_budget(Path(path))
    if "labels" not in options or not _is_list_or_store(path, layout):
        return read_any(path, layout, **options)
    labels = options.pop("labels")
    return with_label_names(read_any(path, layout, **options), labels)


def with_label_names(manifest: Manifest, names: Mapping[str, str | None]) -> Manifest:
    """The rows with other labels. Votes move with them.

    Args:
        manifest: Labeled rows.
        names: New label by old one; None drops the class, and its rows if there are any. Numbers that are
            no label are passed over, as those of a published order.

    Raises:
        ValueError: If there is no such label, or fewer than two classes are left.
    """
    own = manifest.taxonomy.labels if manifest.taxonomy else ()
    if unknown := [name for name in names if name not in own and number_of(name) is None]:
        raise ValueError(
            f"{manifest.root}: no label is called {', '.join(unknown)}; "
            f"labels are {', '.join(own) or 'none'}."
        )
    targets = {label: names.get(label, label) for label in own}
    if manifest.taxonomy is None or all(old == new for old, new in targets.items()):
        return manifest
    taxonomy = from_labels(dict.fromkeys(label for label in targets.values() if label is not None))
    rows = manifest.table.to_pylist()
    dropped = Counter(row["label"] for row in rows if row["label"] and targets[row["label"]] is None)
    kept = [
        {
            **row,
            "label": row["label"] and targets[row["label"]],
            "votes": moved_votes(row["votes"], targets, manifest.taxonomy, taxonomy),
        }
        for row in rows
        if not dropped[row["label"]]
    ]
    found = Manifest.from_rows(kept, manifest.root, taxonomy, manifest.notes)
    if not dropped:
        return found
    said = ", ".join(f"{count:,} of {label}" for label, count in dropped.items())
    note = LeftOut(f"{dropped.total():,} rows were dropped because of their label, as asked: {said}.")
    return replace(found, notes=(*found.notes, note))


def _is_list_or_store(path: Path, layout: str | None) -> bool:
    if layout is None:
        try:
            layout = recognize(path).name
        except ValueError:
            return False
    return layout in ("manifest", "store")
