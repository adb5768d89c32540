"""COCO's JSON: Roboflow's, CVAT's with attributes, and our own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.files import touch

from halfsmile.data.exchange.formats import export_coco
from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.readers.annotations import coco
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.synthetic import write_data_set

CATEGORIES = [{"id": 0, "name": "faces"}, {"id": 1, "name": "happy"}, {"id": 2, "name": "sad"}]


def document(split: str, **more: Any) -> str:
    images = [{"id": i, "file_name": f"{split}{i}.jpg", "width": 9, "height": 9} for i in range(3)]
    annotations = [
        {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4], **more},
        {"id": 2, "image_id": 0, "category_id": 2, "bbox": [5, 2, 3, 4]},
        {"id": 3, "image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9]},
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]},
    ]
    return json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES})


def test_a_file_for_each_split_as_roboflow_writes_it(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        touch(tmp_path / split, *(f"{split}{i}.jpg" for i in range(3)))
        touch(tmp_path / split, "_annotations.coco.json", text=document(split))
    assert recognize(tmp_path).name == "coco"
    manifest = read_any(tmp_path)
    assert manifest.column("image")[:2] == ["train/train0.jpg", "train/train0.jpg"]
    assert manifest.column("label") == ["happy", "sad", "sad", "happy", None] * 2
    assert manifest.column("box")[0] == [1, 2, 4, 6]
    assert manifest.column("split") == ["train"] * 5 + ["valid"] * 5
    assert any("2 pictures have no box" in note for note in manifest.notes if isinstance(note, LeftOut))
    renamed = read_any(tmp_path, labels={"happy": "happiness"})
    assert set(renamed.column("label")) == {"happiness", "sad", None}


def test_in_an_archive_and_by_the_path_of_the_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/annotations/instances_train.json", document(""))
        for i in range(3):
            archive.writestr(f"set/images/{i}.jpg", b"")
    manifest = read_any(tmp_path / "a.zip")
    assert manifest.column("image")[0] == "set/images/0.jpg"
    assert set(manifest.column("split")) == {"train"}
    touch(tmp_path / "b", "labels.json", text=document(""))
    touch(tmp_path / "b", "images/0.jpg", "images/1.jpg", "images/2.jpg")
    by_file = read_any(tmp_path / "b/labels.json")
    assert by_file.column("image") == [f"images/{i}.jpg" for i in (0, 0, 1, 1, 2)]


def test_what_annotators_said_in_attributes_counts(tmp_path: Path) -> None:
    touch(tmp_path, "a.json", text=document("", attributes={"emotion": "Fear", "occluded": False}))
    touch(tmp_path, "0.jpg", "1.jpg", "2.jpg")
    assert read_any(tmp_path).column("label") == ["Fear", "sad", "sad", "happy", None]


def test_boxes_of_a_single_class_are_no_labels(tmp_path: Path) -> None:
    touch(tmp_path, "a.json", text=document("").replace("happy", "face").replace("sad", "face"))
    touch(tmp_path, "0.jpg", "1.jpg", "2.jpg")
    manifest = read_any(tmp_path)
    assert manifest.taxonomy is None
    assert any("All boxes are called face" in note for note in manifest.notes)


def test_our_own_export_comes_back_whole(tmp_path: Path) -> None:
    write_data_set(tmp_path / "own", train=8, test=8, unlabeled=0, size=24, seed=0, people=4)
    faces = read_any(tmp_path / "own/labeled")
    export_coco(faces, tmp_path / "out", progress=False)
    back = read_any(tmp_path / "out")
    assert back.column("label") == faces.column("label")
    assert back.column("split") == faces.column("split")


def test_what_is_damaged_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.json", text=document("").replace('"image_id": 0', '"image_id": 7'))
    touch(tmp_path, "0.jpg", "1.jpg", "2.jpg")
    assert any("2 annotations" in note for note in read_any(tmp_path).notes if isinstance(note, Fault))
    (tmp_path / "a.json").write_text(document("")[:-9])
    with pytest.raises(ValueError, match="is not as COCO's JSON should be"):
        coco.read(tmp_path)
    with pytest.raises(ValueError, match="has no JSON file"):
        coco.read(touch(tmp_path / "b", "x.json", text="[]"))


def test_a_file_that_annotates_nothing_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.json", text='{"images": [{"id": 0, "file_name": "0.jpg"}], "annotations": []}')
    touch(tmp_path, "0.jpg")
    (note,) = (note for note in read_any(tmp_path).notes if isinstance(note, Fault))
    assert note == "a.json lists 1 pictures and annotates none of them."
