"""Numbers of classes are named by a file beside the pictures, or asked about."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.data.readers.test_registry import touch

from halfsmile.data.manifest import LeftOut, UnreadLabelsError
from halfsmile.data.readers.beside.class_names import class_names_beside
from halfsmile.data.readers.registry import read_any

NAMES = ["angry", "disgust", "happy"]
FILES = {
    "classes.txt": "angry\ndisgust\nhappy\n",
    "labels.txt": "0 angry\n1 disgust\n2 happy\n",
    "label_map.txt": "# of the set\n0: 'angry'\n1: 'disgust'\n2: 'happy'\n",
    "emotions.txt": "angry=0\ndisgust=1\nhappy=2",
    "meta/class_names.csv": "id,name\n0,angry\n1,disgust\n2,happy\n",
    "categories.csv": "name;id;color\n\nangry;0\ndisgust;1\nhappy;2\n",
    "label_names.txt": "0=angry, 1=disgust, 2=happy",
    "obj.names": "\ufeffangry\ndisgust\nhappy",
    "classes.json": json.dumps(NAMES),
    "class_indices.json": json.dumps({name: i for i, name in enumerate(NAMES)}),
    "idx_to_class.json": json.dumps({str(i): name for i, name in enumerate(NAMES)}),
    "config.json": json.dumps({"size": 48, "id2label": {str(i): name for i, name in enumerate(NAMES)}}),
    "labels.json": json.dumps([{"id": i, "name": name} for i, name in enumerate(NAMES)]),
    "README.md": "# Faces\n\nThe 3 folders are (0=Angry, 1=Disgust, 2=Happy), 48 sad ones were left out.\n",
    "readme.txt": 'for expression label: "0" "angry" "1" "disgust" "2" "happy"',
    "data.yaml": "nc: 3\nnames: ['angry', 'disgust', 'happy']\n",
}


@pytest.mark.parametrize("name", FILES)
def test_numbered_folders_and_tables_are_named(tmp_path: Path, name: str) -> None:
    folders = touch(tmp_path / "folders", "0/a.png", "1/b.png", "2/c.png")
    table = touch(tmp_path / "table", "a.png", "b.png", "c.png")
    (table / "list.csv").write_text("image,label\na.png,0\nb.png,1\nc.png,2\n")
    for root in (folders, table):
        touch(root, name, text=FILES[name])
        manifest = read_any(root)
        assert [label.casefold() for label in manifest.column("label")] == NAMES
        said = f"{name} beside says: 0 angry, 1 disgust, 2 happy".casefold()
        assert any(said in note.casefold() for note in manifest.notes)
        assert not [note for note in manifest.notes if isinstance(note, LeftOut)]


def test_in_archives_and_beside_a_table_below(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, text in (("set/1/a.png", ""), ("set/2/b.png", ""), ("set/classes.txt", "fear\nanger")):
            archive.writestr(name, text)
    assert read_any(tmp_path / "a.zip").column("label") == ["fear", "anger"]
    touch(tmp_path / "t", "images/a.png", "images/b.png")
    touch(tmp_path / "t", "lists/labels.csv", text="image,label\na.png,0\nb.png,1\n")
    touch(tmp_path / "t", "classes.txt", text="fear\nanger")
    assert read_any(tmp_path / "t").column("label") == ["fear", "anger"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fear\nanger\ncalm\nsad", "has 4 names .* does not say from which number they count"),
        ("0 fear\n1 anger", "has names, but none for 2"),
    ],
)
def test_what_is_not_known_is_asked_about(tmp_path: Path, text: str, said: str) -> None:
    touch(tmp_path, "1/a.png", "2/b.png")
    touch(tmp_path, "classes.txt", text=text)
    with pytest.raises(UnreadLabelsError, match=said):
        read_any(tmp_path)
    assert read_any(tmp_path, labels={"1": "fear", "2": "anger"}).column("label") == ["fear", "anger"]


def test_files_that_differ_are_asked_about_and_options_come_first(tmp_path: Path) -> None:
    touch(tmp_path, "0/a.png", "1/b.png")
    touch(tmp_path, "classes.txt", text="fear\nanger")
    touch(tmp_path, "labels.txt", text="anger\nfear")
    with pytest.raises(UnreadLabelsError, match=r"classes\.txt and labels\.txt beside say different things"):
        read_any(tmp_path)
    assert read_any(tmp_path, labels={"0": "calm", "1": "sad"}).column("label") == ["calm", "sad"]


def test_what_is_no_list_of_classes_names_nothing(tmp_path: Path) -> None:
    for number, (name, text) in enumerate(
        (
            ("README.md", "0 happy, 0 sad, 1 angry"),
            ("README.md", "0. Happy with the licence? Sign it.\n1. Sad news: there is no test set.\n"),
            ("class_notes.txt", "These classes were drawn by hand.\nAsk us about them, please.\n"),
            ("labels.txt", "a.png 3\nb.png 2\n"),
            ("classes.json", '{"0": {"x": 1}}'),
            ("label.yaml", "nc: 2"),
            ("classes.txt", ""),
        )
    ):
        root = touch(tmp_path / str(number), "0/a.png", "1/b.png")
        touch(root, name, text=text)
        with pytest.raises(ValueError, match="numbers"):
            read_any(root)


def test_pictures_called_by_numbers_are_no_classes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.png" for i in range(3)))
    touch(tmp_path, "labels.json", text='{"0": "fear", "1": "calm", "2": "calm"}')
    assert class_names_beside([tmp_path], ["0", "1"]).names == {}
    assert read_any(tmp_path).column("label") == ["fear", "calm", "calm"]


def test_a_list_of_the_folders_names_is_not_said_to_be_unread(tmp_path: Path) -> None:
    touch(tmp_path, "fear/a.png", "anger/b.png")
    touch(tmp_path, "classes.txt", text="anger\nfear\n")
    assert not [note for note in read_any(tmp_path).notes if isinstance(note, LeftOut)]
