"""Settings that don't fit together are refused where they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from halfsmile.recipes import ssfer
from halfsmile.recipes.config import Preset, TemporalStageConfig


@pytest.mark.parametrize(
    ("changes", "preset", "message"),
    [
        ({"small_side": 40}, "cpu", "multiple of the network's total stride 16 below 64, found 40"),
        ({"small_side": 64}, "cpu", "below 64, found 64"),
        ({"small_side": 0}, "cpu", "found 0"),
        ({"small_side": 32, "small_share": 1.5}, "cpu", r"small_share must lie in \[0, 1\], found 1.5"),
        ({"small_side": 112}, "paper", "a Transformer takes faces of one size"),
    ],
)
def test_small_faces_that_the_network_cannot_take_are_refused(
    changes: dict[str, Any], preset: Preset, message: str
) -> None:
    recipe = ssfer(preset)
    with pytest.raises(ValueError, match=message):
        replace(recipe, finetune=replace(recipe.finetune, **changes))


def test_a_share_of_its_own_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"own_share must lie in \[0, 1\), found 1"):
        TemporalStageConfig(own_share=1)


def test_a_recipe_knows_its_protocol_once_the_data_are_known() -> None:
    with pytest.raises(ValueError, match="ssfer does not say yet what it is trained and tested on"):
        _ = ssfer().resolved_protocol
