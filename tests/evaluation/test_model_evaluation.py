"""The result of scoring a model: what people are shown, and where it may be written."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.evaluation.test_evaluate_model import ROWS, photographs
from tests.predict.conftest import FramedSquares, brightness_model

from halfsmile.data.manifest import Fault
from halfsmile.evaluation.evaluate_model import evaluate_model
from halfsmile.evaluation.model_evaluation import (
    CertainAnswers,
    ModelEvaluation,
    certain_sentence,
    require_place,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> ModelEvaluation:
    root = tmp_path_factory.mktemp("scored")
    data = photographs(root / "data", ROWS)
    (data / "2.png").write_bytes(b"broken")
    model = brightness_model(root / "model.onnx")
    return evaluate_model(model, data=data, detector=FramedSquares(), progress=False)


def shown(found: ModelEvaluation) -> str:
    text = io.StringIO()
    found.show(Console(file=text, width=80))
    return text.getvalue()


def test_people_see_the_scores_and_what_they_are_of(found: ModelEvaluation) -> None:
    text = shown(found)
    for part in (
        "model: brightness (",
        "data:  faces of one's own · tested on all labeled rows · by accuracy",
        "8 labeled rows of",
        "faces: found by FramedSquares, the surest of a picture",
        "Scores of 6 faces",
        "66.67 %",
        "answers for these (2 here) count as wrong",
        "Certain answers (confidence from 0.750 on)",
        "No face was found for 1 of 7 rows, and the scores leave them out; counted as wrong, they make an "
        "accuracy of 57.14 %.",
        "1 picture could not be read and took no part.",
        "  6.png: no face found",
        "  2.png: damaged, cut short, or not an image",
        "rows are the truth, columns the answers",
    ):
        assert part in text


def test_people_see_what_reading_the_data_left_out(found: ModelEvaluation) -> None:
    notes = (Fault("2 rows of labels.csv can't be understood and were left out."), "Columns not used: id.")
    text = shown(replace(found, notes=notes))
    assert notes[0] in text
    assert notes[1] not in text


def test_a_long_list_of_missing_faces_is_cut(found: ModelEvaluation) -> None:
    many = replace(found, no_face=tuple(f"{i}.png" for i in range(20)))
    assert "  4.png: no face found\n  … and 16 more; --out FOLDER lists all of them" in shown(many)


def test_names_that_look_like_markup_are_shown_as_they_are(found: ModelEvaluation) -> None:
    odd = replace(found, no_face=("[bold]a[/bold].png",), unreadable=())
    text = io.StringIO()
    odd.show(Console(file=text, width=200, markup=False, highlight=False))
    assert "[bold]a[/bold].png: no face found" in text.getvalue()


def test_what_the_threshold_does_is_said() -> None:
    assert certain_sentence(None).startswith("The model has no threshold of certainty")
    assert certain_sentence(CertainAnswers(1.0, 0.1, 0.0, None)).endswith(
        "(confidence from 1.000 on): 0.0 %."
    )
    text = certain_sentence(CertainAnswers(0.6, 0.05, 0.5, 0.125))
    assert text.endswith("from 0.600 on): 50.0 %, of which 12.5 % are wrong (the threshold aims at 5 %).")


def test_other_files_are_not_written_over(found: ModelEvaluation, tmp_path: Path) -> None:
    found.write(tmp_path / "ours")
    require_place(tmp_path / "ours")
    require_place(tmp_path / "new/folder")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.json").write_text("{}")
    with pytest.raises(ValueError, match=r"is a run folder, whose own metrics\.json would be lost"):
        require_place(tmp_path / "run")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/report.html").write_text("precious")
    with pytest.raises(ValueError, match=r"holds report\.html, which no evaluation of a model wrote"):
        found.write(tmp_path / "foreign")
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ValueError, match="is a file; --out takes a folder"):
        require_place(tmp_path / "file")
    assert (tmp_path / "foreign/report.html").read_text() == "precious"
