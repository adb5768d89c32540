"""Scoring a ready model: every number by hand, every picture accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as oracle
from tests.predict.conftest import LABELS, FramedSquares, brightness_model, scene, write_picture

from halfsmile.evaluation.evaluate_model import evaluate_model
from halfsmile.predict.model import ExpressionModel
from halfsmile.runs.predictions import read_predictions

LEVEL = {"dark": 32, "dim": 96, "light": 160, "bright": 224}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names the brightness of the middle of a face; certain from 0.75 on."""
    return brightness_model(tmp_path_factory.mktemp("model") / "brightness.onnx")


@pytest.fixture(scope="module")
def model(model_file: Path) -> ExpressionModel:
    return ExpressionModel.load(model_file, threads=1)


def photographs(root: Path, rows: list[tuple[str, str]]) -> Path:
    """A table of (label, what is seen); what is not a brightness is no face."""
    lines = ["image,label"]
    for i, (label, seen) in enumerate(rows):
        squares = [(30 + i, 40, LEVEL[seen])] if seen in LEVEL else []
        write_picture(root / f"{i}.png", scene(squares))
        lines.append(f"{i}.png,{label}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


ROWS = [
    ("dark", "dark"), ("dark", "dark"), ("dark", "dim"), ("dim", "dim"), ("dim", "bright"),
    ("light", "light"), ("dark", "nothing"), ("light", "bright"),
]  # fmt: skip


def test_scores_are_those_of_the_faces_that_were_found(model: ExpressionModel, tmp_path: Path) -> None:
    found = evaluate_model(model, data=photographs(tmp_path, ROWS), detector=FramedSquares(), progress=False)
    scored = [(label, seen) for label, seen in ROWS if seen != "nothing"]
    truth, answers = zip(*scored, strict=True)
    assert found.accuracy == pytest.approx(4 / 7)
    assert found.accuracy_of_all == pytest.approx(4 / 8)
    assert found.no_face == ("6.png",)
    classes = ("dark", "dim", "light")
    assert found.classes == classes
    assert found.balanced_accuracy == pytest.approx(
        oracle.recall_score(truth, answers, labels=classes, average="macro")
    )
    assert found.macro_f1 == pytest.approx(oracle.f1_score(truth, answers, labels=classes, average="macro"))
    assert found.answers_elsewhere == {"bright": 2}
    assert "not bright: answers for these (2 here) count as wrong" in found.scoring()
    for name, interval in found.intervals.items():
        assert interval.estimate == pytest.approx(getattr(found, name))
        assert interval.low <= interval.estimate <= interval.high
    assert found.metrics.confusion.tolist() == oracle.confusion_matrix(truth, answers, labels=LABELS).tolist()


def test_certain_answers_are_judged_at_the_models_threshold(model: ExpressionModel, tmp_path: Path) -> None:
    found = evaluate_model(model, data=photographs(tmp_path, ROWS), detector=FramedSquares(), progress=False)
    certain = found.certain
    assert certain is not None
    sure = found.predictions.confidence >= 0.75
    assert (certain.threshold, certain.target_error) == (0.75, 0.1)
    assert certain.share == pytest.approx(sure.mean())
    right = found.predictions.predicted == found.predictions.targets
    assert certain.error == pytest.approx(1 - right[sure].mean())


def test_a_model_without_or_with_an_unreachable_threshold(tmp_path: Path) -> None:
    data = photographs(tmp_path, ROWS)
    none = brightness_model(tmp_path / "none.onnx", threshold=None)
    assert evaluate_model(none, data=data, detector=FramedSquares(), progress=False).certain is None
    never = brightness_model(tmp_path / "never.onnx", threshold=1.0)
    certain = evaluate_model(never, data=data, detector=FramedSquares(), progress=False).certain
    assert certain is not None
    assert (certain.share, certain.error) == (0.0, None)


def test_pictures_are_taken_as_they_are_only_if_asked_or_cut_by_nature(
    model: ExpressionModel, tmp_path: Path
) -> None:
    for label, level in LEVEL.items():
        for i in range(2):
            write_picture(tmp_path / label / f"{i}.png", np.full((40, 40, 3), level, np.uint8))
    found = evaluate_model(model, data=tmp_path, layout="class_folders", aligned=True, progress=False)
    assert found.accuracy == 1.0
    assert found.mistakes is None
    assert found.faces == "faces: the pictures as they are, as asked"
    with pytest.raises(ValueError, match="not both"):
        evaluate_model(model, data=tmp_path, layout="class_folders", aligned=True, detector="mtcnn")
    with pytest.raises(ValueError, match="No face was found in any of 8 pictures") as caught:
        evaluate_model(model, data=tmp_path, layout="class_folders", detector=FramedSquares(), progress=False)
    assert "take them as they are with --aligned" in str(caught.value)


def test_most_pictures_without_a_face_bring_the_hint_only_if_they_look_cut(
    model: ExpressionModel, tmp_path: Path
) -> None:
    data = photographs(tmp_path, [*ROWS[:4], *[("dark", "nothing")] * 6])
    found = evaluate_model(model, data=data, detector=FramedSquares(), progress=False)
    assert len(found.no_face) == 6
    assert found.hint is None  # the photographs are not square
    for i in range(4, 10):
        write_picture(data / f"{i}.png", np.full((48, 48, 3), 32, np.uint8))
    found = evaluate_model(model, data=data, detector=FramedSquares(), progress=False)
    assert "--aligned" in str(found.hint)
    assert found.accuracy == 0.75


def test_no_readable_picture_is_an_error(model: ExpressionModel, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,label\na.png,dark\nb.png,dim\n")
    with pytest.raises(ValueError, match=r"None of 2 pictures below .* could be read; first: a.png"):
        evaluate_model(model, data=tmp_path / "labels.csv", detector=FramedSquares(), progress=False)


def test_what_is_written_can_be_read_back(model_file: Path, tmp_path: Path) -> None:
    data = photographs(tmp_path / "data", ROWS)
    (data / "2.png").write_bytes(b"broken")
    found = evaluate_model(model_file, data=data, detector=FramedSquares(), progress=False)
    found.write(tmp_path / "out")
    stored = read_predictions(tmp_path / "out/predictions.parquet")
    assert stored.images == found.predictions.images
    assert np.array_equal(stored.probabilities, found.predictions.probabilities)
    assert stored.taxonomy.labels == LABELS
    values = json.loads((tmp_path / "out/metrics.json").read_text())
    assert values["accuracy"] == found.accuracy == stored.metrics().accuracy
    assert values["no_face"] == ["6.png"]
    assert [name for name, _ in values["unreadable"]] == ["2.png"]
    assert values["model"]["sha256"] == found.sha256
    assert values["rows"].startswith("8 labeled rows of")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "metrics.json",
        "predictions.parquet",
    ]


def test_other_names_of_classes_are_renamed(model: ExpressionModel, tmp_path: Path) -> None:
    data = photographs(tmp_path, [("night", "dark"), ("day", "bright"), ("dusk", "dim")])
    with pytest.raises(ValueError, match="--rename day=none dusk=none night=none"):
        evaluate_model(model, data=data, detector=FramedSquares(), progress=False)
    names = {"night": "dark", "day": "bright", "dusk": None}
    found = evaluate_model(model, data=data, rename=names, detector=FramedSquares(), progress=False)
    assert (found.accuracy, found.metrics.count, found.dropped) == (1.0, 2, 1)
