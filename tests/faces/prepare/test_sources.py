"""What a name stands for: files, or the rows of a data set."""

from __future__ import annotations

import csv
import os
import zipfile
from pathlib import Path

import pytest

from halfsmile.data.manifest import Manifest
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.prepare.sources import find
from halfsmile.taxonomy import FERPLUS, from_names


@pytest.fixture
def picture() -> bytes:
    return encode_png(generate(1, size=32, seed=0, people=1).images[0])


def test_labels_of_class_folders_are_kept(tmp_path: Path) -> None:
    write_folders(generate(24, size=32, seed=0, people=5), tmp_path / "set", split="train")
    found = find([tmp_path / "set"])
    assert found.taxonomy is not None
    assert set(found.taxonomy.labels) == set(FERPLUS.labels)
    for source in found:
        assert source.said == {"label": source.locator.split("/")[1], "split": "train"}
        assert source.name == f"{tmp_path}/set/{source.locator}"
    assert any("folders are named after expressions" in note for note in found.notes)
    plain = find([tmp_path / "set"], layout="folder")
    assert plain.taxonomy is None
    assert [source.name for source in plain] == [source.name for source in found]
    assert not any(source.said for source in plain)


@pytest.mark.parametrize("layout", [None, "manifest"])
def test_labels_of_a_list_have_other_names_as_asked(tmp_path: Path, layout: str | None) -> None:
    rows = [{"image": f"{label}.png", "label": label} for label in ("joy", "rage", "odd")]
    Manifest.from_rows(rows, tmp_path, from_names(["joy", "rage", "odd"])).save(tmp_path / "list.parquet")
    found = find([tmp_path / "list.parquet"], layout=layout, labels={"joy": "happy", "odd": None})
    assert [source.said["label"] for source in found] == ["happy", "rage"]
    assert any("1 rows were dropped because of their label, as asked" in note for note in found.notes)


def test_names_in_archives_and_repeated_rows(tmp_path: Path, picture: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("a b/Gesicht ü.png", picture)
        archive.writestr("../../evil.png", picture)
    assert [source.name for source in find([tmp_path / "faces.zip"])] == [
        f"{tmp_path}/faces.zip!a b/Gesicht ü.png"
    ]
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "two.png").write_bytes(picture)
    with (tmp_path / "group" / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("image", "x0", "y0", "x1", "y1"), ("two.png", 0, 0, 9, 9), ("two.png", 9, 0, 20, 9)]
        )
    found = list(find([tmp_path / "group"]))
    assert [source.name.rpartition("/")[2] for source in found] == ["two.png", "two.png (2)"]
    assert found[1].said["box"] == [9, 0, 20, 9]


def test_each_source_once_and_never_the_store(tmp_path: Path, picture: bytes) -> None:
    contents = {"clip.MP4": b"no film", "notes.txt": b"no picture"}
    for name in ("b.png", "a.png", "store/x.png", ".hidden/c.png", *contents):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(contents.get(name, picture))
    os.symlink(tmp_path, tmp_path / "again")
    found = find([tmp_path / "a.png", tmp_path, tmp_path], leave_out=[tmp_path / "store"])
    assert [source.name for source in found] == [str(tmp_path / n) for n in ("a.png", "b.png", "clip.MP4")]
    assert [source.is_video for source in found] == [False, False, True]
    assert any("notes.txt" in note for note in found.notes)


def test_what_has_no_end_or_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no end"):
        find(["rtsp://camera/1"])
    with pytest.raises(ValueError, match="does not exist"):
        find([tmp_path / "gone"])
    with pytest.raises(ValueError, match="at least one"):
        find([])


def test_two_lists_of_classes_are_refused(tmp_path: Path, picture: bytes) -> None:
    for name, labels in (("one", ("happiness", "anger")), ("two", ("smile", "calm"))):
        for label in labels:
            (tmp_path / name / label).mkdir(parents=True)
            (tmp_path / name / label / "1.png").write_bytes(picture)
    with pytest.raises(ValueError, match=r"(?s)'anger', 'happiness'.*'calm', 'smile'.*merge"):
        find([tmp_path / "one", tmp_path / "two"])
    assert len(find([tmp_path / "one", tmp_path / "one"])) == 2


def test_a_table_that_is_none_of_faces_says_how_to_go_on(tmp_path: Path, picture: bytes) -> None:
    (tmp_path / "1.png").write_bytes(picture)
    (tmp_path / "temperatures.csv").write_text("day,degrees\n1,20\n")
    with pytest.raises(ValueError, match=r"temperatures\.csv may hold labels.*--unlabeled"):
        find([tmp_path])
    assert len(find([tmp_path], layout="folder")) == 1


@pytest.mark.parametrize("layout", [None, "folder"])
def test_labels_and_people_in_names_are_kept(tmp_path: Path, picture: bytes, layout: str | None) -> None:
    for name in ("S1_happy_1.png", "S1_sad_2.png", "S2_happy_3.png"):
        (tmp_path / name).write_bytes(picture)
    found = find([tmp_path], layout=layout, names="{person}_{label}_*")
    assert found.taxonomy is not None
    assert [(source.said["person"], source.said["label"]) for source in found] == [
        ("S1", "happy"),
        ("S1", "sad"),
        ("S2", "happy"),
    ]
