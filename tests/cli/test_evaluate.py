"""``halfsmile evaluate``: a ready model on any labeled data, a run on its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import halfsmile.predict
from halfsmile.cli.evaluate import show_metrics
from halfsmile.cli.main import main
from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.metrics.scores import Metrics, evaluate_predictions
from halfsmile.runs.folder import RunFolder
from halfsmile.taxonomy import RAFDB

BOX = Path(halfsmile.predict.__file__).parent / "models/default.onnx"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of generated faces in a test split."""
    root = tmp_path_factory.mktemp("own") / "my"
    write_folders(generate(24, size=64, seed=19, people=24, difficulty=0.4), root, split="test")
    return root


@pytest.fixture
def run_folder(trained: RunFolder, tmp_path: Path) -> Path:
    shutil.copytree(trained.path, tmp_path / "run")
    return tmp_path / "run"


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    main(["evaluate", *map(str, arguments)])
    return capsys.readouterr().out


def message(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *map(str, arguments)])
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_the_model_in_the_box_and_its_file_have_the_same_scores(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    box = output(capsys, "--data", faces, "--aligned")
    assert "the model in the box" in box
    assert f"24 labeled rows of {faces}: split test" in box
    assert "Scores of 24 faces" in box
    named = output(capsys, BOX, "--data", faces, "--aligned")
    assert box.splitlines()[1:] == named.splitlines()[1:]
    assert list(tmp_path.iterdir()) == []


def test_files_are_written_where_asked(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores"
    assert f"Report: {out / 'report.html'}" in output(
        capsys, "--data", faces, "--aligned", "--out", out, "--rename", "contempt=none", "disgust=anger"
    )
    assert {path.name for path in out.iterdir()} == {"metrics.json", "predictions.parquet", "report.html"}
    main(["evaluate", "--data", str(faces), "--aligned", "--out", str(out)])  # its own files may be replaced


def test_a_place_that_is_taken_is_refused_before_any_work(
    faces: Path, run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halfsmile.evaluation.evaluate_model.evaluate_model", None)
    assert "is a run folder" in message(capsys, "--data", faces, "--out", run_folder)


def test_what_is_missing_is_told_with_what_to_type(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "`halfsmile evaluate --data DATA`" in message(capsys)
    assert f"`halfsmile evaluate {BOX} --data DATA`" in message(capsys, BOX)
    assert f"`halfsmile evaluate --data {faces}` scores the model in the box" in message(capsys, faces)
    assert "gone.onnx does not exist" in message(capsys, "gone.onnx", "--data", faces)
    assert "--device is for runs" in message(capsys, "--data", faces, "--device", "cpu")
    assert "not both" in message(capsys, "--data", faces, "--aligned", "--detector", "mtcnn")
    assert "names a source" in message(capsys, "--data", faces, "--rename", "my:anger=fear")


def test_a_run_is_measured_on_its_own_data_wherever_they_are(
    run_folder: Path, generated_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(generated_data / "labeled", tmp_path / "moved")
    text = output(capsys, run_folder, "--data", tmp_path / "moved")
    assert "finetune" in text
    assert text == output(capsys, run_folder)


def test_other_data_for_a_run_are_refused_with_the_way_to_measure_on_them(
    run_folder: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(faces, tmp_path / "other")
    shutil.copytree(faces / "test", tmp_path / "other/train")
    wanted = f"`halfsmile evaluate {run_folder}/export/model.onnx --data {tmp_path / 'other'}`"
    text = message(capsys, run_folder, "--data", tmp_path / "other")
    assert f"`halfsmile export {run_folder}`, then {wanted}" in text
    assert f"--data {faces}`" in message(capsys, run_folder, "--data", faces)  # without a training split
    text = message(capsys, run_folder, "--data", tmp_path / "gone")
    assert "gone does not exist" in text
    assert "halfsmile export" not in text


def test_options_of_models_are_refused_for_runs(
    run_folder: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = message(capsys, run_folder, "--data", faces, "--split", "test", "--label-rule", "majority")
    assert "--split, --label-rule are for models" in text
    assert f"`halfsmile evaluate {run_folder}/export/model.onnx --data DATA`" in text


def test_a_stage_that_scores_below_an_earlier_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def scores(*predicted: int) -> Metrics:
        return evaluate_predictions(np.eye(7, dtype=np.float32)[list(predicted)], np.arange(4), RAFDB)

    found = {"finetune": scores(0, 1, 2, 3), "semi": scores(0, 1, 2, 2)}
    show_metrics(found, PROTOCOLS["rafdb"], "all")
    told = "semi scores below an earlier stage on the same faces: accuracy 75.00 % after 100.00 % (finetune)"
    assert told in capsys.readouterr().out
    show_metrics(dict(reversed(found.items())), PROTOCOLS["rafdb"], "all")
    assert "below an earlier stage" not in capsys.readouterr().out
