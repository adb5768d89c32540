"""Pictures of a table: as it says, or found by the end of their path."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.tables.pictures import left_beside, locate

THERE = ("images/a/1.png", "images/b/1.png", "images/b/Face 2.JPG", "images/train_00001_aligned.jpg")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("images/a/1.png", "images/a/1.png"),
        ("a/1.png", "images/a/1.png"),
        ("C:/Users/ann/b/1.png", "images/b/1.png"),
        ("/home/ann/b/1.png", "images/b/1.png"),
        ("FACE 2.jpg", "images/b/Face 2.JPG"),
        ("Face 2", "images/b/Face 2.JPG"),
        ("train_00001.jpg", "images/train_00001_aligned.jpg"),
        ("1.png", None),
        ("c/1.png", None),
        ("3.png", None),
    ],
)
@pytest.mark.parametrize("in_archive", [False, True])
def test_pictures_are_found_where_only_one_fits(
    tmp_path: Path, said: str, found: str | None, in_archive: bool
) -> None:
    base = tmp_path
    if in_archive:
        base = tmp_path / "faces.zip"
        with zipfile.ZipFile(base, "w") as archive:
            for name in THERE:
                archive.writestr(name, b"")
    else:
        touch(tmp_path, *THERE)
    root, (locator,), notes = locate(base, [said], "t.csv")
    assert root == base
    assert locator == (found or said)
    if found is None:
        assert isinstance(notes[0], LeftOut)
        assert notes[0].startswith("1 of 1 pictures of t.csv are not in")
    elif found != said:
        assert notes == [f"1 pictures of t.csv were found by the end of their path, first {said} as {found}."]
    else:
        assert notes == []


def test_locators_into_files_are_there(tmp_path: Path) -> None:
    touch(tmp_path, "shards/faces-00000.tar", "data/t.csv")
    images = ["shards/faces-00000.tar#512+99", "data/t.csv#3"]
    assert locate(tmp_path, images, "t.csv") == (tmp_path, images, [])


def test_the_only_archive_beside_the_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("a.png", b"")
    assert locate(tmp_path, ["a.png"], "t.csv")[0] == tmp_path / "faces.zip"
    touch(tmp_path, "a.png")
    assert locate(tmp_path, ["a.png"], "t.csv")[0] == tmp_path


@pytest.mark.parametrize("said", ["a.mp4", "a.mp4#t=0,1", "a#t=0,1"])
def test_videos_are_looked_for_among_videos(tmp_path: Path, said: str) -> None:
    touch(tmp_path, "v/a.mp4", "t/a.jpg", "t/b.jpg")
    with zipfile.ZipFile(tmp_path / "thumbnails.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    part = said.removeprefix("a").removeprefix(".mp4")
    assert locate(tmp_path, [said], "t.csv")[1] == [f"v/a.mp4{part}"]


def test_names_without_a_suffix_are_videos_where_that_is_known(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "t/a.jpg")
    assert locate(tmp_path, ["a"], "t.csv")[1] == ["t/a.jpg"]
    assert locate(tmp_path, ["a"], "t.csv", are_videos=True)[1] == ["v/a.mp4"]


def test_one_video_among_pictures_hides_none_of_them(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "v/b.mp4")
    assert locate(tmp_path, ["a.jpg", "b.mp4"], "t.csv")[1] == ["p/a.jpg", "b.mp4"]


def test_names_as_addresses_write_them(tmp_path: Path) -> None:
    touch(tmp_path, "my faces/a b.png", "100%25.png")
    said = ["my%20faces/a%20b.png", "elsewhere/a%20b.png", "100%25.png"]
    _, found, _ = locate(tmp_path, said, "t.csv")
    assert found == ["my faces/a b.png", "my faces/a b.png", "100%25.png"]


def test_uploaded_names_are_told_where_to_go(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    _, _, (note,) = locate(tmp_path, ["/data/upload/1/0a1b2c3d-a.png"], "t.csv")
    assert "halfsmile data import PICTURES TABLE" in note


@pytest.mark.parametrize("in_archive", [False, True])
def test_a_frame_is_one_of_its_own_video(tmp_path: Path, in_archive: bool) -> None:
    there = ["x/A/0001.png", "x/A/0002.png", "x/C/7.png", "x/D.mp4/aligned/03.png"]
    base = tmp_path
    if in_archive:
        base = tmp_path / "faces.zip"
        with zipfile.ZipFile(base, "w") as archive:
            for name in there:
                archive.writestr(name, b"")
    else:
        touch(tmp_path, *there)
    wanted = {
        "A/1": there[0],
        "a.mp4/0002": there[1],
        "B/1": None,
        "B/0002": None,
        "A/7": None,
        "C/7": there[2],
        "clips/C.avi/007": there[2],
        "D.mp4/3": there[3],
    }
    videos = [image.rpartition("/")[0] for image in wanted]
    _, found, notes = locate(base, list(wanted), "t.csv", videos=videos)
    assert found == [place or image for image, place in wanted.items()]
    (fault,) = [note for note in notes if isinstance(note, Fault)]
    assert "3 frames were not found in folders of their videos' names, first B/1" in fault
    assert locate(base, ["B/2"], "t.csv")[1] == ["x/A/0002.png"], "a mere number is found anywhere"


def write_zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")


@pytest.mark.parametrize("said", ["{}", "./{}", "a/../{}", "{root}/{}"])
def test_pictures_that_no_row_names_are_told(tmp_path: Path, said: str) -> None:
    touch(tmp_path, "a/1.png", "a/2.png", "b/3.png", "a/notes.txt", "a/.hidden.png")
    rows = [said.replace("{}", name).replace("{root}", str(tmp_path)) for name in ("a/1.png", "b/3.png")]
    (note,) = left_beside(tmp_path, rows, "t.csv")
    assert isinstance(note, LeftOut)
    assert note == "1 picture is in no row that was read of t.csv, first a/2.png."
    assert left_beside(tmp_path, [*rows, "a/2.png"], "t.csv") == []
    assert left_beside(tmp_path, ["c.png"], "t.csv") == []  # a fault tells of these


def test_pictures_of_archives_that_no_row_names_are_told(tmp_path: Path) -> None:
    write_zip(tmp_path / "one.zip", "1.png", "2.png")
    write_zip(tmp_path / "two.zip", "1.png", "3.png")
    (note,) = left_beside(tmp_path, ["one.zip!1.png", "one.zip!2.png", "two.zip!3.png"], "t.csv")
    assert note == "1 picture is in no row that was read of t.csv, first two.zip!1.png."
    (note,) = left_beside(tmp_path / "one.zip", ["2.png"], "t.csv")
    assert note == "1 picture is in no row that was read of t.csv, first 1.png."


def test_unpacked_pictures_go_before_the_archive_they_came_from(tmp_path: Path) -> None:
    """The table names them without their folder, so that each fits both."""
    names = [f"faces/{i}.png" for i in range(3)]
    (tmp_path / "faces").mkdir()
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"a picture")
            (tmp_path / name).write_bytes(b"a picture")
    base, found, notes = locate(tmp_path, ["0.png", "1.png", "2.png"], "t.csv")
    assert (base, found) == (tmp_path, names)
    assert not any(isinstance(note, Fault) for note in notes)
