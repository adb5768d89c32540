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


def test_a_picture_that_is_told_to_have_no_face_gets_none_of_its_namesake(tmp_path: Path) -> None:
    given = table(tmp_path, "source,x0,y0,x1,y1,reason\nin/p/a.png,1,2,3,4,\nin/q/a.png,,,,,no face\n")
    found = given.detect_named([IMAGE] * 3, ["in/p/a.png", "in/q/a.png", "/abs/in/p/a.png"])
    assert [len(faces) for faces in found] == [1, 0, 1]
    assert given.detect_named([IMAGE] * 3, ["q/a.png", "p/a.png", "a.png"])[1][0].box.tolist() == [1, 2, 3, 4]
    assert given.detect_named([IMAGE] * 2, ["q/a.png", "a.png"]) == [[], []]


def test_one_face_is_not_given_to_two_pictures(tmp_path: Path) -> None:
    given = table(tmp_path, "image,x0,y0,x1,y1\np/a.png,1,2,3,4\n")
    pictures = [MediaSource("picture", name, PurePosixPath(name)) for name in ("in/p/a.png", "in/q/a.png")]
    with pytest.raises(ValueError, match=r"in/p/a.png and in/q/a.png would both have the faces of p/a.png"):
        given.notes_on(pictures)


def test_names_of_windows_and_of_archives_are_those_of_pictures(tmp_path: Path) -> None:
    given = table(tmp_path, "image,x0,y0,x1,y1\n.\\p\\a.png,1,2,3,4\nz.zip!b.png,5,6,7,8\n")
    pictures = [MediaSource("picture", name, PurePosixPath(name)) for name in ("p/a.png", "z.zip!b.png")]
    assert given.notes_on(pictures) == []
    (first,), (second,) = given.detect_named([IMAGE] * 2, ["p/a.png", "other/z.zip!b.png"])
    assert (first.box.tolist(), second.box.tolist()) == ([1, 2, 3, 4], [5, 6, 7, 8])


def test_a_table_with_openface_columns_has_landmarks_and_no_boxes(tmp_path: Path) -> None:
    points = template(100) + 50
    names = [f"{axis}_{number}" for axis in "xy" for number in range(5)]
    head = ["frame", "face_id", "timestamp", "confidence", "success", *names, "source", "expression"]
    row = [1, 0, 0.0, 0.9, 1, *points.T.ravel(), "a.png", "fear"]
    given = table(tmp_path, "\n".join(",".join(map(str, line)) for line in (head, row)))
    ((face,),) = given.detect_named([IMAGE], ["a.png"])
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks, points, rtol=1e-5)


def test_four_numbers_of_unknown_kind_are_asked_about(tmp_path: Path) -> None:
    sizes = [
        f"{i}.png,{10 + 7 * i % 60} {5 + 11 * i % 50} {64 + 4 * (i % 3)} {64 + 3 * (i % 4)}"
        for i in range(12)
    ]
    with pytest.raises(ValueError, match="Call the columns x0, y0, x1, y1 if they are two corners"):
        table(tmp_path, "\n".join(["image,bbox", *sizes]))
    with pytest.raises(ValueError, match=r"is empty.*Call the columns"):
        table(tmp_path, "image,bbox\na.png,77 18 50 72\n")
    corners = table(tmp_path, "image,bbox\na.png,77 18 127 90\n")
    (note,) = corners.notes_on([MediaSource("picture", "a.png", PurePosixPath("a.png"))])
    assert note == "The numbers of bbox are taken for x0, y0, x1, y1 of a box."


def test_other_detectors_need_no_names() -> None:
    assert faces_in(YuNet(threads=1), [IMAGE], ["a"]) == [[]]
