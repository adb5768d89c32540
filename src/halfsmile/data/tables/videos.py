"""Tables of videos: the column that names them, and rows that name single frames of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers.folder import walk
from halfsmile.data.tables.intervals import names_video, with_intervals
from halfsmile.data.tables.names import LOOSE, NAMES
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.times import may_have_times
from halfsmile.data.tables.values import cell_text, holds, is_number, names_picture

HOW_TO_WRITE_FRAMES = (
    "Frames are read as pictures: `ffmpeg -i CLIP.mp4 CLIP/%06d.png` writes them (the first is 000001); then "
    "call the columns video and frame."
)


def video_column(
    path: Path, table: Table, rows: Sequence[Mapping[str, Any]], given: str | None = None
) -> str | None:
    """The column that names videos; None where there is none, or one names pictures or numbers of frames.

    Names without a suffix are those of videos where such files lie beside, in a column that is called as one
    of videos is, or as one of pictures and there is none of videos.

    Args:
        path: Of the table.
        table: Its columns.
        rows: All of them, or some.
        given: The column that names the files, where somebody says it.
    """
    columns = table.names if given is None else [given]
    if given is None and _named(table, "frame"):
        return None
    if any(holds(rows, name, names_picture) for name in columns):
        return None
    found = [name for name in columns if holds(rows, name, names_video)]
    if found:
        return next((name for name in found if name.casefold() in NAMES["video"]), found[0])
    bare = [given] if given is not None else _called_after_files(table)
    if not bare or not path.parent.is_dir():
        return None
    stems = {PurePosixPath(name).stem for name in walk(path.parent)[0] if has_video_suffix(name)}

    def is_there(cell: str) -> bool:
        return PurePosixPath(cell.replace("\\", "/")).name in stems

    return next((name for name in bare if holds(rows, name, is_there)), None)


def with_parts(
    path: Path,
    table: Table,
    given: str | None = None,
    times: Mapping[str, str] | None = None,
    taken: Collection[str] = (),
) -> Table:
    """The same table with the parts of its videos, if it names some: all files, or some beside pictures.

    Args:
        path: Of the table.
        table: As it was read.
        given: The column that names the files, where somebody says it.
        times: Columns of times, see :func:`~halfsmile.data.tables.intervals.with_intervals`.
        taken: Columns that are something else, as somebody says.

    Raises:
        ValueError: If times are there and not understood, or named where there is no video, or columns of
            numbers have no names.
    """
    rows = list(table.rows)
    table = replace(table, rows=rows)
    if missing := [name for name in (times or {}).values() if name not in table.names]:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(table.names)}.")
    if not times and not table.has_header:
        _require_few_numbers(path, table, rows, taken)
    if not times and not may_have_times(table):
        return table
    column = video_column(path, table, rows, given)
    if column is None:
        columns = table.names if given is None else [given]
        pictures = [name for name in columns if holds(rows, name, names_picture)]
        some = [name for name in pictures if any(names_video(cell_text(row.get(name)) or "") for row in rows)]
        column = some[0] if some else None
    if column is None and times:
        raise ValueError(
            f"{path} names no videos, and only rows of videos have a {' and '.join(times)} "
            "(--columns). If it does, name their column, too: --columns image=COLUMN"
        )
    if column is None:
        return table
    free = [name for name in table.names if name not in taken or name in (times or {}).values()]
    found = with_intervals(path, replace(table, names=free), column, times)
    return replace(found, names=[name for name in table.names if name in found.names or name not in free])


def _require_few_numbers(
    path: Path, table: Table, rows: Sequence[Mapping[str, Any]], taken: Collection[str]
) -> None:
    """Refuse a list of videos with two rising numbers each and no line of names: they may be times.

    Raises:
        ValueError: If it is one.
    """
    numbers = [name for name in table.names if name not in taken and holds(rows, name, is_number)]
    if len(numbers) != 2 or not any(holds(rows, name, names_video) for name in table.names):
        return
    pairs = [[float(row[name]) for name in numbers if is_number(str(row.get(name)))] for row in rows]
    if all(pair == sorted(set(pair)) for pair in pairs):
        raise ValueError(
            f"{path} names videos and has {len(numbers)} columns of numbers, and no line of names that says "
            "what they are. Write one above, as video,start,end,label for parts of videos in seconds."
        )


def _called_after_files(table: Table) -> list[str]:
    """Columns whose names say that they name files: those of pictures, where there are some, or of videos."""
    by_name = {name.casefold(): name for name in reversed(table.names)}
    for usual in (NAMES["image"], NAMES["video"], LOOSE):
        if found := [by_name[name] for name in usual if isinstance(name, str) and name in by_name]:
            return found
    return []


def with_frames(table: Table) -> Table:
    """The same table with a column of pictures where only a video and the number of a frame name them.

    The picture is called ``video/number``: the one of this number, however many zeros it begins with, in a
    folder of the video's name.
    """
    video, frame = _named(table, "video"), _named(table, "frame")
    usual = {name for name in NAMES["image"] if isinstance(name, str)} | set(LOOSE)
    rows = list(table.rows)
    if not rows or video is None or frame is None or usual & set(map(str.casefold, table.names)):
        return replace(table, rows=rows)
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
