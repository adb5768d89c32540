"""What a number on a data set means: label rule, classes, test splits, metric, and what others published.

A protocol is recognized from the data, printed before training, and kept with every number of a run. The
published numbers are those of SSFER's README, "Model weights" (arXiv 2410.17622, ViT-B/16, 1.25 million
unlabeled faces for Stage I).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from halfsmile.data.folds import with_splits
from halfsmile.data.manifest import SCHEMA, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers import affectnet, affwild2, ferplus, rafdb, sequences
from halfsmile.data.readers.affwild2 import FRAMES_PER_SECOND
from halfsmile.data.readers.registry import Layout, read_any, recognize
from halfsmile.data.readers.sequences import Sequences, divide_people
from halfsmile.data.readers.words import are_rafdb
from halfsmile.data.split import Group
from halfsmile.data.tables.rows import TABLE_SUFFIXES
from halfsmile.taxonomy import AFFECTNET7, AFFECTNET8, FERPLUS, RAFDB

DataSet = Literal["ferplus", "rafdb", "affectnet", "affwild2", "sequences", "faces"]
Metric = Literal["accuracy", "macro_f1"]

VIDEOS: tuple[DataSet, ...] = ("sequences", "affwild2")
TITLES: dict[DataSet, str] = {
    "ferplus": "FERPlus",
    "rafdb": "RAF-DB, basic",
    "affectnet": "AffectNet",
    "affwild2": "Aff-Wild2, expressions",
    "sequences": "videos of one's own",
    "faces": "faces of one's own",
}
METRICS: dict[Metric, str] = {"accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is trained and tested on, and by which rule.

    Args:
        data_set: Which reader: a published data set, ``sequences`` of frames, or ``faces`` in any other
            layout.
        label_rule: How FERPlus's votes become a label, one of :data:`~halfsmile.data.readers.ferplus.RULES`.
        num_classes: Classes of AffectNet, 7 or 8 (with contempt); None elsewhere.
        test_splits: Splits that make up the test set.
        metric: The number that papers report first.
        group: Column whose equal values share a role in the label budget, see ``data/split``; None draws rows
            one by one.
        test_people: Share of the people that make up the test split, drawn by the seed of the run; None where
            the data set has splits of its own.

    Raises:
        ValueError: If a rule or a number of classes is given for a data set that has none, or is unknown.
    """

    data_set: DataSet
    label_rule: str | None = None
    num_classes: int | None = None
    test_splits: tuple[str, ...] = ("test",)
    metric: Metric = "accuracy"
    group: Group | None = None
    test_people: float | None = None

    def __post_init__(self) -> None:
        if self.data_set not in get_args(DataSet):
            raise ValueError(f"Unknown data set {self.data_set!r}; known are {', '.join(get_args(DataSet))}.")
        if self.label_rule is not None:
            if self.data_set != "ferplus":
                raise ValueError(
                    f"A label rule is for FERPlus; this is {self.title}. Leave --label-rule away."
                )
            if self.label_rule not in ferplus.RULES:
                raise ValueError(
                    f"Unknown label rule {self.label_rule!r}; known are {', '.join(ferplus.RULES)}."
                )
        if self.num_classes is not None and self.data_set != "affectnet":
            raise ValueError(
                f"The number of classes can be chosen for AffectNet; this is {self.title}, whose classes are "
                "those of its labels. Leave --classes away, or rename labels with `halfsmile data merge`."
            )
        if self.num_classes not in (None, 7, 8):
            raise ValueError(f"AffectNet has 7 or 8 classes; found {self.num_classes}.")

    @property
    def title(self) -> str:
        """The data set's name for people."""
        return TITLES[self.data_set]

    @property
    def is_video(self) -> bool:
        """Whether the data are frames of videos, with times."""
        return self.data_set in VIDEOS

    def describe(self) -> str:
        """One line for people: data set, rule, test set, metric."""
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        rule = f"label rule {self.label_rule}" if self.label_rule else None
        names = {"valid": "PublicTest", "test": "PrivateTest"} if self.data_set == "ferplus" else {}
        if self.data_set == "affectnet":
            names = {"test": "the validation set, as the test set was never published"}
        tested = " + ".join(names.get(split, split) for split in self.test_splits)
        if self.test_people is not None:
            tested = f"{100 * self.test_people:.0f} % of the people, drawn by the seed"
        drawn = f"labels drawn by {self.group}" if self.group else None
        parts = (self.title + classes, rule, f"tested on {tested}", drawn, f"by {METRICS[self.metric]}")
        return " · ".join(part for part in parts if part)


PROTOCOLS: dict[DataSet, Protocol] = {
    "ferplus": Protocol(data_set="ferplus", label_rule="argmax", test_splits=("valid", "test")),
    "rafdb": Protocol(data_set="rafdb"),
    "affectnet": Protocol(data_set="affectnet", num_classes=8),
    "affwild2": Protocol(data_set="affwild2", test_splits=("valid",), metric="macro_f1", group="video"),
    "sequences": Protocol(data_set="sequences", metric="macro_f1", group="person", test_people=0.3),
    "faces": Protocol(data_set="faces"),
}
"""The usual protocol of each data set. FERPlus is as SSFER measures it: plain argmax of the ten vote columns,
tested on PublicTest and PrivateTest together."""


@dataclass(frozen=True)
class Published:
    """A number that somebody published.

    Args:
        method: Whose.
        value: Percent, of the protocol's metric.
        source: Where it stands.
    """

    method: str
    value: float
    source: str


_SSFER = "README of SSFER, Model weights"


def _ssfer(values: Mapping[str, float]) -> dict[str, tuple[Published, ...]]:
    return {labels: (Published("SSFER", value, _SSFER),) for labels, value in values.items()}


_PUBLISHED: dict[Protocol, dict[str, tuple[Published, ...]]] = {
    PROTOCOLS["rafdb"]: _ssfer({"5%": 80.96, "10%": 85.07, "25%": 88.23}),
    PROTOCOLS["ferplus"]: _ssfer({"5%": 81.77, "10%": 83.95, "25%": 85.82}),
    replace(PROTOCOLS["affectnet"], num_classes=7): _ssfer({"1%": 59.08, "5%": 64.02, "10%": 65.37}),
    PROTOCOLS["affectnet"]: _ssfer({"1%": 53.85, "5%": 60.17, "10%": 61.65}),
    PROTOCOLS["affwild2"]: {
        "all": (Published("baseline of the challenge (VGG-Face)", 25.0, "arXiv 2603.12693"),)
    },
}


def published(protocol: Protocol, labels: str) -> tuple[Published, ...]:
    """Published numbers for exactly this protocol and label budget; none for a protocol of one's own.

    Args:
        protocol: What was measured.
        labels: Label budget, such as ``10%``.

    Example:
        >>> published(PROTOCOLS["ferplus"], "10%")[0].value
        83.95
        >>> published(replace(PROTOCOLS["ferplus"], test_splits=("test",)), "10%")
        ()
    """
    return _PUBLISHED.get(protocol, {}).get(labels.replace(" ", ""), ())


def protocol_of(
    path: Path,
    *,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
) -> Protocol:
    """The protocol of the data at a path, recognized as ``halfsmile data check`` does.

    A store or manifest with FERPlus's classes and votes was made of FERPlus; of other stores nothing says
    which data set they were made of, so they are ``faces`` unless ``data_set`` says more.

    Args:
        path: Folder, table, archive or store.
        data_set: Takes the place of what is recognized.
        label_rule: Takes the place of the usual rule.
        num_classes: Takes the place of the usual number.

    Raises:
        ValueError: If there is no such path, or a choice does not fit the data set.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    found = PROTOCOLS[data_set or _recognized(path)]
    return replace(
        found, label_rule=label_rule or found.label_rule, num_classes=num_classes or found.num_classes
    )


def _recognized(path: Path) -> DataSet:
    layout = _layout(path)
    if layout is None:
        return "faces"
    for known in get_args(DataSet):
        if layout.name == known:
            data_set: DataSet = known
            return data_set
    if layout.name in ("store", "manifest"):
        manifest = read_any(path)
        has_votes = manifest.table["votes"].null_count < len(manifest)
        if manifest.taxonomy is not None and manifest.taxonomy.labels == FERPLUS.labels and has_votes:
            return "ferplus"
    if layout.has_rafdb_names and _is_rafdb(path):
        return "rafdb"
    return "faces"


def _is_rafdb(path: Path) -> bool:
    """Whether folders or a table hold RAF-DB, in its own splits and with its own classes."""
    try:
        manifest = read_any(path)
    except ValueError:
        return False
    classes = set(manifest.taxonomy.labels) if manifest.taxonomy else set()
    return classes == set(RAFDB.labels) and are_rafdb(manifest.column("image"), manifest.column("split"))


def _layout(path: Path) -> Layout | None:
    """The layout of a path, if its own files or the names of its pictures tell it."""
    try:
        layout = recognize(path)
    except ValueError:
        return None
    return layout if layout.is_certain or layout.has_rafdb_names else None


def _root(path: Path) -> Path:
    """The folder to read: the path, or the one below that it only wraps."""
    layout = _layout(path)
    return path if layout is None else layout.root


def read_stills(protocol: Protocol, path: Path) -> Manifest:
    """The labeled faces of a data set of pictures.

    Raises:
        ValueError: If the path does not hold the protocol's data set.
    """
    if protocol.is_video:
        raise ValueError(f"{path} holds {protocol.title}; expected pictures without time.")
    if protocol.data_set == "faces":
        return _read_faces(path)
    layout = _layout(path)
    if layout is not None and layout.name in ("store", "manifest"):
        return _read_prepared(protocol, path)
    root = _root(path)
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
        return affwild2.read(_root(path))
    if protocol.data_set == "sequences":
        return sequences.read(_root(path)).manifest
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
        manifest = affwild2.read(_root(path))
        times = np.array(manifest.column("frame"), np.float64) / FRAMES_PER_SECOND
        unknown = np.full(len(manifest), np.nan, np.float32)
        return Sequences(manifest, times, unknown, np.zeros(len(manifest), np.bool_))
    table = sequences.read(_root(path))
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
