"""A row speaks of a part of a video, and nothing else is taken for times."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.manifest import Fault
from halfsmile.data.tables.intervals import any_video, names_video, split_interval, with_intervals
from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.table import Table


def table(path: Path, text: str) -> Table:
    path.write_text(text)
    return read_rows(path)


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
        ("StartTime,EndTime", "00:16:16,00:16:21.5", "#t=976,981.5"),
        ("start,end", "12345.678,1234567.5", "#t=12345.678,1234567.5"),
        ("start,end", ",4", "#t=0,4"),
        ("start,end", ",", ""),
        ("Beginn;Ende", "1,5;4", "#t=1.5,4"),
        ("début,fin", "1.5,4", "#t=1.5,4"),
        ("inicio,duración", "1.5,2.5", "#t=1.5,4"),
        ("start,length", "1.5,4", "#t=1.5,5.5"),
        ("start,duration_ms", "1.5,2500", "#t=1.5,4"),
        ("start [ms],end [ms]", "1500,4000", "#t=1.5,4"),
        ("start_millis,end_millis", "1500,4000", "#t=1.5,4"),
        ("start_min,end_min", "1,3", "#t=60,180"),
        ("start,end", "1500ms,4 s", "#t=1.5,4"),
        ("time_start,time_end", "1.5,4", "#t=1.5,4"),
        ("starttime,endtime", "1.5,4", "#t=1.5,4"),
        ("start,end", "1.5,NA", "#t=1.5"),
        ("start,end", "NA,4", "#t=0,4"),
        ("start,end", "1.5,-1", "#t=1.5"),
        ("start,other", "1.5,4", "#t=1.5"),
        ("end,other", "4,9", "#t=0,4"),
        ("start_time,end_time,start_frame,end_frame", "1.5,4,45,120", "#t=1.5,4"),
        ("from_dataset,start,end_reason,end", "RAVDESS,1.5,blink,4", "#t=1.5,4"),
        ("duration,end_reason", "4,blink", ""),
        ("rating,ending", "1.5,4", ""),
    ],
)
def test_times_of_a_part(tmp_path: Path, head: str, cells: str, expected: str) -> None:
    mark = ";" if ";" in head else ","
    found = with_intervals(
        tmp_path / "list.csv",
        table(tmp_path / "list.csv", f"video{mark}{head}{mark}label\na.mp4{mark}{cells}{mark}happy\n"),
        "video",
    )
    assert [row["video"] for row in found.rows] == [f"a.mp4{expected}"]
    assert "start" not in found.names
    others = {"other", "from_dataset", "end_reason", "start_frame", "end_frame", "rating", "ending"}
    assert set(head.split(",")) & others <= set(found.names)


def test_times_that_are_none_leave_the_row_out_with_a_fault(tmp_path: Path) -> None:
    text = "video,start,end,label\na.mp4,0,1,happy\na.mp4,2,1,sad\na.mp4,soon,4,sad\na.mp4,-1,4,sad\n"
    found = with_intervals(tmp_path / "list.csv", table(tmp_path / "list.csv", text), "video")
    assert [row["label"] for row in found.rows] == ["happy"]
    faults = [note for note in found.notes if isinstance(note, Fault)]
    assert len(faults) == 1
    assert "3 rows of list.csv" in faults[0]
    assert "data row 2 (it ends at 1 s and begins at 2 s)" in faults[0]


def test_parts_have_the_name_of_their_file() -> None:
    assert split_interval("s 1/a.mp4#t=0.04,2.5") == ("s 1/a.mp4", 0.04, 2.5)
    assert names_video("a.mp4#t=3")
    assert names_video("A.MOV")
    assert not names_video("a.png")
    assert not names_video("a.csv#12")
    assert split_interval("a.mp4#t=soon.mp4") == ("a.mp4#t=soon.mp4", 0.0, None)


@given(st.floats(0, 1e6), st.none() | st.floats(0.001, 1e6))
def test_names_of_parts_tell_their_times(start: float, length: float | None) -> None:
    end = "" if length is None else f",{start + length:.3f}"
    found = split_interval(f"s/a b.mp4#t={start:.3f}{end}")
    assert found == ("s/a b.mp4", float(f"{start:.3f}"), float(end[1:]) if end else None)


def test_rows_of_pictures_have_no_parts(tmp_path: Path) -> None:
    text = "file,start,end,label\na.mp4,1,2,happy\nb.png,3,4,sad\n"
    found = with_intervals(tmp_path / "list.csv", table(tmp_path / "list.csv", text), "file")
    assert [row["file"] for row in found.rows] == ["a.mp4#t=1,2", "b.png"]


def test_a_video_among_many_names_is_seen() -> None:
    names = ["a.png", "b.csv#3", "c.mp4x", "mp4"]
    assert not any_video(pa.chunked_array([names]))
    for video in ("a.MP4", "s.1/a.mov#t=1.5,4", "a.ts#t=3"):
        assert any_video(pa.chunked_array([names, [video]]))
        assert names_video(video)
