"""Writing a face store source by source: killed at any point, the writer goes on to the very same store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from halfsmile.data.manifest import SPLITS
from halfsmile.data.store.parts import Parts, Sources
from halfsmile.data.store.read import COLUMNS
from halfsmile.data.store.shards import ShardWriter
from halfsmile.taxonomy import Taxonomy

SHARD_SIZE = 256 * 2**20
_SUFFIXES = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"RIFF", ".webp"))


@dataclass(frozen=True)
class StoredFace:
    """One face to store.

    Args:
        data: Bytes of a JPEG, PNG or WebP file; stored as they are.
        width: Pixels of the picture.
        height: Pixels of the picture.
        box: x0, y0, x1, y1 in pixels of the picture.
        landmarks: 10 numbers, x and y of five points, in pixels of the picture, in the manifest's order.
        score: Of the detector.
        quality: Measures by name; the writer must know the names.
        video: Recording that the face comes from.
        frame: Number of the frame in it.
        time: Seconds from its start.
        track: Number of the track within its source.
        person: Who is seen.
        label: Class name.
        votes: Distribution over the taxonomy.
        split: ``train``, ``valid`` or ``test``.
    """

    data: bytes
    width: int
    height: int
    box: Sequence[float] | None = None
    landmarks: Sequence[float] | None = None
    score: float | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    video: str | None = None
    frame: int | None = None
    time: float | None = None
    track: int | None = None
    person: str | None = None
    label: str | None = None
    votes: Sequence[float] | None = None
    split: str | None = None


class StoreWriter:
    """Makes a store, or goes on with one.

    Leaving the ``with`` block normally finishes the store. An error, Ctrl-C, kill -9 or a power cut costs the
    sources of the last few seconds. To go on, give the same sources in the same order and pass over those
    that are ``in`` the writer; the store then ends with the same bytes as if it had never been stopped::

        with StoreWriter(root) as writer:
            for source in sources:
                if source not in writer:
                    writer.add(source, faces_of(source))

    Args:
        root: Folder, made if missing. A finished store may be added to.
        shard_size: Bytes after which the next shard begins.
        taxonomy: Classes of labels and votes.
        quality: Names of the quality measures, a column ``quality_<name>`` each.
        commit_seconds: How often finished sources are made durable: the work that a stop may cost.
        retry: Forget the sources that were left out before, so that they can be added now.

    Raises:
        ValueError: If another process is writing this store, or it was begun with another taxonomy or other
            measures, or a shard has been cut short since.
        OSError: If the folder can't be written.
    """

    def __init__(
        self,
        root: Path,
        *,
        shard_size: int = SHARD_SIZE,
        taxonomy: Taxonomy | None = None,
        quality: Sequence[str] = (),
        commit_seconds: float = 5.0,
        retry: bool = False,
    ) -> None:
        self.root = Path(root)
        self.taxonomy = taxonomy
        self.quality = tuple(quality)
        self.commit_seconds = commit_seconds
        metadata = {
            "halfsmile.store": "1",
            "halfsmile.labels": json.dumps(taxonomy.labels if taxonomy else None),
            "halfsmile.quality": json.dumps(self.quality),
        }
        measures = [pa.field(f"quality_{name}", pa.float32()) for name in self.quality]
        self._parts = Parts(self.root, pa.schema([*COLUMNS, *measures], metadata))
        try:
            self._shards = ShardWriter(self.root, shard_size=shard_size, at=self._parts.end())
        except BaseException:
            self._parts.close()
            raise
        known = self._parts.sources.items()
        self._sources: Sources = {n: found for n, found in known if not (retry and found[1] is not None)}
        self._new_sources: Sources = {}
        self._new_rows: list[dict[str, Any]] = []
        self._committed = time.monotonic()

    def __contains__(self, source: str) -> bool:
        return source in self._sources

    def __len__(self) -> int:
        """Number of faces stored."""
        return int(self._parts.rows) + len(self._new_rows)

    @property
    def left_out(self) -> dict[str, str]:
        """Reason by source, of those that were left out."""
        return {name: reason for name, (_, reason) in self._sources.items() if reason is not None}

    def add(self, source: str, faces: Iterable[StoredFace]) -> int:
        """Store all faces of a source, or none: if ``faces`` raises an error, nothing of the source stays.

        Args:
            source: Its name, unique in the store; a path relative to what was searched, for instance.
            faces: Its faces; may be a generator, and may be empty.

        Returns:
            Number of faces.

        Raises:
            ValueError: If the source is there already, or a face is not as :class:`StoredFace` says.
        """
        self._require_new(source)
        start, before = self._shards.position, len(self._new_rows)
        try:
            for face in faces:
                self._new_rows.append(self._row(source, face))
        except BaseException:
            self._shards.rewind(start)
            del self._new_rows[before:]
            raise
        count = len(self._new_rows) - before
        self._record(source, count, None)
        return count

    def leave_out(self, source: str, reason: str) -> None:
        """Note that a source could not be read, and why."""
        self._require_new(source)
        self._record(source, 0, reason)

    def commit(self) -> None:
        """Return when every finished source is durable."""
        self._committed = time.monotonic()
        if self._new_sources:
            self._shards.sync()
            self._parts.append(self._new_rows, self._new_sources)
            self._new_rows, self._new_sources = [], {}

    def close(self) -> None:
        """Finish the store: commit, end the last shard, write the index."""
        self.commit()
        self._shards.close()
        self._parts.finish()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        try:
            self._shards.close(finish=False)
        finally:
            self._parts.close()

    def _require_new(self, source: str) -> None:
        if source in self._sources:
            raise ValueError(f"The source {source!r} is in the store {self.root} already.")
        if any("\ud800" <= character <= "\udfff" for character in source):
            raise ValueError(f"The name of a source must be valid Unicode, found {source!r}.")

    def _record(self, source: str, faces: int, reason: str | None) -> None:
        self._sources[source] = self._new_sources[source] = (faces, reason)
        if time.monotonic() - self._committed >= self.commit_seconds:
            self.commit()

    def _row(self, source: str, face: StoredFace) -> dict[str, Any]:
        """Check a face, write its bytes, and return its row of the index."""
        suffix = next((end for start, end in _SUFFIXES if face.data.startswith(start)), None)
        if suffix is None:
            raise ValueError(f"{source}: a face is stored as JPEG, PNG or WebP; found {face.data[:8]!r}.")
        labels = self.taxonomy.labels if self.taxonomy else ()
        row = {name: getattr(face, name) for name in COLUMNS.names if hasattr(face, name)}
        for name, length in (("box", 4), ("landmarks", 10), ("votes", len(labels))):
            if row[name] is None:
                continue
            row[name] = [float(number) for number in row[name]]
            if len(row[name]) != length:
                raise ValueError(f"{source}: {name} has {len(row[name])} numbers, expected {length}.")
        for name, known in (("label", labels), ("split", SPLITS)):
            if row[name] is not None and row[name] not in known:
                raise ValueError(f"{source}: the {name} is one of {list(known)}, found {row[name]!r}.")
        if unknown := set(face.quality) - set(self.quality):
            raise ValueError(f"{source}: unknown measures {sorted(unknown)}; known are {list(self.quality)}.")
        member = f"{len(self):09d}{suffix}"
        shard, offset = self._shards.append(member, face.data)
        row |= {f"quality_{name}": float(value) for name, value in face.quality.items()}
        row |= {"member": member, "shard": shard, "offset": offset, "length": len(face.data)}
        return row | {"sha256": hashlib.sha256(face.data).hexdigest(), "source": source}
