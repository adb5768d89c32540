"""The labeled faces of a data set, or the frames of its videos, as its protocol has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from halfsmile.data.folds import with_splits
from halfsmile.data.manifest import SCHEMA, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.protocols.protocol import Protocol
from halfsmile.data.protocols.recognize import layout_of, root_of
from halfsmile.data.readers import affectnet, affwild2, ferplus, rafdb, sequences
from halfsmile.data.readers.affwild2 import FRAMES_PER_SECOND
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.sequences import Sequences, divide_people
from halfsmile.data.tables.rows import TABLE_SUFFIXES
from halfsmile.taxonomy import AFFECTNET7, AFFECTNET8, FERPLUS, RAFDB


def read_stills(protocol: Protocol, path: Path) -> Manifest:
    """The labeled faces of a data set of pictures.

    Raises:
        ValueError: If the path does not hold the protocol's data set.
    """
    if protocol.is_video:
        raise ValueError(f"{path} holds {protocol.title}; expected pictures without time.")
    if protocol.data_set == "faces":
        return _read_faces(path)
    layout = layout_of(path)
    if layout is not None and layout.name in ("store", "manifest"):
        return _read_prepared(protocol, path)
    root = root_of(path)
    if protocol.data_set == "ferplus":
        return ferplus.read(root, rule=protocol.label_rule or "argmax")
    if layout is None or layout.name != protocol.data_set:
        return _read_repacked(protocol, path)
    if protocol.data_set == "rafdb":
        return rafdb.read(root)
    return affectnet.read(root, num_classes=7 if protocol.num_classes == 7 else 8)


def _read_repacked(protocol: Protocol, path: Path) -> Manifest:
    """RAF-DB or AffectNet in folders or tables, as they are passed around.

    AffectNet's validation set is the one that is tested on.

    Raises:
        ValueError: If there are other classes, or no way to read them is known.
    """
    manifest = _read_faces(path)
    wanted = (
        {RAFDB.labels}
        if protocol.data_set == "rafdb"
        else {AFFECTNET8.labels if protocol.num_classes != 7 else AFFECTNET7.labels}
    )
    ordered = next(iter(wanted))
    found = manifest.taxonomy.labels if manifest.taxonomy else ()
    if set(found) != set(ordered):
        raise ValueError(
            f"{path} has the classes {', '.join(found) or 'none'}, and {protocol.title} has "
            f"{', '.join(ordered)}. Give the path of the whole data set, call them so by --label-names "
            "OLD=NEW, or leave --data-set away to train on them as faces of your own."
        )
    splits = manifest.column("split")
    if protocol.data_set != "affectnet" or "test" in splits:
        return manifest
    tested = ["test" if split == "valid" else split for split in splits]
    return with_splits(manifest, tested, "The validation set is tested on: the test set was never published.")


def _read_faces(path: Path) -> Manifest:
    """Labeled faces as they are recognized."""
    try:
        manifest = read_any(path)
    except UnreadLabelsError as error:
        raise ValueError(
            f"{error} `halfsmile train` takes these options; for other commands `halfsmile data merge {path} "
            f"… --out list.parquet` writes a list to give in place of {path}."
        ) from error
    if manifest.taxonomy is None:
        hints: list[str] = [note for note in manifest.notes if isinstance(note, LeftOut)]
        if path.suffix.lower() in TABLE_SUFFIXES:
            hints.append("If a column holds the labels, name it: --columns label=COLUMN.")
        raise ValueError(" ".join([f"{path} has {len(manifest):,} faces and no label.", *hints]))
    return manifest


def read_labeled(protocol: Protocol, path: Path) -> Manifest:
    """The labeled faces of a data set with the splits that it has itself; of videos, the frames.

    Raises:
        ValueError: If the path does not hold the protocol's data set.
    """
    if protocol.data_set == "affwild2":
        return affwild2.read(root_of(path))
    if protocol.data_set == "sequences":
        return sequences.read(root_of(path)).manifest
    return read_stills(protocol, path)


def _read_prepared(protocol: Protocol, path: Path) -> Manifest:
    """A data set from the store or manifest that was made of it."""
    stored = read_any(path)
    if protocol.data_set == "ferplus":
        if stored.taxonomy is None or stored.taxonomy.labels != FERPLUS.labels:
            found = (
                "no labels" if stored.taxonomy is None else f"the classes {', '.join(stored.taxonomy.labels)}"
            )
            raise ValueError(
                f"{path} is a store with {found}; one that was prepared from FERPlus is needed here. For "
                "other faces leave --data-set and --label-rule away."
            )
        note = "Labels follow the rule that the store was prepared with."
        return replace(stored, notes=(*stored.notes, note))
    classes = len(stored.taxonomy) if stored.taxonomy is not None else 0
    if protocol.num_classes not in (None, classes):
        raise ValueError(
            f"{path} is a store with {classes} classes, and {protocol.num_classes} were asked for. Prepare "
            "it again with the other number, or ask for this one: --classes."
        )
    return stored


def read_videos(protocol: Protocol, path: Path, *, seed: int) -> Sequences:
    """A data set of videos with a split for every frame.

    Aff-Wild2 has splits of its own; its frames are taken to be 1 /
    :data:`~halfsmile.data.readers.affwild2.FRAMES_PER_SECOND` s apart. Elsewhere the protocol's share of the
    people, drawn by the seed, is the test split.

    Raises:
        ValueError: If the path does not hold the data set, or there are too few people to divide.
    """
    if protocol.data_set == "affwild2":
        manifest = affwild2.read(root_of(path))
        times = np.array(manifest.column("frame"), np.float64) / FRAMES_PER_SECOND
        unknown = np.full(len(manifest), np.nan, np.float32)
        return Sequences(manifest, times, unknown, np.zeros(len(manifest), np.bool_))
    table = sequences.read(root_of(path))
    people = table.manifest.column("person")
    if protocol.test_people is None:
        raise ValueError(
            "The protocol does not say which share of the people to test on: --set protocol.test_people=0.3"
        )
    tested, trained = divide_people(people, (protocol.test_people,), seed=seed)
    splits = pa.array(["test" if person in tested else "train" for person in people], pa.string())
    position = SCHEMA.get_field_index("split")
    note = f"Divided by person: {len(trained)} to train on, {len(tested)} to test on."
    manifest = replace(
        table.manifest,
        table=table.manifest.table.set_column(position, SCHEMA.field(position), splits),
        notes=(*table.manifest.notes, note),
    )
    return replace(table, manifest=manifest)
