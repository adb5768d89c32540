"""Which column is what: by name, and else by what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halfsmile.data.manifest import LeftOut
from halfsmile.data.readers.registry import read_any
from halfsmile.data.tables.columns import Chosen, choose, looks_like
from halfsmile.data.tables.rows import read_rows


def chosen(tmp_path: Path, text: str, **columns: Any) -> Chosen:
    path = tmp_path / "t.csv"
    path.write_text(text)
    table = read_rows(path)
    return choose(path, table, list(table.rows), columns)


def test_usual_names_in_any_case(tmp_path: Path) -> None:
    found = chosen(tmp_path, "pth,Emotion,USAGE,Subject\na.png,fear,Training,1\n")
    assert found.parts == {
        "image": ("pth",),
        "label": ("Emotion",),
        "split": ("USAGE",),
        "person": ("Subject",),
    }
    assert not found.notes
    assert not found.unused


def test_categories_are_labels_where_no_other_column_is(tmp_path: Path) -> None:
    rows = "a.png,{0},{2}\nb.png,{1},{3}\n"
    for names, cells, label in (
        ("categories,mood", ("indoor", "outdoor", "happy", "sad"), "mood"),
        ("categories,target", ("indoor", "outdoor", "happy", "sad"), "target"),
        ("categories,emotion_id", ("indoor", "outdoor", "3", "4"), "emotion_id"),
        ("categories,mood", ("happy", "sad", "sad", "happy"), "categories"),
        ("categories,mood", ("calm", "cross", "loud", "low"), "categories"),
        ("categories,room", ("1", "2", "indoor", "outdoor"), "categories"),
    ):
        found = chosen(tmp_path, f"image,{names}\n{rows.format(*cells)}")
        assert found.parts["label"] == (label,)


def test_other_names_by_what_the_columns_hold(tmp_path: Path) -> None:
    found = chosen(tmp_path, "Nr;Datei;Ausdruck;Alter\n1;a.png;Happy;30\n2;b.png;sad;31\n3;c.png;fear;30\n")
    assert found.parts == {"image": ("Datei",), "label": ("Ausdruck",)}
    assert len(found.notes) == 2
    assert found.unused == ("Nr", "Alter")


def test_a_name_is_a_picture_only_where_it_names_one(tmp_path: Path) -> None:
    assert chosen(tmp_path, "name,photo_file\nAnna,a.png\nBert,b.png\n").parts["image"] == ("photo_file",)
    assert chosen(tmp_path, "name,label\na.png,fear\nb.png,anger\n").parts["image"] == ("name",)
    assert chosen(tmp_path, "id,label\n001,fear\n002,anger\n").parts["image"] == ("id",)
    with pytest.raises(ValueError, match=r"no column for the image.*--columns image=COLUMN"):
        chosen(tmp_path, "left_eye,right_eye\na.png,b.png\n")


def test_words_come_before_numbers(tmp_path: Path) -> None:
    found = chosen(tmp_path, "image,label,label_text\na.png,3,happy\nb.png,4,sad\n")
    assert found.parts["label"] == ("label_text",)
    assert found.unused == ("label",)
    assert chosen(tmp_path, "image,label,note\na.png,3,x\n").parts["label"] == ("label",)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("x0,y0,x1,y1", "xyxy"),
        ("X1,Y1,X2,Y2", "xyxy"),
        ("left,top,right,bottom", "xyxy"),
        ("x,y,w,h", "xywh"),
        ("X,Y,Width,Height", "xywh"),
        ("left,top,width,height", "xywh"),
        ("face_x,face_y,face_width,face_height", "xywh"),
        ("bbox_xywh,a,b,c", "xywh"),
        ("bbox,a,b,c", None),
    ],
)
def test_names_of_boxes_tell_what_the_numbers_are(tmp_path: Path, names: str, says: str | None) -> None:
    found = chosen(tmp_path, f"image,label,{names}\na.png,fear,1,2,3,4\n")
    assert found.parts["box"] in (tuple(names.split(",")), (names.split(",")[0],))
    assert found.box == says


def test_the_size_of_the_picture_is_no_box(tmp_path: Path) -> None:
    found = chosen(tmp_path, "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,640,480,fear,1,2,3,4\n")
    assert found.parts["box"] == ("xmin", "ymin", "xmax", "ymax")
    assert found.box == "xyxy"


def test_columns_of_votes(tmp_path: Path) -> None:
    own = chosen(tmp_path, "image,label,votes_fear,votes_anger\na.png,fear,0.5,0.5\n")
    assert own.votes == {"votes_fear": "fear", "votes_anger": "anger"}
    empty = chosen(tmp_path, "image,label,votes_fear,votes_anger\na.png,fear,,\n")
    assert (empty.votes, empty.unused) == ({}, ())
    one_hot = chosen(tmp_path, "filename,angry,happy,sad\na.png,0,1,0\nb.png,1,0,0\n")
    assert one_hot.votes == {"angry": "angry", "happy": "happy", "sad": "sad"}
    assert "label" not in one_hot.parts


def test_columns_that_could_be_labels(tmp_path: Path) -> None:
    text = "image,mood,day\n" + "".join(f"{i}.png,{'good' if i % 2 else 'bad'},{i}\n" for i in range(6))
    assert chosen(tmp_path, text).maybe_labels == ("mood (bad, good)",)
    assert chosen(tmp_path, text, label="mood").parts["label"] == ("mood",)
    assert chosen(tmp_path, text, label="").maybe_labels == ()


def test_a_column_of_other_sets_is_no_split(tmp_path: Path) -> None:
    found = chosen(tmp_path, "image,label,set\na.png,fear,A\nb.png,anger,B\n")
    assert "split" not in found.parts
    assert any("names no splits" in note for note in found.notes)
    assert found.unused == ("set",)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("emotion, Usage, pixels\n0,Training,1 2 3 4\n", "pixels"),
        ("image,label\na.png,fear\n", "labels"),
        ("a.png 3\nb.png 4\n", "labels"),
        ("image,age\na.png,30\n", "pictures"),
        ("image,mood\na.png,up\nb.png,down\nc.png,up\nd.png,down\n", "maybe"),
        ("video,label\na.mp4,fear\n", None),
        ("day,degrees\n1,20\n", None),
        ("id,label\n1,fear\n", "labels"),
        ("id,label\n1,x\n", None),
        ("", None),
    ],
)
def test_what_a_table_holds(tmp_path: Path, text: str, what: str | None) -> None:
    (tmp_path / "t.txt").write_text(text)
    assert looks_like(tmp_path / "t.txt") == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("video,label\na.mp4,fear\n", "labels"),
        ("clip,happy,sad,calm\na.mp4,1,0,0\n", "labels"),
        ("video,mood\na.mp4,up\nb.mp4,down\nc.mp4,up\nd.mp4,down\n", "maybe"),
        ("video,seconds\na.mp4,3\n", "pictures"),
        ("image,label\na.png,fear\n", None),
        ("video,frame,label\na.mp4,1,fear\n", None),
    ],
)
def test_what_a_table_of_videos_holds(tmp_path: Path, text: str, what: str | None) -> None:
    (tmp_path / "t.txt").write_text(text)
    assert looks_like(tmp_path / "t.txt", of_videos=True) == what


@pytest.mark.parametrize("form", ["is_{}", "{}_prob", "votes {}", "P({})"])
def test_columns_with_an_expression_in_their_name_are_votes(tmp_path: Path, form: str) -> None:
    words = ("happy", "sad", "angry")
    names = ",".join(form.format(word) for word in words)
    found = chosen(tmp_path, f"image,{names},is_blurred\na.png,0,1,0,1\nb.png,1,0,0,0\n")
    assert tuple(found.votes.values()) == words
    assert "is_blurred" in found.unused
    assert not chosen(tmp_path, f"image,label,{names}\na.png,fear,0,1,0\nb.png,anger,1,0,0\n").votes


def test_a_column_of_splits_by_what_it_holds(tmp_path: Path) -> None:
    found = chosen(tmp_path, "image,label,dataset\na.png,fear,TRAIN\nb.png,anger,Test\n")
    assert found.parts["split"] == ("dataset",)


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("is_train", "01", "--columns split=is_train --splits 0=test 1=train"),
        ("is_test", "01", "--columns split=is_test --splits 0=train 1=test"),
        ("fold", "012", "--columns split=fold --splits 0=train 1=train 2=test"),
    ],
)
def test_a_column_that_may_tell_splits_is_noted(tmp_path: Path, name: str, values: str, says: str) -> None:
    rows = "".join(f"{i}.png,fear,{value}\n" for i, value in enumerate(values * 2))
    found = chosen(tmp_path, f"image,label,{name}\n{rows}")
    (note,) = (note for note in found.notes if isinstance(note, LeftOut))
    assert note.endswith(says)


def test_the_numbers_of_a_partition_are_splits(tmp_path: Path) -> None:
    """CelebA's ``list_eval_partition.txt``."""
    path = tmp_path / "list_eval_partition.txt"
    path.write_text("1.jpg 0\n2.jpg 2\n")
    for splits, found in ((None, None), ({"0": "train", "2": "test"}, ("column 2",))):
        table = read_rows(path)
        chosen = choose(path, table, list(table.rows), {}, splits)
        assert chosen.parts.get("split") == found
        assert "label" not in chosen.parts
        assert any("names no splits (0, 2)" in note for note in chosen.notes) == (splits is None)


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("yes", "NO"), ("1", "0")])
def test_yes_and_no_are_votes(tmp_path: Path, yes: str, no: str) -> None:
    lines = "".join(f"{i}.png,{','.join(yes if i == k else no for k in range(3))}\n" for i in range(3))
    (tmp_path / "t.csv").write_text(f"image,happy,sad,angry\n{lines}")
    manifest = read_any(tmp_path / "t.csv")
    assert manifest.column("label") == ["happy", "sad", "angry"]
    assert manifest.column("votes")[1] == [0, 1, 0]
