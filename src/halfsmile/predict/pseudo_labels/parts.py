"""The rows of an unfinished table of pseudo-labels: Parquet files, each of which appears whole or not at all.

``<table>.parts/part-000000.parquet``, … hold what the model says of the faces of a store, in the store's
order, :data:`~PART` ranges each. Which faces are accepted is decided when all are there, so that a run that
was stopped may go on with another threshold, but not with another store or model.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.store.read import COLUMNS, INDEX_NAME
from halfsmile.data.store.shards import shard_name
from halfsmile.predict.pseudo_labels.work import Labeled
from halfsmile.utils.files import atomic_write, read_json, write_json
from halfsmile.utils.lock import lock

RANGE = 512
"""Faces that one process works on at a time."""

PART = 16
"""Ranges in a part."""

KEPT = ("sha256", "source", "video", "frame", "time", "track")
"""Columns of the store's index that the table has too."""

_READ = ("shard", "offset", "length", *KEPT)
_SETTINGS = "settings.json"


class LabelParts:
    """Durable rows of a table, and how far it is.

    A context manager: while it is open no other process may write this table.

    Args:
        table: The table that they will become.
        store: A finished store.
        model: Bytes of the model.
        labels: Its classes.

    Attributes:
        faces: Faces of the store.
        done: Faces that are durable.

    Raises:
        ValueError: If another process is writing this table, or it was begun with another store or model.
    """

    def __init__(self, table: Path, store: Path, model: bytes, labels: Sequence[str]) -> None:
        self.folder = parts_folder(table)
        self._index = store / INDEX_NAME
        self._schema = pa.schema(
            [
                ("image", pa.string()),
                *((f"p_{label}", pa.float32()) for label in labels),
                *((name, COLUMNS.field(name).type) for name in KEPT),
                ("reason", pa.string()),
            ]
        )
        self.faces = pq.read_metadata(self._index).num_rows
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self.folder / "lock", f"the table {table}")
        try:
            self._require_same(table, _record(self._index, model, labels))
            for path in self.folder.glob(".part-*.parquet"):
                path.unlink()
            self.done = sum(pq.read_metadata(path).num_rows for path in self._files())
        except BaseException:
            self._lock.close()
            raise
        self._next = len(self._files())
        self._waiting: list[pa.Table] = []

    def ranges(self) -> Iterator[pa.Table]:
        """Rows of the store's index that are still to do, at most :data:`RANGE` at a time."""
        file = pq.ParquetFile(self._index)
        begin = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if begin + size > self.done:
                rows = file.read_row_group(group, columns=list(_READ)).replace_schema_metadata(None)
                for start in range(max(0, self.done - begin), size, RANGE):
                    yield rows.slice(start, RANGE).combine_chunks()
            begin += size

    def append(self, rows: pa.Table, labeled: Labeled) -> None:
        """Keep what was found of a range; every :data:`PART` of them become durable."""
        locators = zip(*(rows[name].to_pylist() for name in ("shard", "offset", "length")), strict=True)
        images = [f"{shard_name(shard)}#{offset}+{length}" for shard, offset, length in locators]
        columns = [
            pa.array(images),
            *map(pa.array, labeled.probabilities.T),
            *(rows[name] for name in KEPT),
            pa.array([labeled.bad.get(place) for place in range(len(rows))], pa.string()),
        ]
        self._waiting.append(pa.table(columns, schema=self._schema))
        if len(self._waiting) == PART:
            self.commit()

    def commit(self) -> None:
        """Make what is kept durable."""
        if not self._waiting:
            return
        with atomic_write(self.folder / f"part-{self._next:06d}.parquet") as temporary:
            pq.write_table(pa.concat_tables(self._waiting), temporary, compression="zstd")
        self._next += 1
        self._waiting = []

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The durable rows, part by part."""
        for path in self._files():
            yield pq.read_table(path, columns=None if columns is None else list(columns), partitioning=None)

    def remove(self) -> None:
        """Forget everything: the table is there."""
        self._lock.close()
        shutil.rmtree(self.folder)

    def __enter__(self) -> LabelParts:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def _require_same(self, table: Path, wanted: Mapping[str, Any]) -> None:
        path = self.folder / _SETTINGS
        if not path.exists():
            write_json(path, wanted)
        found = read_json(path)
        if differ := [name for name in wanted if found.get(name) != wanted[name]]:
            raise ValueError(
                f"{self.folder} was begun with another {' and another '.join(differ)}. Give the same to go "
                f"on with {table}, or remove that folder to begin anew."
            )


def parts_folder(table: Path) -> Path:
    """Where the parts of a table are while it is unfinished."""
    return table.with_name(f"{table.name}.parts")


def _record(index: Path, model: bytes, labels: Sequence[str]) -> dict[str, Any]:
    """What two runs must have in common to write the same parts."""
    with index.open("rb") as file:
        store = hashlib.file_digest(file, "sha256").hexdigest()
    return {"store": store, "model": hashlib.sha256(model).hexdigest(), "labels": list(labels)}
