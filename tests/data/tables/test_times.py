"""Columns of times are known by what they are called and hold, and no cell is understood wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.times import Times, may_have_times, time_columns, time_in, unit_name


def table(path: Path, text: str) -> Table:
    path.write_text(text)
    return read_rows(path)


def columns(path: Path, text: str) -> Times:
    return time_columns(path, table(path, text))


def test_columns_hold_times_and_are_called_so(tmp_path: Path) -> None:
    text = "video,from_dataset,onset,end_reason,offset_ms,rating\na.mp4,RAVDESS,1,blink,2000,3\n"
    found = columns(tmp_path / "list.csv", text)
    assert found == Times(("onset",), ("offset_ms",))
    assert found.tell_parts
    assert not columns(tmp_path / "list.csv", "video,duration\na.mp4,3\n").tell_parts
    assert not may_have_times(table(tmp_path / "list.csv", "video,rating,ending,weekend\na.mp4,3,4,5\n"))


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("final_score,start,end", "1,0,2"),
        ("start,end,final_score", "0,2,1"),
        ("session_start,start,end", "14:30:00,0,2"),
        ("video_duration,start,end,end_frame", "60,0,2,60"),
        ("from_set,start,end_quality,end", "0,0,3,2"),
    ],
)
def test_what_is_called_alike_is_no_time(tmp_path: Path, head: str, cells: str) -> None:
    found = columns(tmp_path / "list.csv", f"video,{head}\na.mp4,{cells}\n")
    assert found == Times(("start",), ("end",))


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        ("final_label", "2"),
        ("fine_id", "2"),
        ("offset", "2"),
        ("intensity_end", "2"),
        ("from_set", "2"),
        ("start_time", "14:03:00"),
        ("start_timestamp", "1600000000"),
        ("end_date", "01.01.2020"),
        ("end_frame", "60"),
    ],
)
def test_one_column_alone_is_no_time_unless_it_says_so(tmp_path: Path, head: str, cell: str) -> None:
    assert columns(tmp_path / "list.csv", f"video,{head}\na.mp4,{cell}\n") == Times()


@pytest.mark.parametrize(
    ("name", "cell", "seconds"),
    [
        ("start", "1.5", 1.5),
        ("start", "1,5", 1.5),
        ("start", "2 min", 120),
        ("start", "1500ms", 1.5),
        ("start_ms", "1500", 1.5),
        ("start_ms", "1 s", 1),
        ("Begin Time - hh:mm:ss.ms", "00:01:04.500", 64.5),
        ("Begin Time - ss.msec", "1.5", 1.5),
        ("start", "1:02:03", 3723),
        ("start", " ", None),
        ("start", "NA", None),
        ("start_m", "2", 2),
    ],
)
def test_cells_in_their_units(name: str, cell: str, seconds: float | None) -> None:
    assert time_in([name], {name: cell}) == pytest.approx(seconds)


@pytest.mark.parametrize("cell", ["soon", "-1", "inf", "nan s", "1 fortnight", "1.2.3", "1:2:3:4"])
def test_cells_that_are_no_times(cell: str) -> None:
    with pytest.raises(ValueError, match=r"start is .*, and a time is seconds or hh:mm:ss"):
        time_in(["start"], {"start": cell})


def test_the_unit_is_told() -> None:
    names = ("start", "start [ms]", "start_millis", "start_min", "Begin Time - ss.msec")
    assert list(map(unit_name, names)) == [
        "seconds or hh:mm:ss",
        "milliseconds",
        "milliseconds",
        "minutes",
        "seconds or hh:mm:ss",
    ]


def test_numbers_of_frames_are_no_times(tmp_path: Path) -> None:
    for head in ("onset_frame,offset_frame", "StartFrame,EndFrame"):
        with pytest.raises(ValueError, match=r"says by numbers of frames .*columns called start and end"):
            columns(tmp_path / "list.csv", f"video,{head},label\na.mp4,1,60,happy\n")


@pytest.mark.parametrize("cell", ["00:00:01:12", "1m30s", "1;30"])
def test_times_in_another_form_are_refused_and_not_passed_over(tmp_path: Path, cell: str) -> None:
    with pytest.raises(ValueError, match=f"has '{cell}' in the column start.*seconds, as 1.5, or hh:mm:ss"):
        columns(tmp_path / "list.csv", f"video,start,end,label\na.mp4,{cell},90,happy\n")
