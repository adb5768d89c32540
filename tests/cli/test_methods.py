"""What the command line knows of the training methods without torch, and what their help explains."""

from __future__ import annotations

import re

import pytest

from halfsmile.cli.methods import METHOD_NAMES, RENAMED, explain, require_method
from halfsmile.recipes import named


def test_names_are_those_of_the_recipes() -> None:
    assert tuple(named.METHODS) == METHOD_NAMES
    assert named.RENAMED == RENAMED


@pytest.mark.parametrize("name", [*RENAMED, "sfer", "fixmach", "resnet"])
def test_both_places_refuse_a_name_in_the_same_words(name: str) -> None:
    with pytest.raises(ValueError, match=name) as told:
        named.recipe_named(name)
    with pytest.raises(ValueError, match=re.escape(str(told.value))):
        require_method(name)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_method_that_there_is_is_taken(name: str) -> None:
    require_method(name)


def test_each_stage_and_field_of_a_method_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    explain(["train", "ssfer", "--help"])
    told = capsys.readouterr().out
    assert "ssfer has 3 stages:" in told
    for field in ("pretrain.mask_ratio=0.6", "finetune.mixing=facemix", "semi.weight=2.0"):
        assert re.search(rf"  {re.escape(field)}\n      \w", told), field


def test_without_a_method_the_way_to_its_help_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    explain(["train", "--help"])
    assert "halfsmile train METHOD --help" in capsys.readouterr().out
