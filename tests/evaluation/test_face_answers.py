"""What a model says of labeled pictures: the face of the row, or none, and never another person's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.predict.conftest import LABELS, FramedSquares, brightness_model, expected, scene, write_picture

from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import preprocess
from halfsmile.evaluation.face_answers import MISTAKES, answer_faces
from halfsmile.faces.detect import Detector
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.taxonomy import from_labels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ExpressionModel:
    """Names the brightness of the middle of a face."""
    return ExpressionModel.load(brightness_model(tmp_path_factory.mktemp("model") / "model.onnx"), threads=1)


def manifest(root: Path, *rows: dict[str, Any]) -> Manifest:
    return Manifest.from_rows([{"label": "dark"} | row for row in rows], root, from_labels(LABELS))


def targets(count: int) -> npt.NDArray[np.int64]:
    return np.zeros(count, np.int64)


def ask(model: ExpressionModel, rows: Manifest, detector: Detector | None = None) -> Any:
    return answer_faces(model, rows, targets(len(rows)), detector=detector, progress=False)


def test_pictures_as_they_are_are_what_preprocess_makes_of_them(
    model: ExpressionModel, tmp_path: Path
) -> None:
    levels = (20, 100, 170, 230, 60, 140, 200, 30, 110, 250)
    shapes = [(40 + 7 * i, 40 + 3 * i) for i in range(len(levels))]
    for i, (level, shape) in enumerate(zip(levels, shapes, strict=True)):
        write_picture(tmp_path / f"{i}.png", np.full((*shape, 3), level, np.uint8))
    found = ask(model, manifest(tmp_path, *({"image": f"{i}.png"} for i in range(10))))
    assert found.rows == list(range(10))
    assert (found.no_face, found.unreadable) == ([], [])
    crops = [preprocess(np.full((*s, 3), v, np.uint8), 32, 1) for v, s in zip(levels, shapes, strict=True)]
    assert np.allclose(found.probabilities, model.predict(np.stack(crops)).probabilities, atol=1e-6)
    assert np.allclose(found.probabilities, [expected(level) for level in levels], atol=1e-4)


def test_a_found_face_is_cut_as_predict_cuts_it(model: ExpressionModel, tmp_path: Path) -> None:
    picture = scene([(30, 40, 170), (120, 40, 60)])
    write_picture(tmp_path / "a.png", picture)
    found = ask(model, manifest(tmp_path, {"image": "a.png"}), FramedSquares())
    surest = Predictor(model, detector=FramedSquares()).predict(picture)[0]
    assert found.probabilities[0].tolist() == list(surest.probabilities.values())


def test_a_row_with_a_box_stands_for_the_face_there(model: ExpressionModel, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", scene([(10, 40, 230), (60, 40, 100), (120, 40, 20)]))
    boxes = ([118, 38, 165, 85], [5, 30, 60, 90], [55, 35, 105, 85])
    found = ask(
        model, manifest(tmp_path, *({"image": "a.png", "box": box} for box in boxes)), FramedSquares()
    )
    assert [LABELS[i] for i in found.probabilities.argmax(axis=1)] == ["dark", "bright", "dim"]


def test_a_face_elsewhere_is_not_the_one_in_the_box(model: ExpressionModel, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", scene([(10, 40, 230)]))
    found = ask(model, manifest(tmp_path, {"image": "a.png", "box": [150, 10, 190, 50]}), FramedSquares())
    assert (found.rows, found.no_face) == ([], [0])


def test_what_has_no_face_or_can_not_be_read_keeps_its_row(model: ExpressionModel, tmp_path: Path) -> None:
    write_picture(tmp_path / "none.png", scene([]))
    write_picture(tmp_path / "cut.png", np.full((48, 48, 3), 90, np.uint8))
    write_picture(tmp_path / "face.png", scene([(10, 40, 230)]))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = ("bad.png", "none.png", "face.png", "bad.png", "bad.png", "gone.png", "cut.png", "face.png")
    found = ask(model, manifest(tmp_path, *({"image": name} for name in names)), FramedSquares())
    assert found.rows == [2, 7]
    assert found.no_face == [1, 6]
    assert found.small_squares == 1
    assert [name for name, _ in found.unreadable] == ["bad.png", "bad.png", "bad.png", "gone.png"]
    assert "not an image" in found.unreadable[0][1]
    assert np.allclose(found.probabilities, [expected(230)] * 2, atol=1e-4)


def test_the_surest_mistakes_are_kept_with_what_the_model_saw(model: ExpressionModel, tmp_path: Path) -> None:
    levels = np.linspace(20, 250, 40).round().astype(int)
    for i, level in enumerate(levels):
        write_picture(tmp_path / f"{i}.png", np.full((32, 32, 3), level, np.uint8))
    found = ask(model, manifest(tmp_path, *({"image": f"{i}.png"} for i in range(40))))
    sure = found.probabilities.max(axis=1)
    wrong = np.flatnonzero(found.probabilities.argmax(axis=1) != 0)
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    assert [mistake.row for mistake in found.mistakes] == order.tolist()
    for mistake in found.mistakes:
        assert mistake.crop[16, 16, 0] == levels[mistake.row]
        assert (mistake.answer, mistake.confidence) == (
            found.probabilities[mistake.row].argmax(),
            pytest.approx(sure[mistake.row]),
        )


def test_no_readable_picture_gives_no_answer(model: ExpressionModel, tmp_path: Path) -> None:
    found = ask(model, manifest(tmp_path, {"image": "gone.png"}), FramedSquares())
    assert found.probabilities.shape == (0, len(LABELS))
