"""Faces that a model has labeled, as rows to train on: a table of ``halfsmile pseudo-label``, or a list.

Beside its table ``halfsmile pseudo-label`` writes ``<table>.settings.json``: which store the faces are in,
which model named them, and from which confidence on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.store import read as stores
from halfsmile.data.tables.rows import TABLE_SUFFIXES, read_rows
from halfsmile.taxonomy import Taxonomy
from halfsmile.utils.files import read_json, write_json

PROBABILITY = "p_"
"""Begins the names of the columns with the probability of each class."""

_MADE_BY = ("model", "model_sha256", "threshold", "per_class")


@dataclass(frozen=True)
class PseudoLabels:
    """Rows to train on whose labels a model gave.

    Args:
        manifest: The rows, all with a label of the data's taxonomy and in the split ``train``; ``votes`` are
            the model's probabilities where the table has them.
        facts: For ``data.json``: ``path``, ``sha256`` of the file, and ``model``, ``model_sha256``,
            ``threshold`` and ``per_class`` where they are known.
    """

    manifest: Manifest
    facts: Mapping[str, Any]

    @property
    def describe(self) -> str:
        """Who named them, for people."""
        model, threshold = self.facts.get("model"), self.facts.get("threshold")
        sure = "" if threshold is None else f", from a confidence of {threshold:.3f}"
        soft = self.manifest.table["votes"].null_count < len(self.manifest)
        kind = "its probabilities are the targets" if soft else "labels alone"
        return f"{self.facts['path']} ({f'by {model}{sure}; ' if model else ''}{kind})"


def record_path(table: Path) -> Path:
    """Where it is said how a table of pseudo-labels was made."""
    return table.with_name(f"{table.name}.settings.json")


def write_record(table: Path, store: Path, **made_by: Any) -> None:
    """Say how a table was made.

    Args:
        table: The table.
        store: Where its faces are; found again where both were moved together, too.
        made_by: ``model``, ``model_sha256``, ``threshold`` and ``per_class``.

    Raises:
        OSError: If it can't be written.
    """
    place = Path(store).resolve()
    try:
        beside: str | None = Path(os.path.relpath(place, table.resolve().parent)).as_posix()
    except ValueError:  # another drive
        beside = None
    write_json(record_path(table), {"store": str(place), "store_from_here": beside, **made_by})


def probability_labels(columns: Sequence[str]) -> tuple[str, ...]:
    """Classes of the columns ``p_<label>`` of a table of pseudo-labels, in its order; none of another."""
    if not {"image", "label", "accepted", "confidence"} <= set(columns):
        return ()
    return tuple(name.removeprefix(PROBABILITY) for name in columns if name.startswith(PROBABILITY))


def read_pseudo_labels(path: Path, taxonomy: Taxonomy) -> PseudoLabels:
    """Read what a model labeled, in the classes of the data that it shall be trained with.

    Faces whose class the data lack are left out, and so are rows of a list that belong to another split than
    ``train``; the notes count them.

    Args:
        path: A table that ``halfsmile pseudo-label`` wrote, or a list or store with labels, such as
            ``halfsmile data import`` writes.
        taxonomy: Classes of the data.

    Raises:
        ValueError: If it can't be read, does not say where its faces are, or nothing is left; the message
            says what to do.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    notes: list[str] = []
    made_by: dict[str, Any] = {}
    if path.suffix.lower() in TABLE_SUFFIXES and not _is_list(path):
        manifest, made_by = _read_table(path, taxonomy, notes)
    else:
        manifest = _read_list(path, taxonomy, notes)
    if not len(manifest):
        detail = f" {' '.join(notes)}" if notes else ""
        raise ValueError(
            f"{path} has no pseudo-label for the classes {', '.join(taxonomy.labels)}.{detail} A lower "
            "--threshold of `halfsmile pseudo-label` accepts more."
        )
    manifest = Manifest(_as_training(manifest.table), manifest.root, taxonomy, tuple(notes))
    return PseudoLabels(manifest, {"path": str(path), "sha256": _sha256(path), **made_by})


def _is_list(path: Path) -> bool:
    """Whether a file is a manifest."""
    try:
        return recognize(path).name == "manifest"
    except ValueError:
        return False


def _read_table(path: Path, taxonomy: Taxonomy, notes: list[str]) -> tuple[Manifest, dict[str, Any]]:
    pseudo = read_rows(path)
    columns, found = pseudo.names, pseudo.rows
    labels = probability_labels(columns)
    if not labels:
        raise ValueError(
            f"{path} is no table of `halfsmile pseudo-label`: it lacks such columns as accepted and "
            "p_<label>. To train on labels of another origin make a list of them: `halfsmile data import "
            f"FACES {path} --out list.parquet`, and give that."
        )
    store, made_by = _store_of(path)
    faces = stores.read(store)
    places = {image: row for row, image in enumerate(faces.column("image"))}
    rows, names, votes, strange, lost = [], [], [], dict[str, int](), 0
    for row in found:
        label = row["label"]
        if not label:
            continue
        if label not in taxonomy.labels:
            strange[label] = strange.get(label, 0) + 1
            continue
        place = places.get(row["image"])
        if place is None:
            lost += 1
            continue
        rows.append(place)
        names.append(label)
        votes.append(_shares(row, labels, taxonomy))
    if lost:
        raise ValueError(
            f"{lost:,} faces of {path} are not in the store {store}, which was made anew since. Label it "
            f"again: `halfsmile pseudo-label {store} --out NEW`."
        )
    _note_strange(path, strange, taxonomy, notes)
    table = faces.without_labels().table.take(pa.array(rows, pa.int64()))
    for name, values in (("label", names), ("votes", votes)):
        table = _with(table, name, values)
    return Manifest(table, store, taxonomy), made_by


def _shares(row: Mapping[str, Any], labels: Sequence[str], taxonomy: Taxonomy) -> list[float] | None:
    """The model's probabilities of the data's classes, scaled to sum 1."""
    values = dict.fromkeys(taxonomy.labels, 0.0)
    for label in labels:
        value = row[f"{PROBABILITY}{label}"]
        if value in (None, ""):
            return None
        if label in values:
            values[label] = float(value)
    shares = np.array(list(values.values()))
    return [float(share) for share in shares / shares.sum()] if shares.sum() > 0 else None


def _store_of(path: Path) -> tuple[Path, dict[str, Any]]:
    """The store that the faces of a table are in, and what its record says of who named them."""
    way_out = (
        f"Make a list that knows it, and give that: `halfsmile data import STORE {path} --out list.parquet`."
    )
    try:
        record = read_json(record_path(path))
    except ValueError as error:
        raise ValueError(f"{path} does not tell in which store its faces are: {error} {way_out}") from error
    if not isinstance(record, dict) or not isinstance(record.get("store"), str):
        raise ValueError(
            f"{record_path(path)} does not tell in which store the faces of {path} are. {way_out}"
        )
    beside = record.get("store_from_here")
    candidates = [Path(record["store"]), *([path.resolve().parent / beside] if beside else [])]
    store = next((place for place in candidates if stores.is_store(place)), None)
    if store is None:
        raise ValueError(f"The faces of {path} were in the store {candidates[0]}, which is gone. {way_out}")
    return store, {name: record[name] for name in _MADE_BY if record.get(name) is not None}


def _read_list(path: Path, taxonomy: Taxonomy, notes: list[str]) -> Manifest:
    """Labeled rows of a list or store."""
    manifest = read_any(path)
    own, splits = manifest.column("label"), manifest.column("split")
    strange: dict[str, int] = {}
    kept, elsewhere = [], 0
    for row, (label, split) in enumerate(zip(own, splits, strict=True)):
        if label is None:
            continue
        if split not in (None, "train"):
            elsewhere += 1
        elif label not in taxonomy.labels:
            strange[label] = strange.get(label, 0) + 1
        else:
            kept.append(row)
    if elsewhere:
        notes.append(f"{elsewhere:,} rows of {path} are of a split other than train and were left out.")
    _note_strange(path, strange, taxonomy, notes)
    chosen = manifest.take(kept)
    votes = chosen.column("votes")
    if manifest.taxonomy is not None and manifest.taxonomy.labels != taxonomy.labels:
        labels = manifest.taxonomy.labels
        names = [f"{PROBABILITY}{label}" for label in labels]
        votes = [
            None if row is None else _shares(dict(zip(names, row, strict=True)), labels, taxonomy)
            for row in votes
        ]
    return Manifest(_with(chosen.table, "votes", votes), manifest.root, taxonomy)


def _note_strange(path: Path, found: Mapping[str, int], taxonomy: Taxonomy, notes: list[str]) -> None:
    if found:
        which = ", ".join(f"{label} {count:,}" for label, count in sorted(found.items()))
        notes.append(
            f"{sum(found.values()):,} pseudo-labels of {path} are of classes that the data lack ({which}) "
            f"and were left out; the data have {', '.join(taxonomy.labels)}."
        )


def _as_training(table: pa.Table) -> pa.Table:
    return _with(table, "split", ["train"] * len(table))


def _with(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    field = SCHEMA.field(name)
    return table.set_column(SCHEMA.get_field_index(name), field, pa.array(values, field.type))


def _sha256(path: Path) -> str:
    file = path / stores.INDEX_NAME if path.is_dir() else path
    if not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
