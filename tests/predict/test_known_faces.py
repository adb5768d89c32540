"""Pictures whose faces are known already: cut out before, or told by a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.synthetic import generate
from halfsmile.faces.detect import Detection
from halfsmile.predict.face import LOOKS_CUT_OUT, tells_of_failure
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor, weighed
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
    predict_run(
        [tmp_path / "a.png", tmp_path / "in"], detector="given", boxes=tmp_path / "boxes.csv", **options
    )
    found = rows(tmp_path / "t.csv")
    assert [(row["x0"], row["reason"]) for row in found] == [("20.0", ""), ("180.0", ""), ("", "no face")]
    for wrong in ({"detector": "given"}, {"boxes": tmp_path / "boxes.csv"}):
        with pytest.raises(ValueError, match="--detector given and --boxes TABLE go together"):
            predict_run([tmp_path / "a.png"], **wrong, **options)


def test_a_face_on_its_head_has_no_certain_answer(model: ExpressionModel) -> None:
    """Whatever set its landmarks as if it were upright; a detector of one's own is taken at its word."""
    image = generate(1, size=160, seed=9, people=1, first_person=900, difficulty=0.1).images[0]
    turned = np.ascontiguousarray(image[::-1, ::-1])
    points = np.array([[54, 65], [106, 65], [80, 93], [59, 116], [101, 116]], np.float32)
    face = Detection(np.array([25, 10, 135, 150], np.float32), points)
    predictor = Predictor(model)
    crops = [predictor.crops(picture, [face]) for picture in (image, turned)]
    said = model.predict(np.concatenate(crops)).probabilities
    upright, on_its_head = predictor.answers(crops).probabilities
    np.testing.assert_array_equal(upright, said[0])
    assert on_its_head.max() < 0.6 * said[1].max() + 0.4 / len(said[1])
    assert on_its_head.sum() == pytest.approx(1)
    assert on_its_head.argmax() == said[1].argmax()


def test_what_stands_upright_is_answered_as_the_model_says(model: ExpressionModel) -> None:
    prediction = model.predict(np.full((2, *model.crop_shape), 96, np.uint8))
    assert weighed(prediction, np.array([0.5, 1.0], np.float32)) is prediction
    mixed = weighed(prediction, np.array([0.0, 1.0], np.float32)).probabilities
    np.testing.assert_allclose(mixed[0], 1 / mixed.shape[1])
    np.testing.assert_array_equal(mixed[1], prediction.probabilities[1])
