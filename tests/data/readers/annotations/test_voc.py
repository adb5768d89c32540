"""Pascal VOC's XML files beside pictures or in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault, UnreadLabelsError
from halfsmile.data.readers.registry import read_any, recognize

XML = """<annotation><filename>{}.jpg</filename><object><name>{}</name><bndbox><xmin>1</xmin><ymin>2</ymin>
<xmax>{}</xmax><ymax>9</ymax></bndbox></object></annotation>"""


def test_beside_and_in_other_folders(tmp_path: Path) -> None:
    for i, label in enumerate(("happy", "sad")):
        touch(tmp_path / "a", f"train/{i}.jpg")
        touch(tmp_path / "a", f"train/{i}.xml", text=XML.format(i, label, 5))
        touch(tmp_path / "b", f"JPEGImages/{i}.jpg")
        touch(tmp_path / "b", f"Annotations/{i}.xml", text=XML.format(i, label, 5))
    touch(tmp_path / "b", "JPEGImages/none.jpg")
    for name, splits in (("a", ["train"] * 2), ("b", [None] * 3)):
        assert recognize(tmp_path / name).name == "voc"
        manifest = read_any(tmp_path / name)
        assert manifest.column("label")[:2] == ["happy", "sad"]
        assert manifest.column("box")[0] == [1, 2, 5, 9]
        assert manifest.column("split") == splits


def test_what_is_damaged_or_hostile_is_a_fault(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.jpg" for i in range(5)))
    bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]>" + XML.format(4, "&b;", 5)
    texts = (
        XML.format(0, "happy", 5),
        XML.format(1, "sad", 5),
        "<annotation><",
        XML.format(3, "sad", 0),
        bomb,
    )
    for i, text in enumerate(texts):
        touch(tmp_path, f"{i}.xml", text=text)
    manifest = read_any(tmp_path)
    assert len(manifest) == 2
    assert any(note.startswith("3 annotations") for note in manifest.notes if isinstance(note, Fault))


def test_files_of_no_picture_are_a_fault(tmp_path: Path) -> None:
    for i, label in enumerate(("happy", "sad")):
        touch(tmp_path, f"{i}.jpg")
        touch(tmp_path, f"other_{i}.xml", text=XML.format(i, label, 5))
    (note,) = (note for note in read_any(tmp_path).notes if isinstance(note, Fault))
    assert "2 annotation files belong to no picture, first other_0.xml" in note


def test_cvat_s_file_beside_pictures_is_not_taken_for_it(tmp_path: Path) -> None:
    touch(tmp_path, "0.jpg", "1.jpg")
    text = '<annotations><image name="0.jpg"><tag label="happy"/></image></annotations>'
    touch(tmp_path, "annotations.xml", text=text)
    with pytest.raises(UnreadLabelsError, match=r"annotations\.xml may hold labels") as caught:
        read_any(tmp_path)
    assert "halfsmile data import" in caught.value.mend
