"""``halfsmile pseudo-label``: from a store to a labeled list."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.cli.main import main
from halfsmile.data.manifest import Manifest
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.predict.model import ExpressionModel


def test_a_store_becomes_a_labeled_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(generate(40, size=48, seed=1, people=9), tmp_path / "set", split="train")
    store, table, labeled = (str(tmp_path / name) for name in ("store", "labels.csv", "list.parquet"))
    local = ["--workers", "0"]
    main(
        ["data", "prepare", str(tmp_path / "set"), "--out", store, "--aligned", "--layout", "folder", *local]
    )
    main(["pseudo-label", store, "--out", table, "--threshold", "0", "--per-class", "3", *local])
    shown = capsys.readouterr().out
    assert "Accepted from a confidence of 0.000 (as given), at most 3 of a class." in shown
    assert ExpressionModel.load(threads=1).name in shown
    assert f"halfsmile train METHOD --data DATA --pseudo-labels {table} --out RUN" in shown
    main(["data", "import", store, table, "--out", labeled])
    assert "labeled rows have no split" in capsys.readouterr().out
    manifest = Manifest.load(Path(labeled))
    assert max(manifest.counts().values()) == 3
    assert manifest.taxonomy is not None
    assert manifest.taxonomy.labels == ExpressionModel.load(threads=1).labels
    main(["data", "import", store, table, "--out", labeled, "--split", "train"])
    assert "have no split" not in capsys.readouterr().out
    again = Manifest.load(Path(labeled))
    assert [s == "train" for s in again.column("split")] == [n is not None for n in again.column("label")]
    with pytest.raises(SystemExit):
        main(["pseudo-label", store, "--out", table, *local])
    assert "labels.csv exists" in capsys.readouterr().err
