"""The page on a model and data that it was not made for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluation.test_evaluate_model import ROWS, photographs
from tests.predict.conftest import FramedSquares, brightness_model
from tests.report.test_report import read

from halfsmile.evaluation.evaluate_model import evaluate_model
from halfsmile.evaluation.model_evaluation import ModelEvaluation
from halfsmile.report.model import LISTED, write_model_report


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ModelEvaluation:
    root = tmp_path_factory.mktemp("scored")
    data = photographs(root / "my <faces>", ROWS)
    (data / "2.png").write_bytes(b"broken")
    model = brightness_model(root / "model.onnx")
    return evaluate_model(model, data=data, detector=FramedSquares(), progress=False)


def test_the_page_has_scores_mistakes_and_what_was_not_scored(found: ModelEvaluation, tmp_path: Path) -> None:
    path = write_model_report(found, tmp_path / "out")
    page = read(path)
    names = ["result", "classes", "mistakes", "confidence", "unscored", "model"]
    assert page.sections == names
    assert page.targets == [f"#{name}" for name in names]
    assert len(page.resources) == 1
    assert page.resources[0].startswith("data:image/png;base64,")
    for text in (
        "brightness on my <faces>",
        "on 66.7 % of 6 faces as the annotators did. Always answering “dark”",
        "answers for these (2 here) count as wrong",
        "No face was found for 1 of 7 rows",
        "No test face is labeled bright",
        "found by FramedSquares, the surest of a picture",
        "Certain answers (confidence from 0.750 on)",
        "6.png",
        "damaged, cut short, or not an image",
        "does not recognize what a person feels",
        str(found.sha256),
    ):
        assert text in page.text
    assert "Labels seen" not in page.text
    assert not re.findall(r'href="(?!#)', path.read_text(encoding="utf-8"))


def test_a_flawless_model_has_no_mistakes_to_show(found: ModelEvaluation, tmp_path: Path) -> None:
    page = read(write_model_report(replace(found, mistakes=None, no_face=(), unreadable=()), tmp_path))
    assert page.sections == ["result", "classes", "confidence", "model"]


def test_a_long_list_is_cut_and_says_where_the_rest_is(found: ModelEvaluation, tmp_path: Path) -> None:
    many = tuple(f"{i}.png" for i in range(LISTED + 10))
    page = read(write_model_report(replace(found, no_face=many), tmp_path))
    assert f"{LISTED - 1}.png" in page.text
    assert f"{LISTED}.png" not in page.text
    assert f"The first {LISTED} of {LISTED + 10}; metrics.json lists all." in page.text


def test_without_matplotlib_the_numbers_stand_in_for_the_charts(
    found: ModelEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halfsmile.report.charts.can_draw", lambda: False)
    path = write_model_report(found, tmp_path)
    assert "<svg" not in path.read_text(encoding="utf-8")
    page = read(path)
    assert "Charts are left out: matplotlib is not installed." in page.text
    assert "93 to 100 %" in page.text or "87 to 93 %" in page.text
    assert "Accuracy below the mean confidence: too sure of itself" in page.text
    assert "Certain answers" in page.text


def test_other_files_are_not_written_over(found: ModelEvaluation, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("precious")
    with pytest.raises(ValueError, match="which no evaluation of a model wrote"):
        write_model_report(found, tmp_path)
