"""What the help explains of a training method."""

from __future__ import annotations

import re

import pytest

from halfsmile.cli.methods import explain


def test_each_stage_and_field_of_a_method_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    explain(["train", "ssfer", "--help"])
    told = capsys.readouterr().out
    assert "ssfer has 4 stages:" in told
    for field in ("pretrain.mask_ratio=0.6", "finetune.mixing=mixup", "semi.weight=2.0"):
        assert re.search(rf"  {re.escape(field)}\n      \w", told), field


def test_without_a_method_the_way_to_its_help_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    explain(["train", "--help"])
    assert "halfsmile train METHOD --help" in capsys.readouterr().out
