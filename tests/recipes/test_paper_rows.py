"""The twelve rows of SSFER's table are one command each, on the true layouts with generated faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.data.layouts import write_affectnet, write_ferplus, write_rafdb

from halfsmile.cli.main import main
from halfsmile.training import run

ROWS = [
    *(("RAF-DB", labels, None, 7) for labels in ("5%", "10%", "25%")),
    *(("FERPlus", labels, None, 8) for labels in ("5%", "10%", "25%")),
    *(("AffectNet", labels, 7, 7) for labels in ("1%", "5%", "10%")),
    *(("AffectNet", labels, 8, 8) for labels in ("1%", "5%", "10%")),
]
PER_CLASS = 20
"""Training faces of each class, so that 5, 10 and 25 % are 1, 2 and 5 of them."""

SMALL = [
    "encoder.width=16",
    "encoder.heads=2",
    "encoder.depth=1",
    "encoder.stem=4,8",
    "pretrain.epochs=1",
    "pretrain.decoder_width=16",
    "pretrain.decoder_heads=2",
    "finetune.epochs=1",
    "semi.epochs=1",
    "semi.labeled_batch=8",
    "semi.unlabeled_batch=16",
]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trees")
    writers: dict[str, Callable[..., None]] = {
        "RAF-DB": write_rafdb,
        "FERPlus": write_ferplus,
        "AffectNet": write_affectnet,
    }
    for name, write in writers.items():
        write(root / name, train=PER_CLASS)
    return root


@pytest.mark.parametrize(("data", "labels", "classes", "count"), ROWS)
def test_a_row_is_one_command(
    data: str,
    labels: str,
    classes: int | None,
    count: int,
    trees: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run, "_precision", lambda *_: "float32")
    command = [
        "train",
        "ssfer",
        "--data",
        str(trees / data),
        "--labels",
        labels,
        "--out",
        str(tmp_path / "run"),
    ]
    command += ["--classes", str(classes)] if classes else []
    main([*command, "--preset", "tiny", "--set", *SMALL])
    shown = capsys.readouterr().out.replace("\n", " ")
    assert f"· {labels} of the labels" in shown
    assert "published for the same: SSFER" in shown
    facts = json.loads((tmp_path / "run/data.json").read_text())
    assert len(facts["taxonomy"]) == count
    share = float(labels.removesuffix("%")) / 100
    assert set(facts["labeled"].values()) == {max(1, round(share * PER_CLASS))}
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert recipe["protocol"]["num_classes"] == (classes if data == "AffectNet" else None)
    assert (tmp_path / "run/report.html").is_file()
