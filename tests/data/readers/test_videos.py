"""Videos with labels are recognized, read for who finds their faces, and told of to others."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.readers.recognition.recognize import recognize
from halfsmile.data.readers.registry import read_any


def test_folders_of_videos_are_classes(tmp_path: Path) -> None:
    root = touch(tmp_path, "Train/Happy/a.mp4", "Train/Sad/b.avi", "Test/Happy/.c.mp4", "Test/Sad/d.mov")
    assert recognize(root).name == "videos"
    found = read_any(root, videos=True)
    assert found.column("image") == ["Test/Sad/d.mov", "Train/Happy/a.mp4", "Train/Sad/b.avi"]
    assert found.column("label") == ["Sad", "Happy", "Sad"]
    assert found.column("split") == ["test", "train", "train"]


def test_who_wants_faces_is_told_to_find_them_first(tmp_path: Path) -> None:
    root = touch(tmp_path, "happy/a.mp4", "sad/b.mp4", "sad/c.mp4")
    for layout, names in ((None, None), ("videos", None), (None, "{person}.*")):
        with pytest.raises(ValueError, match=r"3 videos with labels \(sad 2, happy 1\).*data prepare"):
            read_any(root, layout, names=names)


@pytest.mark.parametrize("suffix", ["", ".mp4"])
def test_a_table_names_videos_in_any_folder(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, "clips/s1/a.mp4", "clips/s2/b.mp4")
    touch(
        tmp_path,
        "list.csv",
        text=f"video,emotion,subject,split\na{suffix},happy,S1,train\nb{suffix},sad,S2,test\n",
    )
    for path in (tmp_path, tmp_path / "list.csv"):
        found = read_any(path, videos=True)
        assert found.column("image") == ["clips/s1/a.mp4", "clips/s2/b.mp4"]
        assert found.column("label") == ["happy", "sad"]
        assert found.column("person") == ["S1", "S2"]
        assert found.column("split") == ["train", "test"]


def test_a_list_without_a_line_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    touch(tmp_path, "list.txt", text="a.mp4 happy\nb.mp4 sad\n")
    found = read_any(tmp_path, videos=True)
    assert (found.column("image"), found.column("label")) == (["a.mp4", "b.mp4"], ["happy", "sad"])


def test_parts_of_a_video_are_rows(tmp_path: Path) -> None:
    touch(tmp_path, "clips/a.mp4")
    text = "video,start,end,emotion\na.mp4,0,1.5,neutral\na.mp4,1.5,3,happy\n"
    touch(tmp_path, "list.csv", text=text)
    found = read_any(tmp_path, videos=True)
    assert found.column("image") == ["clips/a.mp4#t=0,1.5", "clips/a.mp4#t=1.5,3"]
    assert found.column("label") == ["neutral", "happy"]


def test_videos_and_parts_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    text = "video,start,end,emotion\na.mp4,0,1,neutral\na.mp4,1,3,happy\nb.mp4,0,1,happy\n"
    touch(tmp_path, "list.csv", text=text)
    with pytest.raises(ValueError, match="holds 2 videos in 3 parts with labels"):
        read_any(tmp_path)


def test_several_rows_of_a_video_without_times_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    touch(tmp_path, "list.csv", text="video,emotion\na.mp4,happy\na.mp4,sad\nb.mp4,sad\n")
    with pytest.raises(ValueError, match=r"several rows of 1 videos, first a\.mp4 \(happy, sad\)"):
        read_any(tmp_path, videos=True)


def test_names_of_videos_tell_what_their_code_says(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_12/02-01-03-01-01-01-12.mp4", "Actor_11/02-01-05-01-01-01-11.mp4")
    found = read_any(tmp_path, names="ravdess", videos=True)
    assert found.column("label") == ["anger", "happiness"]
    assert found.column("person") == ["11", "12"]


def test_pictures_beside_are_read_as_before(tmp_path: Path) -> None:
    touch(tmp_path, "happy/a.png", "sad/b.png", "sad/b.mp4")
    assert recognize(tmp_path).name == "class_folders"
    touch(tmp_path / "t", "1.png", "2.png", "x.mp4")
    touch(tmp_path / "t", "list.csv", text="image,label\n1.png,happy\n2.png,sad\n")
    assert recognize(tmp_path / "t").name == "table"


def test_videos_in_an_archive_are_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("happy/a.mp4", b"")
    with pytest.raises(ValueError, match=r"holds videos, which are not read .* `python -m zipfile"):
        recognize(tmp_path / "clips.zip")
