"""Numbers of classes are named by a file beside the pictures, or asked about."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.files import touch

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


@pytest.mark.parametrize(
    "text",
    [
        "Angry (0)\nDisgust (1)\nHappy (2)\n",
        "Angry 0\nDisgust 1\nHappy 2\n",
        "- Angry: 0\n- Disgust: 1\n- Happy: 2\n",
        "The classes are Angry (0), Disgust (1) and Happy (2).\n",
        "Angry 0 Disgust 1 Happy 2",
        "Angry=0, Disgust=1, Happy=2; the 48 sad ones were left out",
        "0 Angry\n1 Disgust\n2 Happy\n",
        "(0) Angry\n(1) Disgust\n(2) Happy\n",
        "0: Angry, 1: Disgust, 2: Happy",
        "Faces: 0=Angry, 1=Disgust, 2=Happy",
    ],
)
def test_a_readme_tells_numbers_in_front_of_names_or_behind(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "0/a.png", "1/b.png", "2/c.png")
    touch(tmp_path, "README.md", text=text)
    assert read_any(tmp_path).column("label") == ["Angry", "Disgust", "Happy"]


@pytest.mark.parametrize(
    "text",
    [
        "sad 0 happy 1 angry 2 fear",
        "Angry: 2\nDisgust: 0\nHappy: 17\n",
        "happy: 0 pictures, sad: 1 picture, angry: 2 pictures",
        "Angry (0)\nAngry (1)\nHappy (2)\n",
        "Angry (0)\n0 Disgust\nHappy (1)\n",
    ],
)
def test_a_readme_of_two_orders_or_of_counts_tells_nothing(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "0/a.png", "1/b.png", "2/c.png")
    touch(tmp_path, "README.md", text=text)
    with pytest.raises(UnreadLabelsError, match="are numbers"):
        read_any(tmp_path)


@pytest.mark.parametrize("where", ["flowers", "flowers/meta", "flowers/lists", "other/labels"])
def test_lists_of_other_data_sets_name_nothing(tmp_path: Path, where: str) -> None:
    touch(tmp_path, "mine/a.png", "mine/b.png")
    touch(tmp_path, "mine.csv", text="image,label\nmine/a.png,0\nmine/b.png,1\n")
    touch(tmp_path, f"{where}/classes.txt", text="rose\ntulip\n")
    with pytest.raises(UnreadLabelsError, match="0, 1 are numbers"):
        read_any(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in (tmp_path / "mine").iterdir():
            archive.write(path, f"mine/{ {'a.png': 0, 'b.png': 1}[path.name] }/{path.name}")
        archive.writestr(f"{where}/classes.txt", "rose\ntulip\n")
    with pytest.raises(UnreadLabelsError, match="0, 1 are numbers"):
        read_any(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "where", ["", "mine", "meta", "annotations", "labels", "lists", "Splits", "mine/lists"]
)
def test_lists_of_the_same_data_set_count(tmp_path: Path, where: str) -> None:
    touch(tmp_path, "mine/a.png", "mine/b.png")
    touch(tmp_path, "mine.csv", text="image,label\nmine/a.png,0\nmine/b.png,1\n")
    touch(tmp_path / where, "classes.txt", text="fear\nanger\n")
    touch(tmp_path, "flowers/classes.txt", text="rose\ntulip\n")
    assert read_any(tmp_path).column("label") == ["fear", "anger"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("participants_data.csv", "subject,name\n0,Anna\n1,Bert\n"),
        ("file_names.txt", "first\nsecond\n"),
        ("names.json", '["Anna", "Bert"]'),
        ("config.json", '{"0": "train", "1": "test"}'),
        ("class_counts.txt", "angry: 0\nfear: 1\n"),
        ("label_weights.json", '{"angry": 0, "fear": 1}'),
        ("emotion_data.csv", "subject,name\n0,Anna\n1,Bert\n"),
    ],
)
def test_lists_of_other_things_are_no_lists_of_classes(tmp_path: Path, name: str, text: str) -> None:
    touch(tmp_path, "0/a.png", "1/b.png")
    touch(tmp_path, name, text=text)
    assert class_names_beside([tmp_path], ["0", "1"]).names == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "calm\nfear\nanger\n"),
        ("map.txt", "0 calm\n1 fear\n2 anger\n"),
        ("classes.txt", "rose\ntulip\noak\n"),
        ("idx2name.json", '{"0": "rose", "1": "tulip", "2": "oak"}'),
        ("faces.names", "rose\ntulip\noak\n"),
        ("data.yaml", "names: [rose, tulip, oak]"),
        ("config.json", '{"id2label": {"0": "rose", "1": "tulip", "2": "oak"}}'),
    ],
)
def test_names_are_expressions_or_files_say_that_they_are_of_classes(
    tmp_path: Path, name: str, text: str
) -> None:
    touch(tmp_path, name, text=text)
    names = class_names_beside([tmp_path], ["0", "1", "2"]).names
    assert list(names.values()) in (["calm", "fear", "anger"], ["rose", "tulip", "oak"])


RANKS = "| 1 | Happy | 4772 |\n| 2 | Surprise | 1290 |"


@pytest.mark.parametrize(
    ("head", "table", "says"),
    [
        ("Label | Emotion | Pictures", "| 1 | Surprise | 1290 |\n| 2 | Fear | 281 |", ["Surprise", "Fear"]),
        ("Rank | Emotion | Label", "| 1 | Fear | 2 |\n| 2 | Surprise | 1 |", ["Surprise", "Fear"]),
        ("a | b", "| Surprise | 1 |\n| **Fear** | `2` |", ["Surprise", "Fear"]),
        ("Emotion | Class number", "| Surprise | 1 |\n| Fear | 2 |", ["Surprise", "Fear"]),
        ("a | b", "| Angry | 1290 |\n| Happy | 281 |", None),
        ("a | b", "| Angry | 0 |\n| Happy | 2 |", None),
        ("Rank | Emotion | Pictures", RANKS, None),
        ("a | b | c", RANKS, None),
        ("Rank | Emotion", "| 1 | Happy |\n| 2 | Surprise |", None),
        ("# | Emotion", "| 1 | Happy |\n| 2 | Surprise |", None),
        ("No. | Label", "| 1 | Happy |\n| 2 | Surprise |", None),
        ("Emotion | Count", "| Happy | 2 |\n| Surprise | 1 |", None),
    ],
)
def test_a_table_in_a_readme_names_classes_if_it_numbers_all(
    tmp_path: Path, head: str, table: str, says: list[str] | None
) -> None:
    rule = "|".join("---" for _ in head.split("|"))
    (tmp_path / "README.md").write_text(f"# Faces\n\n| {head} |\n|{rule}|\n{table}\n")
    found = class_names_beside([tmp_path], ["1", "2"], ["a.png"])
    assert found.names == (dict(zip("12", says, strict=True)) if says else {})


@pytest.mark.parametrize(
    ("head", "table", "says"),
    [
        ("Rank | Emotion | Pictures", RANKS, ["surprise", "fear"]),
        ("a | b", "| 1 | Happy |\n| 2 | Surprise |", None),
        ("Label | Emotion", "| 1 | Surprised |\n| 2 | Fear |", ["Surprised", "Fear"]),
    ],
)
def test_a_table_and_a_sentence_in_a_readme_must_agree(
    tmp_path: Path, head: str, table: str, says: list[str] | None
) -> None:
    rule = "|".join("---" for _ in head.split("|"))
    text = f"| {head} |\n|{rule}|\n{table}\n\nLabels: 1: surprise, 2: fear\n"
    (tmp_path / "README.md").write_text(text)
    found = class_names_beside([tmp_path], ["1", "2"], ["a.png"])
    assert found.names == (dict(zip("12", says, strict=True)) if says else {})
