"""The functions that programs call."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import halfsmile
import halfsmile.predict
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.predict.model import ExpressionModel
from halfsmile.runs.folder import RunFolder

BOX = Path(halfsmile.predict.__file__).parent / "models/default.onnx"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own") / "my"
    write_folders(generate(24, size=64, seed=19, people=24, difficulty=0.4), root, split="test")
    return root


def test_a_model_is_scored_by_name_by_file_or_loaded(faces: Path, tmp_path: Path) -> None:
    box = halfsmile.evaluate(data=faces, aligned=True, out=tmp_path / "scores", progress=False)
    loaded = halfsmile.evaluate(ExpressionModel.load(), data=str(faces), aligned=True, progress=False)
    assert box.accuracy == loaded.accuracy
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {
        "metrics.json",
        "predictions.parquet",
        "report.html",
    }


def test_a_run_is_scored_by_its_exported_model(faces: Path, trained: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    shutil.copyfile(BOX, tmp_path / "export/model.onnx")
    found = halfsmile.evaluate(halfsmile.Run(tmp_path), data=faces, aligned=True, progress=False)
    assert found.accuracy == halfsmile.evaluate(data=faces, aligned=True, progress=False).accuracy
    assert str(tmp_path) in found.source
    with pytest.raises(ValueError, match="holds no exported model") as caught:
        halfsmile.evaluate(halfsmile.Run(trained.path), data=faces)
    assert f"`halfsmile export {trained.path}` makes one" in str(caught.value)
