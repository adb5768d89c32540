"""Every field that ``--set`` takes is explained, once."""

from __future__ import annotations

import pytest

from halfsmile.cli.train import METHOD_NAMES
from halfsmile.recipes.meanings import arguments, field_meanings
from halfsmile.recipes.named import recipe_named
from halfsmile.recipes.overrides import field_values


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_field_is_explained_where_it_stands_first(method: str) -> None:
    recipe = recipe_named(method)
    meanings = field_meanings(recipe)
    told = {name.rpartition(".")[2] for name, said in meanings.items() if said}
    for name, _ in field_values(recipe):
        last = name.rpartition(".")[2]
        assert last in told or name == "semi.method.name", f"{name} has no meaning"


def test_fields_that_several_parts_share_are_told_once() -> None:
    meanings = field_meanings(recipe_named("ssfer"))
    assert meanings["pretrain.optim.warmup"]
    assert "semi.optim.warmup" not in meanings
    assert meanings["pretrain.augment.flip"] == "Probability of mirroring left and right."
    assert "finetune.augment.flip" not in meanings


def test_stages_that_call_different_things_alike_tell_each() -> None:
    meanings = field_meanings(recipe_named("ssfer"))
    assert "labeled" in meanings["finetune.epochs"]
    assert "unlabeled" in meanings["semi.epochs"]


def test_marks_of_docstrings_are_left_out_and_nothing_is_none() -> None:
    class Example:
        """An example.

        Args:
            first: Of :class:`~halfsmile.recipes.config.Recipe`, ``a`` or
                `b`.
            second (int): None for none.

        Raises:
            ValueError: never.
        """

    assert arguments(Example) == {
        "first": "Of halfsmile.recipes.config.Recipe, a or b.",
        "second": "none for none.",
    }
