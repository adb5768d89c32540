from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from halfsmile.faces.align import template
from halfsmile.faces.given_table import GivenTable, faces_in
from halfsmile.faces.sources import MediaSource
from halfsmile.faces.yunet import YuNet

IMAGE = np.zeros((200, 300, 3), np.uint8)


def table(folder: Path, text: str) -> GivenTable:
    path = folder / "boxes.csv"
    path.write_text(text)
    return GivenTable(path)


def test_boxes_belong_to_pictures_by_their_names(tmp_path: Path) -> None:
    given = table(tmp_path, "file,x,y,w,h\na.jpg,10,20,30,40\nsub/b.jpg,1,2,3,4\nsub/b.jpg,100,2,30,40\n")
    names = ["/somewhere/in/a.jpg", "sub/b.jpg", "other/c.jpg", "faces.zip!sub/b.jpg"]
    found = given.detect_named([IMAGE] * 4, names)
    assert [[face.box.tolist() for face in faces] for faces in found] == [
        [[10, 20, 40, 60]],
        [[1, 2, 4, 6], [100, 2, 130, 42]],
        [],
        [[1, 2, 4, 6], [100, 2, 130, 42]],
    ]


def test_a_table_of_predict_is_read_with_its_landmarks(tmp_path: Path) -> None:
    points = template(100) + 50
    names = [f"{p}_{a}" for p in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for a in "xy"]
    head = ["source", "x0", "y0", "x1", "y1", *names, "reason"]
    rows = [["p/a.png", 60, 50, 140, 150, *points.ravel(), ""], ["p/b.png", *[""] * 14, "no face"]]
    given = table(tmp_path, "\n".join(",".join(map(str, row)) for row in [head, *rows]))
    (found,), none = given.detect_named([IMAGE, IMAGE], ["p/a.png", "p/b.png"])
    assert found.landmarks is not None
    np.testing.assert_allclose(found.landmarks, points, rtol=1e-5)
    assert none == []


def test_landmarks_alone_are_enough(tmp_path: Path) -> None:
    points = template(112)
    names = [f"{p}_{a}" for p in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for a in "xy"]
    given = table(tmp_path, ",".join(["image", *names]) + "\na.jpg," + ",".join(map(str, points.ravel())))
    ((face,),) = given.detect_named([IMAGE], ["a.jpg"])
    np.testing.assert_allclose(face.box, [19, 6, 94, 107], atol=0.01)


def test_what_can_not_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither boxes nor landmarks; its columns are image, expr"):
        table(tmp_path, "image,expression\na.jpg,fear\n")
    with pytest.raises(ValueError, match="data row 1 can't be understood"):
        table(tmp_path, "image,x0,y0,x1,y1\na.jpg,30,20,10,40\n")
    given = table(tmp_path, "image,x0,y0,x1,y1\na.jpg,1000,20,1010,40\n")
    with pytest.raises(ValueError, match="wholly outside"):
        given.detect_named([IMAGE], ["a.jpg"])
    with pytest.raises(ValueError, match="give files, not pixels"):
        given.detect([IMAGE])
    assert given.detect([]) == []


def test_pictures_that_are_told_to_have_no_face_are_named_by_the_table(tmp_path: Path) -> None:
    given = table(tmp_path, "source,x0,y0,x1,y1,reason\np/a.png,,,,,no face\np/b.png,1,2,3,4,\n")
    pictures = {
        name: MediaSource("picture", name, PurePosixPath(name)) for name in ("p/a.png", "a.png", "c.png")
    }
    for name in ("p/a.png", "a.png"):
        assert given.notes_on([pictures[name]]) == [
            f"{tmp_path}/boxes.csv has no face for 1 of 1 pictures, as {name}."
        ]
    with pytest.raises(ValueError, match=r"names none of the pictures, as c.png; its first is p/b.png"):
        given.notes_on([pictures["c.png"]])
    faceless = table(tmp_path, "source,x0,y0,x1,y1,reason\na.png,,,,,no face\n")
    assert faceless.notes_on([pictures["a.png"]]) != []
    assert faceless.detect_named([IMAGE], ["a.png"]) == [[]]


def test_other_detectors_need_no_names() -> None:
    assert faces_in(YuNet(threads=1), [IMAGE], ["a"]) == [[]]
