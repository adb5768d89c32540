"""Labels that lie there and can't be read are never passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.manifest import LeftOut, UnreadLabelsError
from halfsmile.data.readers.registry import read_any, recognize

SIGNS = {
    "expressions among others": (
        ["happy/1.png", "a/1.png", "b/1.png", "c/1.png"],
        "happy are named after expr",
    ),
    "splits without labels": (["train/1.png", "Test/2.png"], r"Test, train are named after splits"),
    "a table": (["1.png", "2.png", "scores.csv"], r"scores\.csv may hold labels"),
    "a spreadsheet": (["1.png", "lists/labels.xlsx"], r"lists/labels\.xlsx may hold labels"),
    "annotations": (["1.png", "annotations.json"], r"annotations\.json may hold labels"),
    "a list": (["1.png", "label_list.txt"], r"label_list\.txt may hold labels"),
    "a file without a suffix": (["1.png", "emotions"], "emotions may hold labels"),
    "a file of an unknown kind": (["1.png", "labels.dat"], r"labels\.dat may hold labels"),
    "a packed table": (["1.png", "faces.csv.gz"], r"faces\.csv\.gz may hold labels"),
    "a file for each": (
        ["1.png", "1.txt", "2.png", "2.txt"],
        r"2 pictures have a \.txt file of the same name",
    ),
    "a file for some, as in CK+": (
        [*(f"im/S1/{i}.png" for i in range(6)), "Emotion/S1/a/3_emotion.txt", "Emotion/S1/a/5_emotion.txt"],
        r"2 pictures have a \.txt file of the same name",
    ),
    "names of KDEF": (["AF01HAS.JPG", "BM02SAFL.JPG"], "named as KDEF's are"),
    "names of JAFFE": (["KA.HA1.29.tiff", "KA.SU2.37.tiff"], "named as JAFFE's are"),
    "names": (["happy_1.png", "sad.2.png", "angry-3.png"], "angry, happy, sad in their name"),
    "a single expression": (["happy/1.png", "happy/2.png"], "after happy, a single expression"),
    "misspelt ones": (["happy/1.png", "angr/1.png", "fera/1.png"], "happy are named after.* angr, fera"),
    "words in names of folders": (
        ["train_happy/1.png", "train_sad/1.png", "test_happy/1.png"],
        "test_happy, train_happy, train_sad have words for expressions",
    ),
    "the unlabeled part": (["unlabeled/1.png", "x/2.png"], "say that others have labels"),
}


@pytest.mark.parametrize("kind", SIGNS)
def test_signs_of_labels_are_told(tmp_path: Path, kind: str) -> None:
    names, seen = SIGNS[kind]
    touch(tmp_path, *names)
    with pytest.raises(UnreadLabelsError, match=seen) as caught:
        read_any(tmp_path)
    assert "--unlabeled" in caught.value.mend
    assert "--layout folder" in caught.value.mend
    pictures = [name for name in names if name.lower().endswith((".png", ".jpg", ".tiff"))]
    assert sorted(caught.value.faces.column("image")) == sorted(pictures)
    assert len(read_any(tmp_path, "folder")) == len(pictures)


def test_answers_given_in_label_studio_are_not_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    result = {"from_name": "mood", "type": "choices", "value": {"choices": ["happy"]}}
    tasks = [{"data": {"image": name}, "predictions": [{"result": [result]}]} for name in ("a.png", "b.png")]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    assert len(read_any(tmp_path)) == 2
    answered = [{**task, "annotations": task["predictions"]} for task in tasks]
    (tmp_path / "export.json").write_text(json.dumps(answered))
    with pytest.raises(UnreadLabelsError, match=r"export\.json has answers given in Label Studio") as caught:
        read_any(tmp_path)
    assert f"data import {tmp_path} {tmp_path / 'export.json'} --layout folder" in caught.value.mend


def test_what_to_type_reads_it(tmp_path: Path) -> None:
    for form, pattern in (
        ("{split}_{label}/{n}.png", "{split}_{label}/*"),
        ("{label} {split}/deep/{n}.png", "{label} {split}/*/*"),
    ):
        root = tmp_path / form[1:6]
        pairs = [(split, label) for split in ("train", "test") for label in ("happy", "sad")]
        touch(root, *(form.format(split=split, label=label, n=1) for split, label in pairs))
        with pytest.raises(UnreadLabelsError) as caught:
            read_any(root)
        assert f"--from-names '{pattern}'" in caught.value.mend
        manifest = read_any(root, names=pattern)
        found = zip(manifest.column("split"), manifest.column("label"), strict=True)
        assert sorted(found) == sorted(pairs)
    touch(tmp_path / "typos", "happy/1.png", "angr/1.png", "fera/1.png")
    with pytest.raises(UnreadLabelsError, match="class_folders --label-names angr=angry fera=fear"):
        read_any(tmp_path / "typos")
    renamed = read_any(tmp_path / "typos", "class_folders", labels={"angr": "anger", "fera": "fear"})
    assert sorted(renamed.counts()) == ["anger", "fear", "happy"]


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png"],
        ["2019/1.png", "2020/2.png", "readme.txt", "LICENSE", "notes.json"],
        ["1.png", "Thumbs.db", "class_weights.pth", "label_tool.py", "labels.md"],
        ["happy_1.png", *(f"IMG_{i}.png" for i in range(4))],
        ["1.png", "2.png", "sample_submission.csv"],
        [".hidden/labels.csv", "1.png"],
    ],
)
def test_plain_pictures_have_no_signs(tmp_path: Path, names: list[str]) -> None:
    assert read_any(touch(tmp_path, *names)).taxonomy is None


@pytest.mark.parametrize("numbers", [("0", "1", "2"), ("1", "2"), ("class_0", "class_1")])
@pytest.mark.parametrize("splits", [True, False])
def test_numbered_folders_are_asked_about(tmp_path: Path, numbers: tuple[str, ...], splits: bool) -> None:
    for split in ("train", "test") if splits else (".",):
        touch(tmp_path, *(f"{split}/{number}/a.png" for number in numbers))
    assert recognize(tmp_path).name == "class_folders"
    with pytest.raises(UnreadLabelsError, match=r"are numbers.*--label-names .*--unlabeled"):
        read_any(tmp_path)
    digits = [number[-1] for number in numbers]
    named = read_any(tmp_path, labels=dict(zip(digits, ("neutral", "anger", None), strict=False)))
    assert set(named.column("label")) == {"neutral", "anger"}
    assert set(named.column("split")) == ({"train", "test"} if splits else {None})
    with pytest.raises(ValueError, match="no folder is called calm"):
        read_any(tmp_path, labels={"calm": "neutral", **dict.fromkeys(digits, "fear")})


def test_folders_that_may_be_classes_are_named(tmp_path: Path) -> None:
    manifest = read_any(touch(tmp_path, "offen/1.png", "zu/2.png"))
    assert manifest.taxonomy is None
    (note,) = manifest.notes
    assert isinstance(note, LeftOut)
    assert "offen, zu are classes, --layout class_folders" in note
    assert read_any(tmp_path, "class_folders").column("label") == ["offen", "zu"]


def test_tables_and_archives_beside_class_folders_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "anger/1.png", "fear/2.png", "labels.csv", "more.zip", "readme.md")
    manifest = read_any(tmp_path)
    assert manifest.column("label") == ["anger", "fear"]
    (note,) = [note for note in manifest.notes if "lie beside" in note]
    assert isinstance(note, LeftOut)
    assert note.startswith("labels.csv, more.zip lie beside and were not read")
