"""Tables of videos: the column that names them, and rows that name single frames of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers.folder import walk
from halfsmile.data.tables.intervals import names_video
from halfsmile.data.tables.names import LOOSE, NAMES
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.values import cell_text, holds, names_picture

HOW_TO_WRITE_FRAMES = (
    "Frames are read as pictures: `ffmpeg -i CLIP.mp4 CLIP/%06d.png` writes them (the first is 000001); then "
    "call the columns video and frame."
)


def video_column(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The column that names videos; None where there is none, or one names pictures or numbers of frames.

    Names without a suffix are those of videos where the column is called so and such files lie beside.

    Args:
        path: Of the table.
        table: Its columns.
        rows: All of them, or some.
    """
    if _named(table, "frame") or any(holds(rows, name, names_picture) for name in table.names):
        return None
    found = [name for name in table.names if holds(rows, name, names_video)]
    usual = [name for name in (found or table.names) if name.casefold() in NAMES["video"]]
    if found:
        return (usual or found)[0]
    if not usual or not path.parent.is_dir():
        return None
    stems = {PurePosixPath(name).stem for name in walk(path.parent)[0] if has_video_suffix(name)}

    def is_there(cell: str) -> bool:
        return PurePosixPath(cell.replace("\\", "/")).name in stems

    return usual[0] if holds(rows, usual[0], is_there) else None


def with_frames(table: Table) -> Table:
    """The same table with a column of pictures where only a video and the number of a frame name them.

    The picture is called ``video/number``: the one of this number, however many zeros it begins with, in a
    folder of the video's name.
    """
    video, frame = _named(table, "video"), _named(table, "frame")
    usual = {name for name in NAMES["image"] if isinstance(name, str)} | set(LOOSE)
    if video is None or frame is None or usual & set(map(str.casefold, table.names)):
        return table
    rows = list(table.rows)
    if any(holds(rows, name, names_picture) for name in table.names):
        return table
    named = [
        {**row, "image": f"{cell_text(row.get(video)) or ''}/{cell_text(row.get(frame)) or ''}"}
        for row in rows
    ]
    note = f"Pictures are those of the frames in the columns {video} and {frame}, first {named[0]['image']}."
    return replace(table, names=[*table.names, "image"], rows=named, notes=[*table.notes, note])


def require_no_videos(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a table that names videos where pictures are wanted, with what to type.

    Raises:
        ValueError: If one of its columns names videos.
    """
    column = next((name for name in table.names if holds(rows, name, names_video)), None)
    if column is None:
        return
    way = "`halfsmile data prepare` finds the faces of videos (--layout videos)."
    way = HOW_TO_WRITE_FRAMES if _named(table, "frame") else way
    raise ValueError(f"{path} names videos, in the column {column}, and no pictures. {way}")


def _named(table: Table, part: str) -> str | None:
    """The column that is called as those of a part are."""
    by_name = {name.casefold(): name for name in reversed(table.names)}
    return next((by_name[name] for name in NAMES[part] if isinstance(name, str) and name in by_name), None)
