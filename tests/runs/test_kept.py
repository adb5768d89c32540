"""Runs that an earlier version left still open in every command that takes a run.

``kept/`` holds two small runs as the first version wrote them, less checkpoints and pictures; their data are
generated faces, drawn again here.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from halfsmile.cli.main import main
from halfsmile.data.synthetic import generate_sequence, write_data_set, write_sequences
from halfsmile.export.export_run import export_run

KEPT = Path(__file__).parent / "kept"
STAGES = {"stills": ("finetune", "semi"), "frames": ("finetune", "temporal")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("data")
    write_data_set(root / "faces", train=96, test=48, unlabeled=32, size=32, seed=5, people=8)
    clips = (
        generate_sequence(shown, person=person, frames=12, size=32, take=take, difficulty=0.2, spoiled=0.2)
        for person in range(10)
        for take, shown in enumerate(("happiness", "surprise"))
    )
    write_sequences(clips, root / "clips")
    return {"stills": root / "faces/labeled", "frames": root / "clips"}


@pytest.mark.parametrize("name", STAGES)
def test_a_run_of_the_first_version_is_evaluated_reported_and_exported(
    name: str, data: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="needs halfsmile[train]")
    run = Path(shutil.copytree(KEPT / name, tmp_path / name))
    kept = json.loads((run / "metrics.json").read_text())
    main(["evaluate", str(run), "--data", str(data[name])])
    found = json.loads((run / "metrics.json").read_text())
    for stage in STAGES[name]:
        assert found[stage]["nll"] == pytest.approx(kept[stage]["nll"], abs=1e-3)
    main(["report", str(run)])
    assert (run / "report.html").stat().st_size > 10_000
    monkeypatch.setattr("halfsmile.export.export_run.export_run", partial(export_run, seconds=0.0))
    main(["export", str(run), "--data", str(data[name])])
    files = {path.name for path in (run / "export").iterdir()}
    assert "model.onnx" in files
    assert ("temporal.onnx" in files) == (name == "frames")


def test_runs_of_the_first_version_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        shutil.copytree(KEPT / "stills", tmp_path / name)
    recipe = json.loads((tmp_path / "second/recipe.json").read_text())
    (tmp_path / "second/recipe.json").write_text(json.dumps({**recipe, "seed": 1}))
    main(["compare", str(tmp_path / "first"), str(tmp_path / "second")])
    assert "seed" in capsys.readouterr().out
