"""A method that the package does not have is trained, resumed, evaluated and compared like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from examples.new_method import Gap, main
from torch import nn

import halfsmile
from halfsmile.transforms.augment import NONE

SHORT = ("pretrain.epochs=1", "finetune.epochs=2", "semi.epochs=1")


def test_a_label_counts_where_it_leads_by_the_gap() -> None:
    task = Gap(gap=0.5).task(nn.Identity(), weak=NONE, strong=NONE)
    named = task.pseudo_label(torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.25, 0.05], [0.1, 0.1, 0.8]]).log())
    assert named.labels.tolist() == [0, 0, 2]
    assert named.weights.tolist() == [1.0, 0.0, 1.0]


def test_both_methods_learn_from_the_same_and_differ_in_stage_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(draw=280, labels="5", gap=0.0, settings=SHORT, out=tmp_path)
    first, second = tmp_path / "fixmatch", tmp_path / "gap"
    for file in ("labels.parquet", "pretrain/model.safetensors", "finetune/model.safetensors"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
    assert (first / "semi/model.safetensors").read_bytes() != (second / "semi/model.safetensors").read_bytes()
    shown = capsys.readouterr().out
    assert "gap accepts 100% of its labels, and " in shown
    assert "semi.method.gap" in shown
    assert (second / "report.html").exists()

    finished = (second / "semi/result.json").stat().st_mtime_ns
    main(labels="5", gap=0.0, settings=SHORT, out=tmp_path)  # the same again trains nothing
    assert (second / "semi/result.json").stat().st_mtime_ns == finished
    run = halfsmile.Run.open(second)
    assert run.recipe.semi is not None
    assert run.recipe.semi.method.name == "gap"
    accuracy = json.loads((second / "metrics.json").read_text(encoding="utf-8"))["final"]["accuracy"]
    assert run.evaluate().accuracy == accuracy
    with pytest.raises(ValueError, match=r"(?s)another recipe.*semi\.method\.gap \(0\.0 / 0\.9\)"):
        main(labels="5", gap=0.9, settings=SHORT, out=tmp_path)
