"""From faces in folders to an exported model that names a picture."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from examples.few_labels import main

from halfsmile.predict.model import ExpressionModel

SHORT = ("pretrain.epochs=1", "finetune.epochs=2", "semi.epochs=1")


def test_two_trainings_on_the_same_labels_end_in_a_model_that_names_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(draw=240, labels="4", settings=SHORT, out=tmp_path)
    baseline, ssfer = tmp_path / "supervised", tmp_path / "ssfer"
    assert (baseline / "labels.parquet").read_bytes() == (ssfer / "labels.parquet").read_bytes()
    counts = {run.name: json.loads((run / "data.json").read_text()) for run in (baseline, ssfer)}
    assert counts["supervised"]["labeled"] == counts["ssfer"]["labeled"]
    assert set(counts["ssfer"]["labeled"].values()) == {4}
    assert list(counts["ssfer"]["pretrain_images"]) == [
        str(tmp_path / "labeled"),
        str(tmp_path / "unlabeled"),
    ]
    assert (ssfer / "report.html").exists()
    assert len(ExpressionModel.load(ssfer).labels) == 8
    shown = capsys.readouterr().out
    assert "Against supervised" in shown
    assert re.search(r"/test/\w+/\w+\.png: \w+ \d+%, \w+ \d+%, \w+ \d+%", shown)
