"""Methods by name."""

from __future__ import annotations

from typing import get_args

import pytest

from halfsmile.cli.train import Train
from halfsmile.data.protocols.protocol import PROTOCOLS, DataSet
from halfsmile.method_names import METHOD_NAMES, RENAMED
from halfsmile.methods.family import FAMILY
from halfsmile.recipes import METHODS, recipe_named
from halfsmile.recipes.config import Preset


def test_the_command_line_names_every_size() -> None:
    assert tuple(METHODS) == METHOD_NAMES
    assert set(FAMILY) < set(METHODS)
    for preset in get_args(Preset):
        assert f"'{preset}'" in Train.__annotations__["preset"].replace('"', "'")


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_is_named_after_its_method(name: str) -> None:
    for data_set in get_args(DataSet):
        assert recipe_named(name, data_set=data_set).name == name


def test_only_the_model_in_the_box_brings_a_protocol_of_its_own() -> None:
    found = {name: recipe_named(name).protocol for name in METHODS}
    own = {name: protocol for name, protocol in found.items() if protocol is not None}
    assert set(own) == {"default-model"}
    assert all(protocol not in PROTOCOLS.values() for protocol in own.values())


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"Unknown method 'fixmach'; known are supervised, .* Did you mean fixmatch"
    ):
        recipe_named("fixmach")


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_names_that_carried_a_data_set_are_answered_with_the_new_command(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=f"halfsmile train {new} --data DATA --out RUN"):
        recipe_named(old)
    assert new in METHODS
