"""Which column names videos, and what is said where pictures are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.readers.registry import read_any
from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.videos import video_column


def table(path: Path, text: str) -> Table:
    path.write_text(text)
    return read_rows(path)


def column(path: Path, text: str) -> str | None:
    found = table(path, text)
    return video_column(path, found, list(found.rows))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("video,emotion\na.mp4,happy\nb.AVI,sad\n", "video"),
        ("file,emotion\na.mp4,happy\nb.mov,sad\n", "file"),
        ("raw,clip,emotion\nx.mp4,a.mp4,happy\ny.mp4,b.mp4,sad\n", "clip"),
        ("clip,emotion\na,happy\nb,sad\n", "clip"),
        ("clip,emotion\nc,happy\nd,sad\n", None),
        ("video,image,emotion\na.mp4,1.png,happy\nb.mp4,2.png,sad\n", None),
        ("video,frame,emotion\na.mp4,1,happy\nb.mp4,2,sad\n", None),
        ("subject,emotion\na,happy\nb,sad\n", None),
    ],
)
def test_the_column_that_names_videos(tmp_path: Path, text: str, expected: str | None) -> None:
    touch(tmp_path, "clips/a.mp4", "clips/b.mkv")
    assert column(tmp_path / "list.csv", text) == expected


def test_times_change_nothing_in_a_table_of_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    path = tmp_path / "list.csv"
    path.write_text("image,start,end,label\na.png,0,1,happy\nb.png,2,1,sad\n")
    found = read_any(path)
    assert (found.column("image"), found.column("label")) == (["a.png", "b.png"], ["happy", "sad"])
    assert any("not used: start, end" in note for note in found.notes)


def test_names_of_columns_as_r_writes_them_are_no_videos(tmp_path: Path) -> None:
    found = table(tmp_path / "list.csv", "clip,start.ts,end.ts,emotion\na.mp4,0,1,happy\n")
    assert found.names == ["clip", "start.ts", "end.ts", "emotion"]
    assert found.has_header


@pytest.mark.parametrize(
    ("head", "way"), [("source,frame", "`ffmpeg -i CLIP"), ("source,take", "`halfsmile data prepare`")]
)
def test_who_wants_pictures_is_told_of_videos(tmp_path: Path, head: str, way: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{head},expression\na.mp4,10,happy\na.mp4,20,sad\n")
    with pytest.raises(ValueError, match=f"names videos, in the column source, and no pictures.*{way}"):
        read_any(path, "table")
