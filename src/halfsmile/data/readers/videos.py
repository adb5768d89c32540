"""Labels of videos: in folders that are named after them, or in a table with a row for each, or for parts.

The rows are videos and no faces yet: ``halfsmile data prepare`` finds those, and says of each face what is
said of its video.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers import class_folders, table
from halfsmile.data.readers.folder import is_hidden, walk
from halfsmile.data.tables.columns import Columns
from halfsmile.data.tables.intervals import split_interval
from halfsmile.data.tables.names import NAMES
from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.values import names_picture
from halfsmile.data.tables.videos import HOW_TO_WRITE_FRAMES, video_column
from halfsmile.taxonomy import Taxonomy

_SHOWN = 8


def read(
    root: Path,
    taxonomy: Taxonomy | None = None,
    *,
    tables: Sequence[Path] | None = None,
    columns: Columns | None = None,
    labels: Mapping[str, str | None] | None = None,
    splits: Mapping[str, str | None] | None = None,
) -> Manifest:
    """One row a video or part of one, whose ``image`` is its file, and ``#t=start,end`` of a part.

    Args:
        root: A table with a column that names videos, a folder with ``tables``, or a folder in one of the
            layouts of :mod:`~halfsmile.data.readers.class_folders`.
        taxonomy: Classes, as the reader of tables or of folders takes them.
        tables: In the folder ``root``; its folders are read if None.
        columns: Column of each part, as for a table of pictures.
        labels: Class by the label that is found; None drops its videos.
        splits: Split by what a column or folder says.

    Raises:
        UnreadLabelsError: If labels are numbers without names.
        ValueError: If there is no video, a table has several rows of one and no times, or something else is
            not as expected.
    """
    root = Path(root)
    if tables is not None or root.is_file():
        column = column_of_videos(tables[0] if tables else root)
        named: Columns = {"image": column, "video": ""} if column else {}
        named = {**named, **(columns or {})}
        is_column_of_videos = str(named.get("image")).casefold() in NAMES["video"]
        found = table.read(
            root,
            tables=tables,
            columns=named,
            taxonomy=taxonomy,
            labels=labels,
            splits=splits,
            are_videos=is_column_of_videos,
        )
        paths = tables or [root]
        _require_no_thumbnails(paths, str(named.get("image")), found)
        _require_one_row_each(paths[0], found)
        return found
    if columns:
        raise ValueError(f"{root} has no table, so --columns has no use; its folders tell the labels.")
    return class_folders.read(root, taxonomy, labels=labels, splits=splits, files=videos_below(root))


def _require_no_thumbnails(paths: Sequence[Path], column: str, manifest: Manifest) -> None:
    """Refuse pictures that stand for videos, which tables name without a suffix; named pictures may be there.

    Raises:
        ValueError: If there is one.
    """
    pictures = [image for image in manifest.column("image") if names_picture(image)]
    if not pictures:
        return
    cells = [str(row.get(column)).strip() for path in paths for row in read_rows(path).rows]
    written = {
        PurePosixPath(cell.replace("\\", "/")).name.casefold() for cell in cells if names_picture(cell)
    }
    if thumbnails := [image for image in pictures if PurePosixPath(image).name.casefold() not in written]:
        raise ValueError(
            f"{paths[0]} names videos without their suffix, and pictures beside fit as well, first "
            f"{thumbnails[0]}. Write the suffix of the videos, or put the pictures elsewhere."
        )


def _require_one_row_each(path: Path, manifest: Manifest) -> None:
    """Refuse several rows of one video: what each says would be said of all its faces."""
    counts = Counter(manifest.column("image"))
    torn = [video for video, count in counts.items() if count > 1]
    if not torn:
        return
    said = [row["label"] for row in manifest.table.to_pylist() if row["image"] == torn[0]]
    labels = ", ".join(dict.fromkeys(label or "none" for label in said))
    found = f"{path} has several rows of {len(torn):,} videos, first {torn[0]} ({labels})"
    if all(split_interval(video)[0] != video for video in torn):
        raise ValueError(
            f"{found}, all of the same part. If several people judged it, write a row for each part and a "
            "column for each of them: they are read as votes."
        )
    raise ValueError(
        f"{found}, and does not say which part of it each speaks of. Say it in columns called start and end, "
        "in seconds; if several people judged the whole video, write one row for it and a column for each of "
        f"them: they are read as votes. {HOW_TO_WRITE_FRAMES}"
    )


def videos_below(root: Path) -> list[str]:
    """Paths of all videos below a folder, sorted; hidden ones are left out.

    Raises:
        ValueError: If there is none.
    """
    found = [name for name in walk(root)[0] if has_video_suffix(name) and not is_hidden(name)]
    if not found:
        raise ValueError(f"{root} has no video.")
    return found


def bare(root: Path) -> Manifest:
    """One row a video, and nothing said of it.

    Raises:
        ValueError: If there is none.
    """
    return Manifest.from_rows(({"image": name} for name in videos_below(root)), root, None, [])


def are_videos(root: Path) -> bool:
    """Whether a folder holds videos and no picture."""
    if not root.is_dir():
        return False
    names = [name for name in walk(root)[0] if not is_hidden(name)]
    return any(map(has_video_suffix, names)) and not any(map(names_picture, names))


def column_of_videos(path: Path) -> str | None:
    """The column of a table that names videos; None where there is none."""
    try:
        head = read_rows(path, only_head=True)
        return video_column(path, head, list(head.rows))
    except (ValueError, OSError):
        return None


def how_to_prepare(path: Path, manifest: Manifest) -> str:
    """What the rows are, and the command that finds their faces."""
    counts = Counter(label for label in manifest.column("label") if label)
    said = ", ".join(f"{label} {count:,}" for label, count in counts.most_common(_SHOWN))
    videos = len({split_interval(name)[0] for name in manifest.column("image")})
    parts = f" in {len(manifest):,} parts" if len(manifest) > videos else ""
    return (
        f"{path} holds {videos:,} videos{parts}{f' with labels ({said})' if said else ''}, and no faces yet: "
        f"`halfsmile data prepare {path} --out STORE` finds them, each with its video's label; give the "
        "store."
    )
