"""The rows of an unfinished store: small Parquet files, each of which appears whole or not at all.

``parts/part-000000.parquet``, … hold the rows of finished sources. A part is written only after the faces
that it speaks of are on the disk, so the last part says how far the shards are valid. Finishing joins the
parts to the index, which does not tell when they were written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.store.read import COLUMNS, INDEX_NAME, PARTS_NAME, SOURCES_NAME
from halfsmile.data.store.shards import Position, padded
from halfsmile.utils.files import atomic_write
from halfsmile.utils.lock import lock

_ROW_GROUP = 2**17
_JOINED = ".parts-in-index"
_SOURCES = pa.schema([("source", pa.string()), ("faces", pa.int64()), ("reason", pa.string())])

Sources = dict[str, tuple[int, str | None]]
"""Number of faces, and why the source was left out (None: it was not), by its name."""


class Parts:
    """Durable rows of a store, and the only writer of its index.

    Args:
        root: The store; may be new, unfinished or finished.
        schema: Of the index, with its metadata.

    Attributes:
        sources: Durable sources.
        rows: Number of durable faces.

    Raises:
        ValueError: If another process has the store open for writing, or it has another schema.
    """

    def __init__(self, root: Path, schema: pa.Schema) -> None:
        self.root = Path(root)
        self.schema = schema
        self._folder = self.root / PARTS_NAME
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self._folder / "lock", f"the store {self.root}")
        try:
            self._remove_leftovers()
            self._recover()
        except BaseException:
            self.close()
            raise

    def append(self, rows: Sequence[Mapping[str, Any]], sources: Sources) -> None:
        """Make rows and sources durable; their faces must be so already."""
        listed = [[name, faces, reason] for name, (faces, reason) in sources.items()]
        metadata = {"first_row": str(self.rows), "sources": json.dumps(listed)}
        schema = self.schema.with_metadata({**(self.schema.metadata or {}), **metadata})
        with atomic_write(self._folder / f"part-{self._next:06d}.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary, compression="zstd")
        self._next += 1
        self.rows += len(rows)
        _update(self.sources, sources)

    def end(self) -> Position:
        """Where the durable faces end in the shards."""
        for path in (*reversed(self._files()), self.root / INDEX_NAME):
            if not path.exists():
                continue
            file = pq.ParquetFile(path)
            if file.metadata.num_rows:
                group = file.read_row_group(file.num_row_groups - 1, ["shard", "offset", "length"])
                last = group.slice(len(group) - 1).to_pylist()[0]
                return Position(last["shard"], last["offset"] + padded(last["length"]))
        return Position()

    def finish(self) -> None:
        """Join all parts to the index, and close."""
        names, found = list(self.sources), list(self.sources.values())
        columns = [names, [faces for faces, _ in found], [reason for _, reason in found]]
        with atomic_write(self.root / SOURCES_NAME) as temporary:
            pq.write_table(pa.table(columns, schema=_SOURCES), temporary)
        with (
            atomic_write(self.root / INDEX_NAME) as temporary,
            pq.ParquetWriter(temporary, self.schema, compression="zstd") as index,
        ):
            for table in self._regrouped():
                index.write_table(table, row_group_size=_ROW_GROUP)
        shutil.rmtree(self._folder.rename(self.root / _JOINED))
        self.close()

    def close(self) -> None:
        """Let others write the store."""
        self._lock.close()

    def _remove_leftovers(self) -> None:
        shutil.rmtree(self.root / _JOINED, ignore_errors=True)
        for folder, pattern in (
            (self.root, ".index-*.parquet"),
            (self.root, ".sources-*.parquet"),
            (self._folder, ".part-*.parquet"),
        ):
            for path in folder.glob(pattern):
                path.unlink()

    def _recover(self) -> None:
        index = self.root / INDEX_NAME
        self.sources: Sources = {}
        self._index_rows = 0
        if index.exists():
            self._require_same(index, pq.read_schema(index).metadata or {})
            self._index_rows = pq.read_metadata(index).num_rows
            self.sources = _of_index(self.root)
        for path in self._files():
            metadata = pq.read_schema(path).metadata or {}
            self._require_same(path, metadata)
            _update(self.sources, _of_part(metadata))
        self.rows = self._index_rows + sum(pq.read_metadata(path).num_rows for path in self._new_files())
        self._next = max((int(path.stem.removeprefix("part-")) + 1 for path in self._files()), default=0)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _new_files(self) -> list[Path]:
        """Parts that are not in the index yet; a writer killed while it finished leaves others too."""
        schemas = ((path, pq.read_schema(path)) for path in self._files())
        return [path for path, schema in schemas if int(schema.metadata[b"first_row"]) >= self._index_rows]

    def _require_same(self, path: Path, metadata: Mapping[bytes, bytes]) -> None:
        for key, value in (self.schema.metadata or {}).items():
            if metadata.get(key) != value:
                raise ValueError(
                    f"{path} was begun with {key.decode()} {metadata.get(key, b'missing').decode()}; now it "
                    f"is {value.decode()}. Go on with the same settings, or choose a new folder."
                )

    def _regrouped(self) -> Iterator[pa.Table]:
        """All rows in tables of one size."""
        index = self.root / INDEX_NAME
        waiting = self.schema.empty_table()
        for path in [*([index] if index.exists() else []), *self._new_files()]:
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).replace_schema_metadata(self.schema.metadata)
                waiting = pa.concat_tables([waiting, table])
                while len(waiting) >= _ROW_GROUP:
                    yield waiting.slice(0, _ROW_GROUP).combine_chunks()
                    waiting = waiting.slice(_ROW_GROUP)
        if len(waiting):
            yield waiting.combine_chunks()


def durable(root: Path, columns: Sequence[str]) -> tuple[Sources, pa.Table]:
    """Sources and rows of a store, finished or not, without opening it for writing.

    Args:
        root: The store.
        columns: Of the index.
    """
    root = Path(root)
    sources: Sources = {}
    tables = []
    if (root / INDEX_NAME).exists():
        sources = _of_index(root)
        tables.append(pq.read_table(root / INDEX_NAME, columns=list(columns), partitioning=None))
    joined = len(tables[0]) if tables else 0
    for path in sorted((root / PARTS_NAME).glob("part-*.parquet")):
        metadata = pq.read_schema(path).metadata or {}
        _update(sources, _of_part(metadata))
        if int(metadata[b"first_row"]) >= joined:
            tables.append(pq.read_table(path, columns=list(columns), partitioning=None))
    tables = [table.replace_schema_metadata(None) for table in tables]
    return sources, pa.concat_tables(tables) if tables else COLUMNS.empty_table().select(columns)


def _of_index(root: Path) -> Sources:
    """The sources of a finished store."""
    rows = pq.read_table(root / SOURCES_NAME, partitioning=None).to_pylist()
    return {row["source"]: (row["faces"], row["reason"]) for row in rows}


def _of_part(metadata: Mapping[bytes, bytes]) -> Sources:
    """The sources that a part was written with."""
    return {name: (faces, reason) for name, faces, reason in json.loads(metadata[b"sources"])}


def _update(sources: Sources, new: Sources) -> None:
    """Add sources behind the others, even those that were there before."""
    for name, found in new.items():
        sources.pop(name, None)
        sources[name] = found
