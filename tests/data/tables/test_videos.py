"""A row speaks of a video, or of a part of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault
from halfsmile.data.tables.rows import Table, read_rows
from halfsmile.data.tables.videos import names_video, split_interval, video_column, with_intervals


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


@pytest.mark.parametrize(
    ("head", "cells", "expected"),
    [
        ("start,end", "1.5,4", "#t=1.5,4"),
        ("Start (s);Stop (s)", "1,5;4", "#t=1.5,4"),
        ("onset_ms,offset_ms", "1500,4000", "#t=1.5,4"),
        ("Begin Time - msec,End Time - msec", "1500,4000", "#t=1.5,4"),
        ("Begin Time - ss.msec,End Time - ss.msec", "1.5,4.0", "#t=1.5,4"),
        ("Begin Time - hh:mm:ss.ms,End Time - hh:mm:ss.ms", "00:00:01.500,00:01:04.000", "#t=1.5,64"),
        ("from,to", "1:01:01,", "#t=3661"),
        ("start,end", ",4", "#t=0,4"),
        ("start,end", ",", ""),
        ("start,length", "1.5,4", ""),
        ("rating,ending", "1.5,4", ""),
    ],
)
def test_times_of_a_part(tmp_path: Path, head: str, cells: str, expected: str) -> None:
    mark = ";" if ";" in head else ","
    found = with_intervals(
        tmp_path / "list.csv",
        table(tmp_path / "list.csv", f"video{mark}{head}{mark}label\na.mp4{mark}{cells}{mark}happy\n"),
    )
    assert [row["video"] for row in found.rows] == [f"a.mp4{expected}"]
    assert ("start" in found.names) == (head == "start,length")


def test_times_that_are_none_leave_the_row_out_with_a_fault(tmp_path: Path) -> None:
    text = "video,start,end,label\na.mp4,0,1,happy\na.mp4,2,1,sad\na.mp4,soon,4,sad\na.mp4,-1,4,sad\n"
    found = with_intervals(tmp_path / "list.csv", table(tmp_path / "list.csv", text))
    assert [row["label"] for row in found.rows] == ["happy"]
    faults = [note for note in found.notes if isinstance(note, Fault)]
    assert len(faults) == 1
    assert "3 rows of list.csv" in faults[0]
    assert "data row 2 (it ends at 1 s and begins at 2 s)" in faults[0]


def test_tables_of_pictures_keep_their_columns(tmp_path: Path) -> None:
    found = table(tmp_path / "list.csv", "image,start,end,label\na.png,0,1,happy\n")
    assert with_intervals(tmp_path / "list.csv", found).names == ["image", "start", "end", "label"]


def test_parts_have_the_name_of_their_file() -> None:
    assert split_interval("s 1/a.mp4#t=0.04,2.5") == ("s 1/a.mp4", 0.04, 2.5)
    assert names_video("a.mp4#t=3")
    assert names_video("A.MOV")
    assert not names_video("a.png")
    assert not names_video("a.csv#12")
