"""Recipes survive the way through JSON, and say where they differ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from halfsmile.data.protocols import PROTOCOLS
from halfsmile.methods.family import FAMILY
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.recipes import METHODS, recipe_named, semi, ssfer
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.named import RENAMED
from halfsmile.recipes.serialize import differences, from_json, to_json

PRESETS: tuple[Preset, ...] = get_args(Preset)


def every_recipe() -> list[Recipe]:
    return [
        replace(made, protocol=made.protocol or PROTOCOLS["affwild2"])
        for made in (
            recipe_named(name, preset, data_set="affwild2") for name in METHODS for preset in PRESETS
        )
    ]


@pytest.mark.parametrize("recipe", every_recipe(), ids=lambda recipe: f"{recipe.name}-{recipe.preset}")
def test_round_trip_through_json(recipe: Recipe) -> None:
    text = json.dumps(to_json(recipe))
    again = from_json(json.loads(text))
    assert again == recipe
    assert json.dumps(to_json(again)) == text
    assert differences(json.loads(text), to_json(recipe)) == []


def edited(change: dict[str, Any]) -> dict[str, Any]:
    """A recipe in JSON with values set or, where None, removed by dotted name."""
    value: dict[str, Any] = json.loads(json.dumps(to_json(replace(ssfer(), protocol=PROTOCOLS["ferplus"]))))
    for dotted, new in change.items():
        *path, last = dotted.split(".")
        place = value
        for key in path:
            place = place[key]
        if new is None:
            del place[last]
        else:
            place[last] = new
    return value


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"speed": 9}, ["recipe does not fit", "'speed'"]),
        ({"semi.mood": 1}, ["recipe.semi does not fit", "'mood'"]),
        ({"finetune.optim.beta": 1}, ["recipe.finetune.optim does not fit", "'beta'"]),
        ({"encoder": None}, ["recipe does not fit", "'encoder'"]),
        ({"finetune.epochs": None}, ["recipe.finetune does not fit", "'epochs'"]),
        ({"encoder": "vit"}, ["recipe.encoder does not fit", "vit"]),
        ({"semi.method.name": "guess"}, ["recipe.semi.method does not fit", "fixmatch", "guess"]),
        ({"semi.method": "fixmatch"}, ["recipe.semi.method does not fit", "fixmatch"]),
        ({"semi.method.name": None}, ["recipe.semi.method does not fit", "0.7"]),
        ({"semi.method.name": "debias", "semi.method.warmth": 1}, ["recipe.semi.method does", "'momentum'"]),
        ({"encoder.teeth": 1}, ["recipe.encoder does not fit", "'teeth'"]),
    ],
)
def test_unknown_and_missing_keys_are_named(change: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ValueError, match="does not fit this version") as caught:
        from_json(edited(change))
    for text in named:
        assert text in str(caught.value)


OPTIONAL = ("seed", "temporal", "protocol.group", "protocol.test_people", "init", "standardize", "flip")


def test_a_recipe_from_before_a_field_existed_takes_its_default() -> None:
    recipe = replace(ssfer(), protocol=PROTOCOLS["ferplus"])
    old = edited(dict.fromkeys([*OPTIONAL, "finetune.sampling", "finetune.optim.clip", "encoder.std"]))
    optim = replace(recipe.finetune.optim, clip=None)
    assert "temporal" not in old
    assert from_json(old) == replace(recipe, finetune=replace(recipe.finetune, optim=optim))
    assert type(from_json(old).encoder) is type(recipe.encoder)


def test_values_are_checked_where_they_are_decoded() -> None:
    with pytest.raises(ValueError, match="flip"):
        from_json(edited({"finetune.augment.flip": 2.0}))


def test_differences_are_dotted_names_with_both_values() -> None:
    recipe = replace(ssfer(), protocol=PROTOCOLS["ferplus"])
    assert recipe.semi is not None
    other = replace(
        recipe,
        seed=1,
        finetune=replace(recipe.finetune, optim=replace(recipe.finetune.optim, clip=None)),
        semi=replace(recipe.semi, method=FixMatch(threshold=0.95)),
    )
    assert differences(to_json(recipe), to_json(other)) == [
        "finetune.optim.clip (5.0 / None)",
        "seed (0 / 1)",
        "semi.method.threshold (0.7 / 0.95)",
    ]
    (without,) = differences(to_json(recipe), to_json(replace(recipe, semi=None)))
    assert without.startswith("semi (")
    assert without.endswith(" / None)")


def test_lists_and_tuples_with_equal_items_do_not_differ() -> None:
    assert differences({"a": [1, 2]}, {"a": (1, 2)}) == []
    assert differences({"a": [1, 2]}, {"a": (1, 3)}) == ["a ([1, 2] / (1, 3))"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", FAMILY)
def test_every_method_survives_json_in_every_preset(method: str, preset: Preset) -> None:
    recipe = semi(method, preset, sampling="sqrt", unlabeled="all")
    assert recipe.semi is not None
    text = json.dumps(to_json(recipe))
    assert json.loads(text)["semi"]["method"]["name"] == recipe.semi.method.name == method
    assert from_json(json.loads(text)) == recipe


OLD = {
    "ssfer-ferplus": ("ferplus", "argmax", ["valid", "test"], None, None),
    "supervised-folders": ("class-folders", None, ["test"], None, None),
    "sequences-synthetic": ("sequences", None, ["test"], "person", 0.3),
    "abaw6-affwild2": ("affwild2", None, ["valid"], "video", None),
}


@pytest.mark.parametrize("name", OLD)
def test_a_recipe_whose_name_carried_its_data_set_is_read_as_todays(name: str) -> None:
    data_set, rule, splits, group, people = OLD[name]
    today = "faces" if data_set == "class-folders" else data_set
    recipe = replace(recipe_named(RENAMED[name], data_set=today), protocol=PROTOCOLS[today])  # type: ignore[arg-type,index]
    value = json.loads(json.dumps(to_json(recipe)))
    del value["protocol"]
    fields = {
        "data_set": data_set,
        "label_rule": rule,
        "test_splits": splits,
        "group": group,
        "test_people": people,
    }
    assert from_json({**value, "name": name, **fields}) == recipe


def test_the_row_of_a_table_of_methods_is_named_after_its_method() -> None:
    value = json.loads(json.dumps(to_json(semi("debias"))))
    fields = {"data_set": "ferplus", "label_rule": "argmax", "test_splits": ["valid", "test"]}
    assert from_json({**value, "name": "semi-ferplus", **fields}).name == "debias"
