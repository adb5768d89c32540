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
        ("image,emotion\na,happy\nb,sad\n", "image"),
        ("id,emotion\na,happy\nb,sad\n", "id"),
        ("image,video,emotion\n1,a,happy\n2,b,sad\n", None),
        ("video,frame,emotion\n", None),
        ("video,image,emotion\na.mp4,1.png,happy\nb.mp4,2.png,sad\n", None),
        ("video,frame,emotion\na.mp4,1,happy\nb.mp4,2,sad\n", None),
        ("subject,emotion\na,happy\nb,sad\n", None),
    ],
)
def test_the_column_that_names_videos(tmp_path: Path, text: str, expected: str | None) -> None:
    touch(tmp_path, "clips/a.mp4", "clips/b.mkv")
    assert column(tmp_path / "list.csv", text) == expected


TABLES = {
    "names without suffixes": "filename,label,start,end\na,happy,1,2\nb,sad,3,4\n",
    "by number": "id,label,start,end\na,happy,1,2\nb,sad,3,4\n",
    "blanks between": "video start end label\na.mp4 1 2 happy\nb.mp4 3 4 sad\n",
    "one row a person": '[{"video": "a.mp4", "faces": [{"start": 1, "end": 2, "label": "happy"}]},'
    ' {"video": "b.mp4", "faces": [{"start": 3, "end": 4, "label": "sad"}]}]',
    "by name": '{"a.mp4": {"start": 1, "end": 2, "label": "happy"},'
    ' "b.mp4": {"start": 3, "end": 4, "label": "sad"}}',
    "parts by name": '{"a.mp4": [{"start": 1, "end": 2, "label": "happy"}],'
    ' "b.mp4": [{"start": 3, "end": 4, "label": "sad"}]}',
}


@pytest.mark.parametrize("form", TABLES)
def test_parts_are_read_however_the_table_is_written(tmp_path: Path, form: str) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / ("list.json" if TABLES[form][0] in "[{" else "list.csv")
    path.write_text(TABLES[form])
    found = read_any(path, videos=True)
    assert found.column("image") == ["a.mp4#t=1,2", "b.mp4#t=3,4"]
    assert found.column("label") == ["happy", "sad"]


def test_times_are_those_of_the_column_that_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4", "scene.mp4")
    path = tmp_path / "list.csv"
    path.write_text("scene,face,label,start,end\nscene.mp4,a.mp4,happy,1,2\nscene.mp4,b.mp4,sad,3,4\n")
    found = read_any(path, videos=True, columns={"image": "face"})
    assert found.column("image") == ["a.mp4#t=1,2", "b.mp4#t=3,4"]


def test_columns_of_times_can_be_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.csv"
    path.write_text("video,x,y,label\na.mp4,1,2,happy\nb.mp4,3,4,sad\n")
    found = read_any(path, videos=True, columns={"start": "x", "end": "y"})
    assert found.column("image") == ["a.mp4#t=1,2", "b.mp4#t=3,4"]
    found = read_any(path, videos=True, columns={"start": "x", "duration": "y"})
    assert found.column("image") == ["a.mp4#t=1,3", "b.mp4#t=3,7"]
    with pytest.raises(ValueError, match=r"lacks the columns z; it has video, x, y, label"):
        read_any(path, videos=True, columns={"start": "x", "end": "z"})
    path.write_text("image,x,y,label\na.png,1,2,happy\nb.png,3,4,sad\n")
    with pytest.raises(ValueError, match=r"names no videos, and only rows of videos have a start and end"):
        read_any(path, columns={"start": "x", "end": "y"})


def test_a_list_of_videos_with_numbers_and_no_names_for_them_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.txt"
    path.write_text("a.mp4 0 1.5 happy\nb.mp4 1 2 sad\n")
    with pytest.raises(
        ValueError, match=r"2 columns of numbers, and no line of names.*video,start,end,label"
    ):
        read_any(path, videos=True)


def test_a_column_that_somebody_names_is_no_time(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.csv"
    path.write_text("video,start,onset\na.mp4,1,happy\nb.mp4,2,sad\n")
    found = read_any(path, videos=True, columns={"label": "onset"})
    assert found.column("image") == ["a.mp4#t=1", "b.mp4#t=2"]
    path.write_text("video,start,end\na.mp4,1,3\nb.mp4,2,4\n")
    found = read_any(path, videos=True, columns={"label": "end"}, labels={"3": "happy", "4": "sad"})
    assert found.column("label") == ["happy", "sad"]


def test_who_judged_one_part_twice_is_told_of_votes(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    path = tmp_path / "list.csv"
    path.write_text("video,rater,label,start,end\na.mp4,1,happy,1,2\na.mp4,2,sad,1,2\n")
    with pytest.raises(ValueError, match=r"all of the same part.*a column for each of them"):
        read_any(path, videos=True)


def test_rows_that_were_left_out_are_told_where_a_single_label_is_left(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.csv"
    path.write_text("video,label,start,end\na.mp4,happy,1,2\nb.mp4,sad,3,1\n")
    with pytest.raises(ValueError, match=r"single label 'happy'.*1 rows of list.csv have times.*ends at 1 s"):
        read_any(path, videos=True)


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
