"""Data sets are read by the reader that fits, and what lies beside is told of."""

from __future__ import annotations

import importlib
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault, UnreadLabelsError
from halfsmile.data.readers.recognition.layout import LAYOUTS
from halfsmile.data.readers.registry import home_of, read_any


def test_reading_passes_options_on(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Datei,label\na.png,fear\nb.png,anger\n")
    manifest = read_any(tmp_path / "list.csv", columns={"image": "Datei"})
    assert manifest.column("label") == ["fear", "anger"]
    touch(tmp_path / "tree", "anger/1.png", "fear/2.png")
    assert read_any(tmp_path / "tree").taxonomy is not None
    assert read_any(tmp_path / "tree", "folder").taxonomy is None


def test_every_layout_has_a_reader() -> None:
    for name in LAYOUTS:
        if name != "manifest":
            reader: Any = importlib.import_module(home_of(name))
            assert callable(reader.read)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_several_archives_in_a_folder_are_one_data_set(tmp_path: Path, kind: str) -> None:
    def pack(path: Path, names: list[str]) -> None:
        tree = touch(tmp_path / f"tree of {path.name}", *names)
        path.parent.mkdir(exist_ok=True)
        if kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name in names:
                    archive.write(tree / name, name)
        else:
            with tarfile.open(path, "w:gz") as tar:
                for name in names:
                    tar.add(tree / name, name)

    splits, classes = tmp_path / "splits", tmp_path / "classes"
    for split in ("train", "test"):
        pack(splits / f"{split}.{kind}", [f"data/{label}/{split}.png" for label in ("fear", "anger")])
    (splits / "readme.md").write_text("two archives")
    for label in ("fear", "anger"):
        pack(classes / f"{label}.{kind}", [f"{label}/1.png", f"{label}/2.png"])
    manifest = read_any(splits)
    found = zip(*(manifest.column(name) for name in ("image", "label", "split")), strict=True)
    assert sorted(found) == [
        (f"{split}.{kind}!data/{label}/{split}.png", label, split)
        for split in ("test", "train")
        for label in ("anger", "fear")
    ]
    assert read_any(classes).column("label") == ["anger", "anger", "fear", "fear"]
    assert any("those in 2 archives: anger" in note for note in read_any(classes).notes)
    assert not any("lie beside" in note for root in (splits, classes) for note in read_any(root).notes)
    assert len(read_any(splits, "folder")) == 4
    (classes / f"sad.{kind}").write_bytes(b"broken")
    assert any(f"sad.{kind} was left out" in note for note in read_any(classes).notes)
    for split in ("train", "test"):
        (splits / f"{split}.csv").write_text(f"image,label\n{split}.png,fear\nb{split}.png,anger\n")
        pack(splits / f"{split}.{kind}", [f"x/{split}.png", f"x/b{split}.png"])
    tables = read_any(splits)
    assert tables.column("image")[0] == f"train.{kind}!x/train.png"
    assert tables.column("split") == ["train", "train", "test", "test"]


def pack_zip(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


TABLE = "image,label\na.png,happy\nb.png,sad\n"


PAIR = {"a.png": "", "b.png": ""}


@pytest.mark.parametrize("beside", ["README.txt", "LICENSE", "._all.zip", "code/a.py", "notes.md"])
@pytest.mark.parametrize(
    "labels", [{"labels.csv": TABLE}, {"a.txt": "happy", "b.txt": "sad"}, {"x/labels.csv": TABLE}]
)
def test_one_archive_is_read_as_itself_whatever_lies_beside(
    tmp_path: Path, beside: str, labels: dict[str, str]
) -> None:
    pack_zip(tmp_path / "all.zip", {**PAIR, **labels})
    touch(tmp_path, beside, text="hello")
    manifest = read_any(tmp_path)
    assert manifest.column("label") == ["happy", "sad"]
    assert manifest.root == tmp_path / "all.zip"


def test_files_beside_one_archive_of_classes_tell_more_of_them(tmp_path: Path) -> None:
    pack_zip(tmp_path / "out/all.zip", {"0/a.png": "", "1/b.png": ""})
    touch(tmp_path / "out", "classes.txt", text="happy\nsad\n")
    pack_zip(tmp_path / "in/all.zip", {"0/a.png": "", "1/b.png": "", "classes.txt": "happy\nsad\n"})
    touch(tmp_path / "in", "README.txt", text="hello")
    for root in (tmp_path / "out", tmp_path / "in"):
        assert read_any(root).column("label") == ["happy", "sad"]


@pytest.mark.parametrize("table", ["labels.csv", "deep/er/and/deeper/labels.csv", "labels.json"])
def test_labels_in_several_archives_are_never_left_in_silence(tmp_path: Path, table: str) -> None:
    text = TABLE if table.endswith("csv") else '{"a.png": "happy", "b.png": "sad"}'
    for name in ("train", "test"):
        pack_zip(tmp_path / "each" / f"{name}.zip", {**PAIR, table: text})
    pack_zip(tmp_path / "apart/images.zip", PAIR)
    pack_zip(tmp_path / "apart/labels.zip", {table: text})
    for root, archive in ((tmp_path / "each", "test"), (tmp_path / "apart", "labels")):
        with pytest.raises(UnreadLabelsError, match="may hold labels") as caught:
            read_any(root)
        assert f"-m zipfile -e {root / archive}.zip {root / archive}`" in caught.value.mend
    for packed in list((tmp_path / "each").glob("*.zip")):
        touch(packed.with_suffix(""), *PAIR)
        touch(packed.with_suffix(""), table, text=text)
        packed.unlink()
    if table == "labels.csv":
        manifest = read_any(tmp_path / "each")
        assert sorted(zip(manifest.column("split"), manifest.column("label"), strict=True)) == [
            (split, label) for split in ("test", "train") for label in ("happy", "sad")
        ]


def test_one_note_joins_all_classes_that_are_words_for_one(tmp_path: Path) -> None:
    """What it says to type is what mends all of them."""
    touch(tmp_path, "train/happy/1.png", "train/sad/2.png", "test/Happiness/3.png", "test/Sadness/4.png")
    (fault,) = [note for note in read_any(tmp_path).notes if isinstance(note, Fault)]
    renames = dict(pair.split("=") for pair in fault.split("--label-names ")[1].rstrip(".").split())
    mended = read_any(tmp_path, labels=renames)
    assert mended.taxonomy is not None
    assert mended.taxonomy.labels == ("Happiness", "Sadness")
    assert not [note for note in mended.notes if isinstance(note, Fault)]


def test_classes_in_an_archive_go_before_a_table_that_has_no_labels(tmp_path: Path) -> None:
    """The table is told of, and is read where its path is given, with the pictures in the archive."""
    names = [
        f"{split}/{label}/{split}_{label}.png" for split in ("train", "test") for label in ("happy", "sad")
    ]
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"a picture")
    rows = [f"{name.rpartition('/')[2]},P{i}" for i, name in enumerate(names)]
    (tmp_path / "people.csv").write_text("\n".join(["image,person", *rows]))
    found = read_any(tmp_path)
    assert (found.column("label"), set(found.column("split"))) == (["happy", "sad"] * 2, {"train", "test"})
    assert [note for note in found.notes if "people.csv lie beside and were not read" in note]
    people = read_any(tmp_path / "people.csv")
    assert people.column("person") == ["P0", "P1", "P2", "P3"]
    assert people.column("image") == [f"faces.zip!{name}" for name in names]


@pytest.mark.parametrize("folders", [("Ann_Lee", "Bo_Ek"), ("happy", "sad")])
def test_a_table_of_labels_goes_before_the_archive_beside_it(
    tmp_path: Path, folders: tuple[str, str]
) -> None:
    """Also where the archive would be read as people, or has other classes than the table."""
    names = [f"{folder}/{folder}_000{i}.jpg" for folder in folders for i in (1, 2)]
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"a picture")
    told = [("joy", "train"), ("anger", "train"), ("joy", "test"), ("anger", "test")]
    rows = [f"{name},{label},{split}" for name, (label, split) in zip(names, told, strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label,split", *rows]))
    found = read_any(tmp_path)
    assert list(zip(found.column("label"), found.column("split"), strict=True)) == told


def test_texts_in_a_folder_of_annotations_are_told_of(tmp_path: Path) -> None:
    """As a number in each line for a frame, which no reader takes."""
    touch(tmp_path, "cropped/vid1/00001.jpg", "cropped/vid1/00002.jpg", "annotations/vid1.txt", text="0\n3\n")
    with pytest.raises(UnreadLabelsError, match=r"annotations/vid1\.txt may hold labels"):
        read_any(tmp_path)
