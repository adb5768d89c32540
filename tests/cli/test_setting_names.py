"""Settings are known without torch: the table agrees with the recipes, and tells what is wrong."""

from __future__ import annotations

from itertools import product

import pytest

from halfsmile.cli.setting_names import FIELDS, require_settings
from halfsmile.data.protocols.protocol import DataSet
from halfsmile.method_names import METHOD_NAMES
from halfsmile.recipes import named
from halfsmile.recipes.config import Preset
from halfsmile.recipes.overrides import field_values

PRESETS: tuple[Preset, ...] = ("tiny", "cpu", "paper")
DATA_SETS: tuple[DataSet, ...] = ("faces", "sequences")


def test_every_field_of_every_recipe_is_in_the_table_with_a_value_that_it_takes() -> None:
    seen = set()
    made = 0
    for method, preset, data_set in product(METHOD_NAMES, PRESETS, DATA_SETS):
        try:
            recipe = named.recipe_named(method, preset, data_set=data_set)
        except ValueError:  # of a size that the method does not come in
            continue
        made += 1
        for name, value in field_values(recipe):
            require_settings((f"{name}={value}",))
            seen.add(name)
    assert made > len(METHOD_NAMES) * len(DATA_SETS)
    inner = {name for name in FIELDS if any(other.startswith(f"{name}.") for other in FIELDS)}
    assert set(FIELDS) - seen - inner - {"semi.method.name"} <= _OF_SOME


_OF_SOME = {"encoder.pre_norm"} | {name for name in FIELDS if name.startswith("temporal.network.")}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("finetune.epoch=3", r"No recipe has a field 'finetune.epoch'\. Did you mean finetune\.epochs"),
        ("nonsense", r"give stage\.field=value"),
        ("seed=1.5", "seed is a whole number, found '1.5'"),
        ("flip=maybe", "flip is true or false"),
        ("finetune.mixing=blend", "is one of facemix, mixup, cutmix, none; found 'blend'"),
    ],
)
def test_what_is_wrong_is_told(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_settings((setting,))


def test_none_is_a_value_where_a_field_may_be_left_out() -> None:
    require_settings(("finetune.ema_decay=none", "semi=none"))
    with pytest.raises(ValueError, match="is a number"):
        require_settings(("finetune.epochs=none",))
