"""Videos with labels are recognized, read for who finds their faces, and told of to others."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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


def test_a_picture_among_videos_is_a_picture_where_it_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4", "c.png")
    touch(tmp_path, "list.csv", text="file,label\na.mp4,happy\nb.mp4,sad\nc.png,sad\n")
    found = read_any(tmp_path / "list.csv", videos=True)
    assert found.column("image") == ["a.mp4", "b.mp4", "c.png"]


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


ROWS = "video,label\na.mp4,happy\nb.mp4,sad\n"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("durations.csv", "video,seconds\nx.mp4,3\ny.mp4,4\n"),
        ("lengths.csv", "video,length\nx.mp4,3\ny.mp4,3\nx.mp4,4\ny.mp4,4\n"),
        ("files.txt", "f2/happy/x.mp4\nf2/sad/y.mp4\n"),
    ],
)
def test_a_table_without_labels_leaves_them_to_the_folders(tmp_path: Path, table: str, text: str) -> None:
    touch(tmp_path, "f2/happy/x.mp4", "f2/sad/y.mp4")
    touch(tmp_path, table, text=text)
    assert recognize(tmp_path).tables == ()
    found = read_any(tmp_path, videos=True)
    assert found.column("label") == ["happy", "sad"]
    if table.endswith(".csv"):
        assert found.notes[-1].startswith(f"{table} lie beside and were not read")
    touch(tmp_path, "labels.csv", text="video,label\nx.mp4,fear\ny.mp4,calm\n")
    assert read_any(tmp_path, videos=True).column("label") == ["fear", "calm"]


def test_a_table_without_labels_tells_people_where_folders_tell_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "q/x.mp4", "r/y.mp4")
    touch(tmp_path, "people.csv", text="video,person\nx.mp4,S1\ny.mp4,S2\n")
    touch(tmp_path, "weather.csv", text="day,degrees\n1,20\n")
    assert read_any(tmp_path, videos=True).column("person") == ["S1", "S2"]
    assert read_any(tmp_path, "videos", videos=True).column("label") == ["q", "r"], "as asked for"


def test_lists_beside_folders_of_videos_tell_the_splits(tmp_path: Path) -> None:
    touch(tmp_path, "happy/x.mp4", "sad/y.mp4")
    touch(tmp_path, "train.txt", text="happy/x.mp4\n")
    touch(tmp_path, "test.txt", text="sad/y.mp4\n")
    assert read_any(tmp_path, videos=True).column("split") == ["train", "test"]


def test_tables_of_splits_are_read_together(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    touch(tmp_path, "train.csv", text=ROWS)
    touch(tmp_path, "test.csv", text="video\nc.mp4\n")
    found = read_any(tmp_path, videos=True)
    assert found.column("image") == ["a.mp4", "b.mp4", "c.mp4"]
    assert found.column("label") == ["happy", "sad", None]
    assert found.column("split") == ["train", "train", "test"]


@pytest.mark.parametrize(
    ("folders", "splits"),
    [(("S1", "S2"), [None] * 4), (("train", "test"), ["train", "train", "test", "test"])],
)
def test_tables_one_in_a_folder_are_read_together(
    tmp_path: Path, folders: tuple[str, str], splits: list[str | None]
) -> None:
    for folder in folders:
        touch(tmp_path, f"{folder}/a.mp4", f"{folder}/b.mp4")
        touch(tmp_path, f"{folder}/labels.csv", text=ROWS)
    found = read_any(tmp_path, videos=True)
    assert found.column("image") == [f"{folder}/{name}.mp4" for folder in folders for name in "ab"]
    assert found.column("label") == ["happy", "sad"] * 2
    assert found.column("split") == splits


@pytest.mark.parametrize("widths", [(640, 640, 640, 640), (640, 640, 720, 720)])
def test_a_table_with_labels_goes_before_one_that_may_have_some(
    tmp_path: Path, widths: tuple[int, ...]
) -> None:
    for suffix, column in (("mp4", "video"), ("png", "image")):
        root = tmp_path / suffix
        names = [f"{stem}.{suffix}" for stem in "abcd"]
        touch(root, *names)
        rows = [f"{name},{width}\n" for name, width in zip(names, widths, strict=True)]
        touch(root, "a_meta.csv", text="".join([f"{column},width\n", *rows]))
        labels = "".join(f"{name},{label}\n" for name, label in zip(names, ("joy", "fear") * 2, strict=True))
        touch(root, "labels.csv", text=f"{column},label\n{labels}")
        assert [table.name for table in recognize(root).tables] == ["labels.csv"]
        assert read_any(root, videos=True).column("label") == ["joy", "fear"] * 2


def test_thumbnails_are_not_taken_for_the_videos(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a.jpg", "b.mp4", "b.jpg", "c.mp4")
    path = tmp_path / "list.csv"
    path.write_text(ROWS)
    for text in (ROWS, ROWS.replace(".mp4", "")):
        path.write_text(text)
        for found in (read_any(path, videos=True), read_any(tmp_path, "videos", videos=True)):
            assert found.column("image") == ["a.mp4", "b.mp4"]
        assert found.notes[-1] == "1 video is in no row that was read of list.csv, first c.mp4."
    path.write_text(ROWS.replace(".mp4", "").replace("video", "film"))
    with pytest.raises(ValueError, match=r"without their suffix, and pictures beside fit .* first a\.jpg"):
        read_any(path, "videos", columns={"image": "film"}, videos=True)


def test_a_parquet_table_may_name_videos(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"video": ["a.mp4", "b.mp4"], "label": ["happy", "sad"]}), path)
    assert recognize(path).name == "videos"
    assert read_any(path, videos=True).column("label") == ["happy", "sad"]


def test_names_in_a_table_of_videos_tell_labels(tmp_path: Path) -> None:
    touch(tmp_path, "S1_happy.mp4", "S2_sad.mp4")
    path = touch(tmp_path, "list.csv", text="video,length\nS1_happy.mp4,1\nS2_sad.mp4,2\n") / "list.csv"
    found = read_any(path, names="{person}_{label}", videos=True)
    assert found.column("label") == ["happy", "sad"]
    assert found.column("person") == ["S1", "S2"]
    with pytest.raises(ValueError, match="data prepare"):
        read_any(path, names="{person}_{label}")


def test_the_layout_asked_for_is_that_which_is_recognized(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    touch(tmp_path, "list.csv", text=ROWS)
    assert read_any(tmp_path, "videos", videos=True).column("label") == ["happy", "sad"]


def test_names_of_videos_tell_what_their_code_says(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_12/02-01-03-01-01-01-12.mp4", "Actor_11/02-01-05-01-01-01-11.mp4")
    found = read_any(tmp_path, names="ravdess", videos=True)
    assert found.column("label") == ["anger", "happiness"]
    assert found.column("person") == ["11", "12"]


@pytest.mark.parametrize("pattern", [r".*_(?P<person>.+)", "*_{person}", r"_(?P<person>p\d)$"])
def test_names_of_parts_tell_what_their_video_is_called(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, "x_p1.mp4")
    text = "video,start,end,emotion\nx_p1.mp4,1,2,happy\nx_p1.mp4,2,3.5,sad\n"
    touch(tmp_path, "list.csv", text=text)
    found = read_any(tmp_path / "list.csv", names=pattern, videos=True)
    assert found.column("person") == ["p1", "p1"]


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
