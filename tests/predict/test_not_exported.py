"""Folders that are given as a model and hold none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.predict.conftest import scene, write_picture

from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.temporal_model import TemporalModel

GENERAL = r"Give an ONNX file, or the folder of a run.* \(`halfsmile train`\) after `halfsmile export RUN`\."


def pictures(folder: Path) -> None:
    for i in range(3):
        write_picture(folder / f"{i}.png", scene([]))


def store(folder: Path) -> None:
    (folder / "index.parquet").write_bytes(b"")


def code(folder: Path) -> None:
    (folder / "main.c").write_text("int main(void) { return 0; }")


def nothing(folder: Path) -> None:
    del folder


@pytest.mark.parametrize(
    ("fill", "what"),
    [
        (store, r"but a face store \(index\.parquet and tar shards\)"),
        (pictures, "but (it seems )?pictures without labels"),
        (code, r"and is no run folder \(no recipe\.json\)"),
        (nothing, r"and is no run folder \(no recipe\.json\)"),
    ],
)
@pytest.mark.parametrize("model", [ExpressionModel.load, TemporalModel])
def test_a_folder_that_is_no_run_is_called_what_it_is(
    tmp_path: Path, model: Callable[[Path], object], fill: Callable[[Path], None], what: str
) -> None:
    fill(tmp_path)
    with pytest.raises(ValueError, match=rf"holds no exported model \(no export/.*\),? {what}.*{GENERAL}"):
        model(tmp_path)


def test_a_folder_in_a_run_points_to_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "semi").mkdir(parents=True)
    (run / "export").mkdir()
    (run / "recipe.json").write_text("{}")
    for folder, way in (("semi", f"{run} --stage semi"), ("export", str(run)), (".", str(run))):
        with pytest.raises(
            ValueError, match=rf"\(no export/model.onnx\): `halfsmile export {way}` makes one"
        ):
            ExpressionModel.load(run / folder)
    with pytest.raises(ValueError, match=rf"only a run with Stage IV has one, and `halfsmile export {run}`"):
        TemporalModel(run / "export")
