"""Pictures whose faces are known already: cut out before, or told by a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.predict.face import LOOKS_CUT_OUT, tells_of_failure
from halfsmile.predict.run import predict_run


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def gray(path: Path, brightness: int, side: int = 48) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side, 3), brightness, np.uint8))
    return path


def test_aligned_pictures_have_one_answer_each(model_file: Path, tmp_path: Path) -> None:
    for index, brightness in enumerate((32, 96, 160)):
        gray(tmp_path / "in" / f"{index}.png", brightness)
    predict_run(
        [tmp_path / "in"], out=tmp_path / "t.csv", model=model_file, detector="aligned", progress=False
    )
    assert [row["expression"] for row in rows(tmp_path / "t.csv")] == ["dark", "dim", "light"]


def test_a_small_square_picture_without_a_face_names_the_ways(model_file: Path, tmp_path: Path) -> None:
    gray(tmp_path / "in" / "small.png", 90)
    gray(tmp_path / "in" / "large.png", 90, 300)
    summary = predict_run([tmp_path / "in"], out=tmp_path / "t.csv", model=model_file, progress=False)
    reasons = {Path(row["source"]).stem: row["reason"] for row in rows(tmp_path / "t.csv")}
    assert reasons == {"small": LOOKS_CUT_OUT, "large": "no face"}
    assert "--detector aligned, or given" in LOOKS_CUT_OUT
    assert not tells_of_failure(LOOKS_CUT_OUT)
    assert (summary.without_face, summary.failures) == (2, [])


def test_a_table_tells_where_faces_are(model_file: Path, tmp_path: Path) -> None:
    image = np.full((200, 300, 3), 160, np.uint8)
    image[:, 150:] = 32
    cv2.imwrite(str(tmp_path / "a.png"), image)
    gray(tmp_path / "in" / "b.png", 90)
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h\na.png,20,50,80,100\na.png,180,50,80,100\n")
    options: dict[str, Any] = {"out": tmp_path / "t.csv", "model": model_file, "progress": False}
    summary = predict_run(
        [tmp_path / "a.png", tmp_path / "in"], detector="given", boxes=tmp_path / "boxes.csv", **options
    )
    found = rows(tmp_path / "t.csv")
    assert [(row["x0"], row["reason"]) for row in found] == [("20.0", ""), ("180.0", ""), ("", "no face")]
    assert any("boxes.csv has no face for 1 of 2 pictures, as " in note for note in summary.notes)
    with pytest.raises(
        ValueError, match=r"boxes.csv names none of the pictures, as .*b.png; its first is a.png"
    ):
        predict_run([tmp_path / "in"], detector="given", boxes=tmp_path / "boxes.csv", **options)
    for wrong in ({"detector": "given"}, {"boxes": tmp_path / "boxes.csv"}):
        with pytest.raises(ValueError, match="--detector given and --boxes TABLE go together"):
            predict_run([tmp_path / "a.png"], **wrong, **options)
