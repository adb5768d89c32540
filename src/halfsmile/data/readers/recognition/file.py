"""The layout of a single file: a table, RecordIO, Parquet, or an archive."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, open_archive
from halfsmile.data.containers.parquet import image_column
from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers import rafdb
from halfsmile.data.readers.annotations import coco
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.beside.tables import ON_TOP
from halfsmile.data.readers.folder import is_image
from halfsmile.data.readers.recognition.glance import MAX_ENTRIES
from halfsmile.data.readers.recognition.label_files import of_annotations, of_tables
from halfsmile.data.readers.recognition.layout import Layout
from halfsmile.data.readers.recognition.pictures import SHOWN, of_pictures
from halfsmile.data.readers.unread.conversions import how_to_convert, how_to_unpack
from halfsmile.data.readers.videos import column_of_videos
from halfsmile.data.tables.columns import looks_like
from halfsmile.data.tables.rows import TABLE_SUFFIXES, read_rows

MAX_WRAPPED = 3


def of_file(path: Path) -> Layout:
    """The layout of a file.

    Raises:
        ValueError: If no reader fits; the message says what to type.
    """
    suffix = path.suffix.lower()
    if suffix == ".rec":
        return Layout("recordio", path, "a .rec file")
    schema = None
    if suffix == ".parquet":
        schema = schema_of(path)
        if schema is None:
            raise ValueError(f"{path} is not a readable Parquet file.")
        if b"halfsmile.root" in (schema.metadata or {}):
            return Layout("manifest", path, "Parquet with the metadata of a manifest")
        if column := image_column(schema):
            return Layout("parquet_images", path, f"Parquet with image files in the column {column}")
    if suffix == ".json" and coco.is_coco(Files(path.parent, [path.name]).read(path.name, 1 << 20)):
        return Layout("coco", path, "it has images, annotations and categories")
    if suffix in TABLE_SUFFIXES:
        if column := column_of_videos(path):
            return Layout("videos", path, f"{path.name} names videos in its column {column}")
        if looks_like(path) == "pixels":
            return Layout("fer2013", path, "a table with the pixels of pictures")
        if suffix == ".json":
            _require_rows(path)
        return Layout("table", path, "Parquet without image files" if schema else f"a {suffix} file")
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return of_archive(path)
    raise ValueError(f"{path} is no table, archive, .rec or .parquet file. {how_to_convert(path)}".rstrip())


def of_archive(path: Path) -> Layout:
    """The layout of an archive, by the names in it.

    Raises:
        ValueError: If it is damaged, or has no pictures that can be read.
    """
    names = open_archive(path).names
    for name in names:
        if name == rafdb.LIST or name.endswith(f"/{rafdb.LIST}"):
            return Layout("rafdb", path, f"it has {name}")
    images = [name for name in names if is_image(PurePosixPath(name))]
    if not images:
        known = (*ARCHIVE_SUFFIXES, *ON_TOP)
        packed = [n for n in names if n.lower().endswith(known) and "__MACOSX" not in n]
        if any(map(has_video_suffix, names)):
            raise ValueError(f"{path} holds videos, which are not read in archives. {how_to_unpack(path)}")
        raise ValueError(
            f"{path} is an archive without pictures."
            + (
                f" It holds {', '.join(packed[:SHOWN])}: unpack it, and give what was in it. "
                f"{how_to_unpack(path)}"
                if packed
                else ""
            )
        )
    pictures = of_pictures(path, images[:: max(1, len(images) // MAX_ENTRIES)])
    if (not pictures or not pictures.is_certain) and (layout := of_annotations(Files(path, names))):
        return layout
    others = [name for name in names if name.count("/") <= MAX_WRAPPED and not is_image(PurePosixPath(name))]
    return (
        of_tables(path, others, images, pictures, "!")
        or pictures
        or Layout("folder", path, "pictures", is_certain=False)
    )


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name, and none that is hidden."""
    return name.lower().endswith(ARCHIVE_SUFFIXES) and not PurePosixPath(name).name.startswith(".")


def _require_rows(path: Path) -> None:
    """Refuse JSON without rows of a table, with what to type."""
    try:
        read_rows(path)
    except ValueError as error:
        raise ValueError(f"{error} {how_to_convert(path)}") from error


def schema_of(path: Path) -> pa.Schema | None:
    """The schema of a Parquet file; None where it is damaged."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None
