"""Image files in the cells of a Parquet table, as Hugging Face's ``datasets`` stores them.

A cell is a struct ``{bytes, path}`` or plain bytes. Parquet can only be read by whole row groups, so the
last two of a file stay in memory: rows in order are quick, shuffled ones are not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from halfsmile.data.containers.open_file import per_file

_KEPT_GROUPS = 2
_NAMES = ("image", "img", "face", "picture", "jpg", "png")


def image_column(schema: pa.Schema) -> str | None:
    """Path of the bytes of the image column: ``image.bytes`` for a struct, ``image`` for plain bytes.

    The first struct with a field ``bytes`` is taken, else the first binary column with a usual name, or the
    only one with such a word in its name, as ``img_bytes``.
    """
    for field in schema:
        if pa.types.is_struct(field.type):
            names = [child.name for child in field.type]
            if "bytes" in names and _is_binary(field.type.field("bytes").type):
                return f"{field.name}.bytes"
    plain = [field.name for field in schema if _is_binary(field.type)]
    if known := [name for name in _NAMES if name in plain]:
        return known[0]
    named = [name for name in plain if any(word in name.casefold() for word in (*_NAMES, "bytes"))]
    return named[0] if len(named) == 1 else None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


class ImageTable:
    """A Parquet file with an image column, read by row from any thread.

    Args:
        path: The file.

    Raises:
        ValueError: If it is no Parquet file or has no image column.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise ValueError(f"{path} is not a readable Parquet file ({error}).") from error
        schema = self.file.schema_arrow
        column = image_column(schema)
        if column is None:
            raise ValueError(
                f"{path} has no column of image files (a struct with 'bytes', or binary named "
                f"{', '.join(_NAMES)}); its columns are {schema.names}."
            )
        self.path = path
        self.column = column
        metadata = self.file.metadata
        counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self.starts = np.cumsum([0, *counts])
        self._groups: OrderedDict[int, pa.Array] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def image(self, row: int) -> bytes:
        """The image file in a row (from 0).

        Raises:
            ValueError: If there is no such row, its cell is empty, or the file is damaged.
        """
        if row >= len(self):
            raise ValueError(f"{self.path} has only {len(self)} rows")
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        with self._lock:
            cell = self._group(group)[row - int(self.starts[group])].as_py()
        return cell or b""

    def _group(self, index: int) -> pa.ChunkedArray:
        if index not in self._groups:
            self._groups[index] = self.read_group(index)
            while len(self._groups) > _KEPT_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(index)
        return self._groups[index]

    def read_group(self, index: int) -> pa.ChunkedArray:
        """The image files of one row group; null where there is none.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            column = self.file.read_row_group(index, columns=[self.column]).column(0)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{self.path}, row group {index}: damaged ({error})") from error
        if pa.types.is_struct(column.type):
            chunks = [chunk.field("bytes") for chunk in column.chunks]
            column = pa.chunked_array(chunks, type=column.type.field("bytes").type)
        return column

    def missing(self, index: int) -> pa.ChunkedArray | None:
        """Which cells of a row group are null; None where its statistics say that none is."""
        group = self.file.metadata.row_group(index)
        for i in range(group.num_columns):
            if group.column(i).path_in_schema == self.column:
                statistics = group.column(i).statistics
                if statistics is not None and statistics.has_null_count and not statistics.null_count:
                    return None
        return pc.is_null(self.read_group(index))


open_image_table = per_file(ImageTable, maxsize=4)
"""The :class:`ImageTable` at a path, kept open; raises OSError where it can't be opened."""
