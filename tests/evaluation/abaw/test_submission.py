"""Submissions: what is written is valid, and every mistake is found and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfsmile.evaluation.abaw.submission import (
    HEADER,
    check_submission,
    expected_frames,
    video_and_frame,
    write_submission,
)

FRAMES = [f"{video}/{frame:05d}.jpg" for video in ("video5_left", "10-60-1280x720") for frame in (1, 2, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "submission.txt"


def problems(path: Path, text: str) -> dict[str, int]:
    path.write_text(text)
    return {problem.what: problem.count for problem in check_submission(path, FRAMES).problems}


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


GOOD = [f"{frame},{k}" for k, frame in enumerate(FRAMES)]


def test_the_header_is_that_of_the_challenge() -> None:
    assert HEADER == "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def test_what_is_written_is_valid_and_exact(path: Path) -> None:
    write_submission(path, {frame: k for k, frame in enumerate(FRAMES)})
    assert path.read_bytes() == (
        b"image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
        b"video5_left/00001.jpg,0\nvideo5_left/00002.jpg,1\nvideo5_left/00003.jpg,2\n"
        b"10-60-1280x720/00001.jpg,3\n10-60-1280x720/00002.jpg,4\n10-60-1280x720/00003.jpg,5\n"
    )
    report = check_submission(path, FRAMES)
    assert report.is_valid
    assert report.to_text() == "6 rows, 6 frames expected: valid"


def test_order_and_line_ends_are_free(path: Path) -> None:
    assert problems(path, lines(*GOOD[::-1]).replace("\n", "\r\n")) == {}
    assert problems(path, lines(*GOOD).rstrip()) == {}


def test_every_mistake_is_found_and_counted(path: Path) -> None:
    text = "\n".join(
        [
            HEADER.replace("Anger,Disgust", "Disgust,Anger"),
            *GOOD[:3],
            GOOD[0],
            f"{FRAMES[3]},8",
            f"{FRAMES[4]},-1",
            "video9/00001.jpg,2",
            "nonsense",
            "",
            f"{FRAMES[5]},1,2",
        ]
    )
    assert problems(path, text) == {
        "wrong header": 1,
        "lines that are not <video>/<frame>.jpg,<class>": 3,
        "classes other than 0 to 7": 2,
        "missing frames": 1,
        "duplicate frames": 1,
        "frames that are not expected": 1,
    }
    report = check_submission(path, FRAMES).to_text()
    assert report.splitlines()[0] == "10 rows, 6 frames expected: 6 kinds of problems"
    assert "1 missing frames: 10-60-1280x720/00003.jpg" in report
    assert "2 classes other than 0 to 7: line 6 '8', line 7 '-1'" in report


@pytest.mark.parametrize("value", ["", " 1", "1.0", "٣", "happiness", "00"])
def test_classes_are_one_digit(path: Path, value: str) -> None:
    assert problems(path, lines(*GOOD[1:], f"{FRAMES[0]},{value}")) == {"classes other than 0 to 7": 1}


def test_an_empty_file_and_a_file_without_header(path: Path) -> None:
    assert problems(path, "") == {"wrong header": 1, "missing frames": 6}
    assert problems(path, "\n".join(GOOD)) == {"wrong header": 1, "missing frames": 1}


def test_only_the_first_few_are_shown(path: Path) -> None:
    path.write_text(HEADER)
    (problem,) = check_submission(path, FRAMES).problems
    assert problem.count == 6
    assert problem.examples == tuple(FRAMES[:3])


@given(st.lists(st.sampled_from([*GOOD, f"{FRAMES[0]},9", "x/1.jpg,0", "", "junk", "a,b,c"]), max_size=14))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_is_valid_exactly_when_it_is_the_expected_rows_once_each(path: Path, rows: list[str]) -> None:
    path.write_text(lines(*rows))
    assert check_submission(path, FRAMES).is_valid == (sorted(rows) == sorted(GOOD))


@given(st.text(max_size=80))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_checked(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="ignore")
    assert not check_submission(path, FRAMES).is_valid


def test_wrong_rows_are_not_written(path: Path) -> None:
    for classes, message in (
        ({FRAMES[0]: 8}, "1 of 1 rows have a class other"),
        ({}, "at least one row"),
        ({"video5_left": 1}, "Expected <video>/<frame>.jpg"),
        ({"cropped/video5/00001.jpg": 1}, "Expected <video>/<frame>.jpg"),
    ):
        with pytest.raises(ValueError, match=message):
            write_submission(path, classes)
    assert not path.exists()


def test_expected_frames_come_from_the_example_in_its_order(path: Path) -> None:
    path.write_text("\n".join([HEADER, *(f"{frame}," for frame in FRAMES[::-1]), ""]))
    assert expected_frames(path) == FRAMES[::-1]
    path.write_text("\n".join(FRAMES))
    assert expected_frames(path) == FRAMES


def test_the_list_of_videos_is_not_an_example(path: Path) -> None:
    path.write_text("video5_left\n10-60-1280x720\n")
    with pytest.raises(ValueError, match=r"found 'video5_left'.*the list of videos does not"):
        expected_frames(path)
    path.write_text(HEADER)
    with pytest.raises(ValueError, match="names no frame"):
        expected_frames(path)
    with pytest.raises(ValueError, match="not a readable example"):
        expected_frames(path.with_name("nothing"))
    with pytest.raises(ValueError, match="not a readable submission"):
        check_submission(path.with_name("nothing"), FRAMES)


def test_frame_numbers_are_plain_digits() -> None:
    assert video_and_frame("a/100000.jpg") == ("a", 100_000)
    for wrong in ("a/b.jpg", "a/1.png", "/1.jpg", "a/.jpg", "a", "a/٣.jpg", "a/-1.jpg", "b/a/1.jpg"):
        with pytest.raises(ValueError, match="Expected <video>"):
            video_and_frame(wrong)
