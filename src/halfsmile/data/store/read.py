"""The face store: tar shards with the pictures, one Parquet index with everything known about them.

::

    store/faces-00000.tar    000000000.jpg, 000000001.jpg, …   any tar program reads it
    store/faces-00001.tar
    store/index.parquet      one row per face, in the order of the shards
    store/sources.parquet    one row per source: faces found, or the reason why it was left out

Columns of the index (missing values are null): ``member``, ``shard``, ``offset``, ``length`` and ``sha256``
say where the bytes are and what they hash to; ``width`` and ``height`` are the stored picture's; ``box``,
``landmarks``, ``person``, ``video``, ``frame``, ``label``, ``votes`` and ``split`` mean what they mean in a
manifest; ``score`` is the detector's; ``source``, ``time`` (seconds) and ``track`` tell where the face comes
from; ``quality_*`` are whatever measures the writer was given. A store is made by
:class:`~halfsmile.data.store.write.StoreWriter`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.data.store.shards import Shard, shard_name
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.parallel.threads import default_threads, map_in_threads

INDEX_NAME = "index.parquet"
SOURCES_NAME = "sources.parquet"
PARTS_NAME = "parts"
COLUMNS = pa.schema(
    [
        ("member", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("box", pa.list_(pa.float32())),
        ("landmarks", pa.list_(pa.float32())),
        ("score", pa.float32()),
        ("source", pa.string()),
        ("video", pa.string()),
        ("frame", pa.int64()),
        ("time", pa.float64()),
        ("track", pa.int64()),
        ("person", pa.string()),
        ("label", pa.string()),
        ("votes", pa.list_(pa.float32())),
        ("split", pa.string()),
    ]
)
_SAME_AS_MANIFEST = tuple(name for name in SCHEMA.names if name != "image")
_OPEN_SHARDS = 128
_CHUNK = 64


def is_store(root: Path) -> bool:
    """Whether a folder holds a finished or unfinished store."""
    return (Path(root) / INDEX_NAME).is_file() or (Path(root) / PARTS_NAME).is_dir()


def read(root: Path, *, skip_damaged: bool = False) -> Manifest:
    """All faces of a store as a manifest, in the order of the shards.

    ``sha256`` is that of the stored bytes, not of the pixels.

    Args:
        root: The store.
        skip_damaged: Leave out the faces of missing and short shards, and say so in the notes.

    Raises:
        ValueError: If there is no finished store, or a shard is missing or short.
    """
    root = Path(root)
    table, taxonomy = read_index(root, [*_SAME_AS_MANIFEST, "shard", "offset", "length"])
    kept, notes = _intact(root, table, skip_damaged=skip_damaged)
    table = table if kept is None else table.filter(pa.array(kept))
    texts = [table[name].cast(pa.string()) for name in ("offset", "length")]
    numbers, inverse = np.unique(table["shard"].to_numpy(), return_inverse=True)
    shards = pa.array(map(shard_name, numbers.tolist()), pa.string()).take(pa.array(inverse))
    images = pc.binary_join_element_wise(pc.binary_join_element_wise(shards, texts[0], "#"), texts[1], "+")
    columns = {"image": images, **{name: table[name] for name in _SAME_AS_MANIFEST}}
    return Manifest(pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA), root, taxonomy, notes)


def read_index(root: Path, columns: Sequence[str] | None = None) -> tuple[pa.Table, Taxonomy | None]:
    """Rows of the index, all columns or some, and the taxonomy of its labels.

    Raises:
        ValueError: If there is no finished store.
    """
    path = Path(root) / INDEX_NAME
    try:
        metadata = pq.read_schema(path).metadata or {}
        labels = json.loads(metadata[b"halfsmile.labels"])
        table = pq.read_table(path, columns=list(columns) if columns else None, partitioning=None)
    except FileNotFoundError as error:
        if (Path(root) / PARTS_NAME).is_dir():
            raise ValueError(
                f"The store {root} is unfinished: its writer was stopped. Run the same command again."
            ) from error
        raise ValueError(
            f"{root} is not a face store: it has no {INDEX_NAME}. `halfsmile data prepare {root} --out "
            "STORE` makes one of pictures, videos or a data set."
        ) from error
    except (OSError, KeyError, json.JSONDecodeError, pa.ArrowInvalid) as error:
        raise ValueError(f"{path} is not the index of a face store: {error}") from error
    return table.replace_schema_metadata(None), from_labels(labels) if labels else None


def sources_of(root: Path) -> dict[str, str]:
    """What each face was cut out of, by the locator of the face; without faces of which it is not known.

    Raises:
        ValueError: If there is no finished store.
    """
    return {locator: source for locator, source, _ in _sources(root)}


def sources_without_face(root: Path) -> list[str]:
    """Sources that gave no face: none was found, or they could not be read.

    Raises:
        ValueError: If the list of sources is damaged.
    """
    path = Path(root) / SOURCES_NAME
    if not path.is_file():  # a store of before there was one
        return []
    try:
        table = pq.read_table(path, columns=["source", "faces"], partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} can't be read: {error}") from error
    return [row["source"] for row in table.to_pylist() if not row["faces"]]


def source_names(root: Path) -> dict[str, str]:
    """What each face was cut out of, with its member, by the locator of the face.

    Raises:
        ValueError: If there is no finished store.
    """
    return {locator: f"{source} ({member})" for locator, source, member in _sources(root)}


def _sources(root: Path) -> Iterator[tuple[str, str, str]]:
    table, _ = read_index(root, ["member", "shard", "offset", "length", "source"])
    for row in table.to_pylist():
        if row["source"] is not None:
            yield _locator(row["shard"], row["offset"], row["length"]), row["source"], row["member"]


def _locator(shard: int, offset: int, length: int) -> str:
    return f"{shard_name(shard)}#{offset}+{length}"


class FaceStore:
    """Faces of a store by row number, read at random; needs 20 bytes of memory a face.

    The order of a training epoch comes from :mod:`halfsmile.data.samplers`, so shuffling, resuming and
    sharing out over processes are exact. Row numbers are those of :func:`read`.

    Args:
        root: The store.
        threads: Threads that read and decode in :meth:`images`; by default one per processor, at most 16.

    Raises:
        ValueError: If there is no finished store, or a shard is missing or short.

    Example:
        >>> import tempfile
        >>> import cv2
        >>> from halfsmile.data.store.write import StoredFace, StoreWriter
        >>> from halfsmile.data.synthetic import generate
        >>> folder = tempfile.TemporaryDirectory()
        >>> with StoreWriter(Path(folder.name)) as writer:
        ...     for i, image in enumerate(generate(3, size=48, seed=0).images):
        ...         data = cv2.imencode(".png", image)[1].tobytes()
        ...         _ = writer.add(f"generated-{i}", [StoredFace(data, width=48, height=48)])
        >>> store = FaceStore(Path(folder.name))
        >>> images, bad = store.images([2, 0, 2], size=32, channels=1)
        >>> len(store), images.shape, bad
        (3, (3, 32, 32, 1), ())
        >>> folder.cleanup()
    """

    def __init__(self, root: Path, *, threads: int | None = None) -> None:
        self.root = Path(root)
        table, self.taxonomy = read_index(self.root, ["shard", "offset", "length"])
        _intact(self.root, table, skip_damaged=False)
        self._shards, self._offsets, self._lengths = (
            np.array(table[name].to_numpy()) for name in ("shard", "offset", "length")
        )
        self._shard = functools.lru_cache(_OPEN_SHARDS)(lambda number: Shard(self.root / shard_name(number)))
        self._threads = threads or default_threads()

    def __len__(self) -> int:
        return len(self._offsets)

    def locator(self, row: int) -> str:
        """The face's ``image`` in the manifest."""
        return _locator(self._shards[row], self._offsets[row], self._lengths[row])

    def read(self, row: int) -> bytes:
        """The stored bytes of a face, an image file.

        Raises:
            BadImageError: If the index does not match the shard.
        """
        try:
            return self._shard(int(self._shards[row])).read(int(self._offsets[row]), int(self._lengths[row]))
        except (OSError, ValueError) as error:
            raise BadImageError(f"{self.locator(row)}: {error}") from error

    def image(self, row: int) -> Image:
        """The pixels of a face: RGB (H, W, 3) or gray (H, W, 1), uint8.

        Raises:
            BadImageError: If the index does not match the shard, or the bytes are no image.
        """
        return decode(self.read(row), self.locator(row))

    def images(
        self, rows: npt.ArrayLike, *, size: int, channels: int
    ) -> tuple[Image, tuple[tuple[int, str], ...]]:
        """Many faces as model input, see :func:`~halfsmile.data.preprocess.preprocess`.

        Args:
            rows: Row numbers, in any order, with or without repetition.
            size: Side of the square faces in pixels.
            channels: 1 for gray, 3 for RGB.

        Returns:
            The faces, shape (rows, size, size, channels), uint8; and (row, reason) of those that can't be
            read, which are black.
        """
        chosen = np.asarray(rows, np.int64)
        images = np.zeros((len(chosen), size, size, channels), np.uint8)

        def load(start: int) -> list[tuple[int, str]]:
            bad = []
            for place in range(start, min(start + _CHUNK, len(chosen))):
                row = int(chosen[place])
                try:
                    images[place] = preprocess(self.image(row), size, channels)
                except BadImageError as error:
                    bad.append((row, str(error)))
            return bad

        starts = range(0, len(chosen), _CHUNK)
        in_threads = self._threads > 1 and len(starts) > 1
        found = map_in_threads(load, starts, threads=self._threads) if in_threads else map(load, starts)
        return images, tuple(item for bad in found for item in bad)


def _intact(
    root: Path, table: pa.Table, *, skip_damaged: bool
) -> tuple[npt.NDArray[np.bool_] | None, tuple[str, ...]]:
    """Which rows lie inside their shards (None: all), judged by the files' sizes; notes on the others."""
    shards = table["shard"].to_numpy()
    starts, lengths = table["offset"].to_numpy(), table["length"].to_numpy()
    if len(shards) and (shards.min() < 0 or starts.min() < 0 or lengths.min() < 0):
        raise ValueError(f"{root / INDEX_NAME} is damaged: it has negative shards, offsets or lengths.")
    numbers, inverse = np.unique(shards, return_inverse=True)
    sizes = np.array([_size(root / shard_name(number)) for number in numbers.tolist()], np.int64)
    inside = np.asarray(starts + lengths <= sizes[inverse], np.bool_)
    if inside.all():
        return None, ()
    notes = []
    for place in np.unique(inverse[~inside]):
        lost, size = int((~inside & (inverse == place)).sum()), int(sizes[place])
        state = "is missing" if size < 0 else f"is cut short at {size} bytes"
        notes.append(f"{shard_name(numbers[place])} {state}; {lost} faces of {root.name} can't be read.")
    if not skip_damaged or not inside.any():
        raise ValueError(" ".join(notes) + f" Copy the store to {root} again, or skip the damaged faces.")
    return inside, tuple(notes)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
