"""Labels in JSON, in the forms that programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.files import touch

from halfsmile.data.manifest import Fault
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.tables.json_rows import flattened, json_rows

WANTED = {"a.png": "happy", "b.png": "sad", "c.png": "sad"}
RECORDS = [{"file": name, "emotion": label} for name, label in WANTED.items()]
FORMS: dict[str, Any] = {
    "records": RECORDS,
    "wrapped records": {"info": {"year": 2024}, "data": RECORDS},
    "name to label": WANTED,
    "name to record": {name: {"emotion": label, "age": 30} for name, label in WANTED.items()},
    "number to record": {str(i): record for i, record in enumerate(RECORDS)},
    "name without suffix": {name[0]: label for name, label in WANTED.items()},
    "number of the picture to record": {name[0]: {"emotion": label} for name, label in WANTED.items()},
    "lists by column": {"name": list(WANTED), "emotion": list(WANTED.values())},
    "columns as pandas writes": {
        "name": dict(zip("012", WANTED, strict=True)),
        "emotion": dict(zip("012", WANTED.values(), strict=True)),
    },
    "a column by name": {"emotion": WANTED},
    "a table with its columns' names": {
        "columns": ["image", "label"],
        "index": [0, 1, 2],
        "data": [list(pair) for pair in WANTED.items()],
    },
    "label to names": {"happy": ["a.png"], "sad": ["b.png", "c.png"]},
    "pairs": [list(pair) for pair in WANTED.items()],
    "pairs as in StyleGAN's": {"labels": [list(pair) for pair in WANTED.items()]},
    "lists of one label": [{"image": name, "labels": [label]} for name, label in WANTED.items()],
    "faces of pictures": [{"image": n, "faces": [{"attributes": {"emotion": w}}]} for n, w in WANTED.items()],
}


def put(root: Path, document: Any, name: str = "labels.json") -> Path:
    touch(root, *WANTED)
    (root / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return root


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_the_same_beside_pictures_and_by_its_path(tmp_path: Path, form: str) -> None:
    put(tmp_path, FORMS[form])
    assert recognize(tmp_path).name == "table"
    for path in (tmp_path, tmp_path / "labels.json"):
        manifest = read_any(path)
        found = dict(zip(manifest.column("image"), manifest.column("label"), strict=True))
        assert found == WANTED


def test_json_lines_under_the_name_of_json(tmp_path: Path) -> None:
    manifest = read_any(put(tmp_path, "\n".join(map(json.dumps, RECORDS))))
    assert manifest.column("label") == list(WANTED.values())


def test_numbers_are_named_in_the_document_itself(tmp_path: Path) -> None:
    samples = [{"path": name, "class_id": int(label == "sad")} for name, label in WANTED.items()]
    manifest = read_any(put(tmp_path, {"classes": ["happy", "sad"], "samples": samples}, "data.json"))
    assert manifest.column("label") == list(WANTED.values())
    assert "Numbers mean what data.json beside says: 0 happy, 1 sad." in manifest.notes


@pytest.mark.parametrize(
    "inner",
    [{"a.png": "happy", "b.png": "sad"}, {"happy": ["a.png"], "sad": ["b.png"]}, FORMS["pairs"][:2]],
)
def test_splits_are_those_that_an_object_is_named_after(tmp_path: Path, inner: Any) -> None:
    last: Any = [["c.png", "sad"]] if isinstance(inner, list) else {"c.png": "sad"}
    manifest = read_any(put(tmp_path, {"train": inner, "val": last}))
    found = zip(*(manifest.column(name) for name in ("image", "label", "split")), strict=True)
    assert list(found) == [("a.png", "happy", "train"), ("b.png", "sad", "train"), ("c.png", "sad", "valid")]


def test_boxes_in_objects_and_lists(tmp_path: Path) -> None:
    def boxes(document: Any) -> list[Any]:
        return read_any(put(tmp_path, document)).column("box")

    faces = [
        {"bbox": {"left": 1, "top": 2, "width": 30, "height": 40}, "emotion": "happy"},
        {"bbox": {"left": 50, "top": 2, "width": 30, "height": 44}, "emotion": "sad"},
    ]
    of_two = [{"image": "a.png", "width": 90, "height": 90, "faces": faces}]
    assert boxes(of_two) == [[1, 2, 31, 42], [50, 2, 80, 46]]
    create_ml = [
        {
            "image": n,
            "annotations": [{"label": w, "coordinates": {"x": 20, "y": 30, "width": 10, "height": 20}}],
        }
        for n, w in WANTED.items()
    ]
    assert boxes(create_ml) == [[15, 20, 25, 40]] * 3


def test_several_labels_in_a_list_are_a_fault_and_numbers_need_names(tmp_path: Path) -> None:
    several = [{"image": n, "label": ["happy", "sad"] if n == "a.png" else [w]} for n, w in WANTED.items()]
    notes = read_any(put(tmp_path, several)).notes
    assert any(isinstance(note, Fault) and "'happy, sad'" in note for note in notes)
    put(tmp_path, [{"image": name, "label": i} for i, name in enumerate(WANTED)])
    with pytest.raises(ValueError, match="the labels 0, 1, 2 are numbers"):
        read_any(tmp_path)
    assert read_any(tmp_path, labels={"0": "fear", "1": "anger", "2": None}).column("label") == [
        "fear",
        "anger",
    ]


def test_what_is_no_table_says_what_it_is_and_what_to_type(tmp_path: Path) -> None:
    for document, said in (
        ({"lr": 0.1, "epochs": 3}, "an object with lr, epochs"),
        ([], "an empty list"),
        ("not json", "is no JSON"),
        ([{"data": {"image": "a.png"}, "annotations": [{"result": []}]}], "`halfsmile data import PICTURES"),
    ):
        put(tmp_path, document, "x.json")
        with pytest.raises(ValueError, match="`") as caught:
            read_any(tmp_path / "x.json")
        assert said in str(caught.value)
        assert str(tmp_path / "x.json") in str(caught.value)
    assert read_any(put(tmp_path / "plain", {"lr": 0.1}, "settings.json")).taxonomy is None


def test_files_of_one_picture_each_are_no_tables(tmp_path: Path) -> None:
    for name in WANTED:
        put(tmp_path, {"score": 3}, f"{name[0]}.json")
    with pytest.raises(ValueError, match=r"3 pictures have a \.json file of the same name"):
        read_any(tmp_path)


KEYS = st.sampled_from(["a.png", "happy", "train", "image", "label", "0", "annotations", "coordinates", "x"])
CELLS = st.none() | st.booleans() | st.integers() | st.floats() | KEYS
DOCUMENTS = st.recursive(
    CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@given(DOCUMENTS)
def test_any_document_gives_rows_or_says_what_it_is(document: Any) -> None:
    try:
        rows = json_rows(document)
    except ValueError:
        return
    assert all(isinstance(row, dict) for row in rows)
    assert not any(isinstance(cell, dict) for row in rows for cell in row.values())


@pytest.mark.parametrize("form", ["in an object", "beside each other"])
def test_lists_with_something_of_each_face_are_a_row_each(form: str) -> None:
    """As Hugging Face's ``objects``, or torchvision's targets."""
    lists = {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "categories": ["happy", "sad"]}
    record = (
        {"file_name": "a.png", "objects": lists}
        if form == "in an object"
        else {"file_name": "a.png", **lists}
    )
    assert flattened(record) == [
        {"file_name": "a.png", "bbox": [1, 2, 3, 4], "categories": "happy"},
        {"file_name": "a.png", "bbox": [5, 6, 7, 8], "categories": "sad"},
    ]


def test_one_face_is_a_row_and_lists_without_boxes_stay() -> None:
    one = {"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [3]}}
    assert flattened(one) == [{"file_name": "a.png", "bbox": [1, 2, 3, 4], "categories": 3}]
    votes = {"image": "a.png", "votes": [1, 2, 3, 4], "raters": ["a", "b"]}
    assert flattened(votes) == [votes]
    torn = {"image": "a.png", "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "tags": ["a", "b", "c"]}
    assert [row["tags"] for row in flattened(torn)] == [["a", "b", "c"]] * 2


def test_pictures_of_videos_are_pictures_and_predictions_no_answers() -> None:
    of_video = {
        "a.png": {"video": "v.mp4", "emotion": "happy"},
        "b.png": {"video": "v.mp4", "emotion": "sad"},
    }
    assert json_rows(of_video) == [{"image": name, **record} for name, record in of_video.items()]
    row = {"image": "a.png", "label": "happy", "predictions": [{"result": "sad", "score": 0.5}]}
    assert json_rows([row])[0]["label"] == "happy"
