"""The manifest: one row per face, the only thing that a data-set reader returns.

Columns (missing values are null, never a sentinel):

===========  ====================  ==================================================================
image        string                locator of the pixels, relative to ``root`` (see data/images.py)
label        string                class name
votes        list<float32>         distribution over the taxonomy, sums to 1
split        string                ``train``, ``valid`` or ``test``; null where there is none
person       string                who is seen
video        string                which recording the face comes from
frame        int64                 frame number as the data set counts it
box          list<float32>[4]      x0, y0, x1, y1 in pixels of the stored picture
landmarks    list<float32>[10]     5 (x, y) pairs: eye at image left, eye at image right, nose,
                                   mouth corner at image left, mouth corner at image right
sha256       string                hash of the decoded pixels, for exact duplicates
===========  ====================  ==================================================================
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import atomic_write

SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("label", pa.string()),
        ("votes", pa.list_(pa.float32())),
        ("split", pa.string()),
        ("person", pa.string()),
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("box", pa.list_(pa.float32())),
        ("landmarks", pa.list_(pa.float32())),
        ("sha256", pa.string()),
    ]
)
SPLITS = ("train", "valid", "test")


class LeftOut(str):
    """A note about what was there and is not among the rows, or lost its label."""

    __slots__ = ()


class Fault(LeftOut):
    """A note about what is not as it should be, as rows that can't be understood: a check calls it wrong."""

    __slots__ = ()


class UnreadLabelsError(ValueError):
    """Labels seem to be there, and how to read them is not known: the message says what to type.

    Args:
        seen: What lies there.
        mend: What to do about it.
        faces: The pictures without the labels.
    """

    def __init__(self, seen: str, mend: str, faces: Manifest) -> None:
        super().__init__(f"{seen} {mend}")
        self.seen = seen
        self.mend = mend
        self.faces = faces


@dataclass(frozen=True)
class Manifest:
    """A table of faces with the taxonomy of its labels and the folder that its locators start from.

    Args:
        table: Rows in the schema above.
        root: Folder (or archive) that the ``image`` locators are relative to.
        taxonomy: Classes of ``label`` and ``votes``; None where nothing is labeled.
        notes: What the reader did and the user should know (rows dropped, with counts); those about what is
            missing are a :class:`LeftOut` or a :class:`Fault`.
    """

    table: pa.Table
    root: Path
    taxonomy: Taxonomy | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.table.schema.equals(SCHEMA):
            raise ValueError(f"A manifest has the columns\n{SCHEMA}\nbut this table has\n{self.table.schema}")
        labels = set(self.table["label"].unique().to_pylist()) - {None}
        known = set(self.taxonomy.labels) if self.taxonomy else set()
        if labels - known:
            raise ValueError(
                f"Labels {sorted(labels - known)} are not in the taxonomy {sorted(known) or '(none given)'}."
            )
        splits = set(self.table["split"].unique().to_pylist()) - {None, *SPLITS}
        if splits:
            raise ValueError(
                f"Splits {sorted(splits)} are unknown; a row's split is one of {SPLITS} or null."
            )
        for name, length in (("box", 4), ("landmarks", 10), ("votes", len(known))):
            lengths = set(pc.list_value_length(self.table[name]).unique().to_pylist()) - {None, length}
            if lengths:
                raise ValueError(
                    f"Column {name!r} has rows of {sorted(lengths)} numbers; expected {length} or null."
                )

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        root: Path,
        taxonomy: Taxonomy | None = None,
        notes: Sequence[str] = (),
    ) -> Manifest:
        """Build a manifest from dictionaries; columns that a row does not name are null.

        Raises:
            ValueError: If a row names a column that the schema lacks.
        """
        rows = [dict(row) for row in rows]
        unknown = {key for row in rows for key in row} - set(SCHEMA.names)
        if unknown:
            raise ValueError(f"Unknown manifest columns {sorted(unknown)}; known are {SCHEMA.names}.")
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        return cls(table, Path(root), taxonomy, tuple(notes))

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        root: Path,
        taxonomy: Taxonomy | None = None,
        notes: Sequence[str] = (),
    ) -> Manifest:
        """Build a manifest from whole columns (lists or Arrow arrays, ``image`` among them), for large sets.

        Raises:
            ValueError: If a column is not in the schema, or their lengths or types differ from it.
        """
        unknown = set(columns) - set(SCHEMA.names)
        if unknown:
            raise ValueError(f"Unknown manifest columns {sorted(unknown)}; known are {SCHEMA.names}.")
        rows = len(columns["image"])
        table = pa.table(
            [columns.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMA], schema=SCHEMA
        )
        return cls(table, Path(root), taxonomy, tuple(notes))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> list[Any]:
        """One column as a list of Python values."""
        return list(self.table[name].to_pylist())

    def take(self, rows: Iterable[int] | npt.NDArray[np.integer[Any]]) -> Manifest:
        """The given rows, in the given order."""
        index = np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, dtype=np.int64)
        return Manifest(self.table.take(pa.array(index)), self.root, self.taxonomy, self.notes)

    def split(self, *names: str) -> Manifest:
        """The rows whose split is one of the names."""
        return self.take([i for i, s in enumerate(self.column("split")) if s in names])

    def without_labels(self) -> Manifest:
        """The same faces with ``label`` and ``votes`` set to null."""
        table = self.table
        for name in ("label", "votes"):
            position = table.schema.get_field_index(name)
            column = SCHEMA.field(name)
            table = table.set_column(position, column, pa.nulls(len(self), column.type))
        return Manifest(table, self.root, self.taxonomy, self.notes)

    def with_split(self, name: str) -> Manifest:
        """The same rows, where those with a label and without a split belong to the given one.

        Raises:
            ValueError: If there is no such split.
        """
        splits = [
            name if split is None and label is not None else split
            for split, label in zip(self.column("split"), self.column("label"), strict=True)
        ]
        field = SCHEMA.field("split")
        table = self.table.set_column(SCHEMA.get_field_index("split"), field, pa.array(splits, field.type))
        return Manifest(table, self.root, self.taxonomy, self.notes)

    def without_split(self) -> int:
        """Number of labeled rows that belong to no split, so that training and testing leave them out."""
        pairs = zip(self.column("split"), self.column("label"), strict=True)
        return sum(split is None and label is not None for split, label in pairs)

    def class_indices(self) -> npt.NDArray[np.int64]:
        """Index of each row's label in the taxonomy, −1 where there is none. Shape (rows,)."""
        lookup = {name: i for i, name in enumerate(self.taxonomy.labels)} if self.taxonomy else {}
        return np.array([lookup[v] if v is not None else -1 for v in self.column("label")], dtype=np.int64)

    def counts(self) -> dict[str, int]:
        """Number of rows per label, in the taxonomy's order; rows without a label are not counted."""
        found = Counter(v for v in self.column("label") if v is not None)
        return {name: found.get(name, 0) for name in (self.taxonomy.labels if self.taxonomy else ())}

    def fingerprint(self) -> str:
        """SHA-256 over locators, labels, splits and pixel hashes: equal for equal data in any folder."""
        digest = hashlib.sha256()
        for row in self.table.select(["image", "label", "split", "sha256"]).to_pylist():
            digest.update(json.dumps(row, sort_keys=True).encode())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write as Parquet (atomically); root, taxonomy and notes travel in the file's metadata."""
        metadata = {
            "halfsmile.root": str(Path(self.root).resolve()),
            "halfsmile.labels": json.dumps(self.taxonomy.labels if self.taxonomy else None),
            "halfsmile.notes": json.dumps(self.notes),
        }
        with atomic_write(path) as temporary:
            pq.write_table(self.table.replace_schema_metadata(metadata), temporary)

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: If the file is not a manifest.
        """
        try:
            table = pq.read_table(path, partitioning=None)
            metadata = table.schema.metadata or {}
            labels = json.loads(metadata[b"halfsmile.labels"])
            return cls(
                table.replace_schema_metadata(None),
                Path(metadata[b"halfsmile.root"].decode()),
                from_labels(labels) if labels else None,
                tuple(json.loads(metadata[b"halfsmile.notes"])),
            )
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            raise ValueError(f"{path} is not a manifest written by halfsmile: {error}") from error
