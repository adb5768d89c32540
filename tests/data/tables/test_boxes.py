"""Boxes: which columns they are, and what their numbers are, or a question."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.readers.table import read
from halfsmile.data.tables.boxes import box_of

BOXES = [[10 + 7 * i % 60, 5 + 11 * i % 50, 64 + 4 * (i % 3), 64 + 3 * (i % 4)] for i in range(12)]
"""Faces about as high as wide, by corner and size."""


def write(path: Path, names: str, cells: list[str]) -> Path:
    rows = [f"{i}.png,{'fear' if i % 2 else 'anger'},{cell}" for i, cell in enumerate(cells)]
    path.write_text("\n".join([f"image,label,{names}", *rows]))
    return path


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("xtl,ytl,xbr,ybr", "xyxy"),
        ("minX,minY,maxX,maxY", "xyxy"),
        ("box_left,box_top,box_right,box_bottom", "xyxy"),
        ("bbox_x_min,bbox_y_min,bbox_x_max,bbox_y_max", "xyxy"),
        ("rect.x,rect.y,rect.w,rect.h", "xywh"),
        ("FaceRectangle Left,FaceRectangle Top,FaceRectangle Width,FaceRectangle Height", "xywh"),
        ("face_cx,face_cy,face_w,face_h", "cxcywh"),
        ("bbox_0,bbox_1,bbox_2,bbox_3", None),
        ("bbox-xywh", "xywh"),
        ("Bounding Box", None),
    ],
)
def test_columns_of_boxes_by_any_usual_name(names: str, says: str | None) -> None:
    assert box_of(["image", "label", *names.split(",")]) == (tuple(names.split(",")), says)


@pytest.mark.parametrize("first", [0, 1])
def test_counted_points_are_no_corners_of_a_box(first: int) -> None:
    points = [f"{axis}_{number}" for axis in "xy" for number in range(first, first + 4)]
    assert box_of(["image", *points]) is None
    assert box_of(["image", *points, "left", "top", "width", "height"]) is not None


@pytest.mark.parametrize("names", ["x,y", "width,height", "face,label", "a_x,b_y,c_w,d_h", "0,1,2,3"])
def test_other_columns_are_none(names: str) -> None:
    assert box_of(names.split(",")) is None


@pytest.mark.parametrize("mark", [", ", " ", ";"])
def test_sizes_that_could_be_corners_are_asked_about(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path / "t.csv", "bbox", [f'"[{mark.join(map(str, box))}]"' for box in BOXES])
    with pytest.raises(ValueError, match=r"may be two corners, or a corner, width and height.*--box xywh"):
        read(path)
    assert read(path, box="xywh").column("box")[0] == [10, 5, 74, 69]


def test_corners_of_faces_are_read(tmp_path: Path) -> None:
    corners = [[x, y, x + w, y + h] for x, y, w, h in BOXES]
    path = write(tmp_path / "t.csv", "bbox", [f'"{corner}"' for corner in corners])
    manifest = read(path)
    np.testing.assert_array_equal(manifest.column("box"), corners)
    assert any("are taken for x0, y0, x1, y1" in note for note in manifest.notes)


@pytest.mark.parametrize(("names", "other"), [("x,y,w,h", "xyxy"), ("x1,y1,x2,y2", "xywh")])
def test_names_that_the_shapes_of_faces_contradict(tmp_path: Path, names: str, other: str) -> None:
    boxes = BOXES if other == "xywh" else [[x, y, x + w, y + h] for x, y, w, h in BOXES]
    path = write(tmp_path / "t.csv", names, [",".join(map(str, box)) for box in boxes])
    (fault,) = (note for note in read(path).notes if isinstance(note, Fault))
    assert f"Say what they are: --box {other}" in fault
    assert not any(isinstance(note, Fault) for note in read(path, box=other).notes)  # type: ignore[arg-type]


def test_names_that_are_right_raise_no_doubt(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "x,y,w,h", [",".join(map(str, box)) for box in BOXES])
    assert not any(isinstance(note, Fault) for note in read(path).notes)


@pytest.mark.parametrize("none", ["-1,-1,-1,-1", "0,0,0,0", ",,,"])
def test_rows_without_a_face_keep_their_label(tmp_path: Path, none: str) -> None:
    path = write(tmp_path / "t.csv", "x0,y0,x1,y1", ["1,1,9,9", none])
    manifest = read(path)
    assert manifest.column("box") == [[1, 1, 9, 9], None]
    assert manifest.column("label") == ["anger", "fear"]


def test_four_numbers_in_a_column_of_another_name_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "where", [f'"{tuple(box)}"' for box in BOXES])
    notes = [note for note in read(path).notes if isinstance(note, LeftOut)]
    assert "--columns box=where --box xywh" in notes[0]
    assert read(path, columns={"box": "where"}, box="xywh").column("box")[0] == [10, 5, 74, 69]


def test_a_box_that_is_no_list_says_how_to_leave_it_out(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "bbox", ['"{""x"": 1, ""y"": 2}"', '"1 2 3 4"', "1 1 5 5"])
    (fault,) = (note for note in read(path).notes if isinstance(note, Fault))
    assert "--columns box= leaves the column out" in fault
