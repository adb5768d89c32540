"""Every layout is recognized, and what fits none is described."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.files import touch

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers import affectnet, rafdb
from halfsmile.data.readers.recognition.recognize import recognize
from halfsmile.data.readers.registry import read_any

TREES = {
    "ferplus": ["fer2013.csv", "fer2013new.csv"],
    "rafdb": [rafdb.LIST, "Image/aligned/train_00001_aligned.jpg"],
    "affectnet": ["train_set/annotations/0_exp.npy", "train_set/images/0.jpg"],
    "affwild2": [
        "6th ABAW Annotations/EXPR_Recognition_Challenge/Train_Set/a.txt",
        "cropped_aligned/a/00001.jpg",
    ],
    "sequences": ["frames.csv", "001/000.jpg"],
    "store": ["index.parquet", "faces-00000.tar"],
    "recordio": ["train.rec", "train.idx", "property"],
    "lfw": ["Al_Gore/Al_Gore_0001.jpg", "Bo_Li/Bo_Li_0001.jpg"],
    "class_folders": ["train/happiness/a.png", "train/anger/b.png", "test/anger/b.png"],
    "folder": ["2019/a.png", "2020/b.png", "2020/readme.txt"],
}


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("wrapped", ["", "data/inner"])
def test_trees_are_recognized_also_when_wrapped(tmp_path: Path, name: str, wrapped: str) -> None:
    root = touch(tmp_path / wrapped, *TREES[name])
    layout = recognize(tmp_path)
    assert (layout.name, layout.is_certain) == (name, name != "folder")
    if name in ("rafdb", "affectnet", "recordio", "sequences", "store"):
        assert layout.root == root
    assert layout.reason


def test_the_tables_of_affectnet_are_known_by_their_columns(tmp_path: Path) -> None:
    touch(tmp_path / "a", "training.csv", text=",".join(affectnet.COLUMNS))
    touch(tmp_path / "b", "lists/automatically_annotated.csv", text="3/0123456789abcdef0123.jpg,1,2,3,4")
    touch(tmp_path / "c", "training.csv", text="image,label\n")
    assert [recognize(tmp_path / name).name for name in "abc"] == ["affectnet", "affectnet", "table"]


def test_labeled_pictures_that_are_named_after_their_folder_are_not_lfw(tmp_path: Path) -> None:
    touch(tmp_path / "a", *(f"{label}/{label}_0001.jpg" for label in ("happiness", "sadness", "neutral")))
    names = [f"{split}/{who}/{who}_0001.jpg" for split in ("train", "test") for who in ("anna", "bert")]
    touch(tmp_path / "b", *names)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in names:
            archive.writestr(f"faces/{name}", b"")
    assert [recognize(tmp_path / root).name for root in ("a", "b", "c.zip")] == ["class_folders"] * 3


def test_folders_by_class_and_guesses(tmp_path: Path) -> None:
    assert recognize(touch(tmp_path / "a", "Happy/1.png", "Sad/2.png", "odd/3.png")).name == "class_folders"
    guess = recognize(touch(tmp_path / "b", "train/x/1.png", "train/y/2.png", "val/x/3.png"))
    assert (guess.name, guess.is_certain) == ("class_folders", False)
    assert recognize(touch(tmp_path / "c", "1.png", "2.png")).name == "folder"
    touch(tmp_path / "d", "1.png", "2.png")
    touch(tmp_path / "d", "list.csv", text="image,label\n1.png,fear\n2.png,anger\n")
    assert recognize(tmp_path / "d").name == "table"


def test_a_table_among_many_pictures_is_seen_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"{number}.png" for number in range(12)))
    touch(tmp_path, "list.csv", text="image,label\n1.png,fear\n2.png,anger\n")
    monkeypatch.setattr("halfsmile.data.readers.recognition.glance.MAX_ENTRIES", 5)
    real = os.scandir

    @contextmanager
    def last(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with real(folder) as entries:
            yield iter(sorted(entries, key=lambda entry: entry.name.endswith(".csv")))

    monkeypatch.setattr("os.scandir", last)
    assert recognize(tmp_path).name == "table"


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_archives(tmp_path: Path, kind: str) -> None:
    tree = touch(tmp_path / "tree", "faces/anger/1.png", "faces/fear/2.png", "faces/fear/3.png")
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in tree.rglob("*.png"):
                archive.write(file, file.relative_to(tree))
    else:
        with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as tar:
            tar.add(tree, ".")
    assert recognize(path).name == "class_folders"
    manifest = read_any(path)
    assert manifest.column("label") == ["anger", "fear", "fear"]
    assert manifest.column("image")[0] == "faces/anger/1.png"


def test_parquet_files_by_what_they_hold(tmp_path: Path) -> None:
    Manifest.from_rows([{"image": "a.png"}], tmp_path).save(tmp_path / "manifest.parquet")
    (tmp_path / "images").mkdir()
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "images" / "x.parquet")
    pq.write_table(pa.table({"image": ["a.png"]}), tmp_path / "table.parquet")
    assert recognize(tmp_path / "manifest.parquet").name == "manifest"
    assert (
        recognize(tmp_path / "images").name
        == recognize(tmp_path / "images/x.parquet").name
        == "parquet_images"
    )
    assert recognize(tmp_path / "table.parquet").name == "table"
    assert read_any(tmp_path / "manifest.parquet").column("image") == ["a.png"]


def test_what_fits_nothing_is_described(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        recognize(tmp_path / "none")
    with pytest.raises(ValueError, match="fits no reader; it holds nothing"):
        recognize(tmp_path)
    touch(tmp_path, "notes.md", "model.onnx")
    with pytest.raises(ValueError, match=r"\['model\.onnx', 'notes\.md'\]. Known layouts:\n  manifest"):
        recognize(tmp_path)
    with pytest.raises(ValueError, match=r"notes\.md is no table, archive"):
        recognize(tmp_path / "notes.md")
    with pytest.raises(ValueError, match="Layout 'fer' is unknown; known are manifest"):
        read_any(tmp_path, "fer")


def test_loops_odd_names_and_special_files_do_no_harm(tmp_path: Path) -> None:
    root = touch(tmp_path / "tree", "anger/脸.png", "fear/وجه.png")
    (root / "anger" / "loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "fear" / "self.png").symlink_to(root / "fear" / "self.png")
    os.mkfifo(root / "fear" / "pipe.png")
    assert recognize(root).name == "class_folders"
    assert recognize(root).root == root


@pytest.mark.parametrize("inner", ["faces.zip", "faces.tar.gz"])
def test_an_archive_in_an_archive_is_to_be_unpacked(tmp_path: Path, inner: str) -> None:
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"data/{inner}", b"?")
        archive.writestr("data/README.txt", "?")
        archive.writestr(f"__MACOSX/data/._{inner}", b"?")
    for place in (path, tmp_path):
        with pytest.raises(ValueError, match=rf"without pictures. It holds data/{inner}: unpack it"):
            recognize(place)


@pytest.mark.parametrize("name", ["faces.zip", "deep/faces.tar.gz"])
def test_a_damaged_archive_is_told_whatever_lies_beside(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "README.md", text="PK, and no archive")
    with pytest.raises(ValueError, match=r"faces.* is not a readable zip or tar archive"):
        recognize(tmp_path)
