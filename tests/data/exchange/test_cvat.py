"""Labels from CVAT: tags, boxes with the label or an attribute, in a file or an archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from halfsmile.data.exchange.cvat import read_cvat
from halfsmile.taxonomy import RAFDB

BOX = 'source="manual" occluded="0" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"'
XML = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><labels><label><name>fear</name></label></labels></task></meta>
  <image id="0" name="a/1.png" width="10" height="10"><tag label="fear" source="manual"></tag></image>
  <image id="1" name="2.png" width="10" height="10"><box label="Anger" {BOX}></box></image>
  <image id="2" name="3.png" width="10" height="10">
    <box label="face" {BOX}><attribute name="expression">neutral</attribute></box>
  </image>
  <image id="3" name="4.png" width="10" height="10"></image>
</annotations>"""


def is_label(text: str) -> bool:
    return text.casefold() in RAFDB.labels


def test_tags_boxes_and_attributes(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(XML)
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", XML)
        archive.writestr("images/a/1.png", b"")
    (tmp_path / "pretty.xml").write_text(XML.replace(">neutral<", ">\n      neutral\n    <"))
    for name in ("annotations.xml", "task.zip", "pretty.xml"):
        found = [(answer.name, answer.labels) for answer in read_cvat(tmp_path / name, is_label)]
        assert found == [
            ("a/1.png", ("fear",)),
            ("2.png", ("Anger",)),
            ("3.png", ("neutral",)),
            ("4.png", ()),
        ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<annotations><image", "no readable XML"),
        ("<VOC/>", "expected <annotations>, found <VOC>"),
        (
            XML.replace("fear", "scared").replace("Anger", "cross").replace("neutral", "calm"),
            r"no label of 4.*scared",
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "defines entities"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_cvat(tmp_path / "a.xml", is_label)
