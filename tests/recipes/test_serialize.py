"""Recipes survive the way through JSON and through the file of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.method_names import RENAMED
from halfsmile.methods.family import FAMILY
from halfsmile.recipes import METHODS, recipe_named, semi, ssfer
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.serialize import from_json, read_recipe, to_json
from halfsmile.runs.settings import differences
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.tasks import new_classifier, semi_task
from halfsmile.utils.files import write_json

PRESETS: tuple[Preset, ...] = get_args(Preset)


def every_recipe() -> list[Recipe]:
    return [
        replace(made, protocol=made.protocol or PROTOCOLS["affwild2"])
        for made in (
            recipe_named(name, preset, data_set="affwild2")
            for name in METHODS
            for preset in PRESETS
            if (name, preset) != ("default-model", "paper")
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
        ({"semi.method.name": 7}, ["recipe.semi.method does not fit", "fixmatch", "7"]),
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


def test_a_method_of_elsewhere_is_kept_as_it_is_and_trains_nothing() -> None:
    given = edited({"semi.method": {"name": "guess", "inner": {"depth": 2}, "rates": [0.1, 0.2]}})
    recipe = from_json(given)
    assert recipe.semi is not None
    assert recipe.semi.method.name == "guess"
    assert json.loads(json.dumps(to_json(recipe))) == given
    assert from_json(given) == recipe
    with pytest.raises(ValueError, match="'guess' is none of halfsmile's"):
        semi_task(recipe.semi, new_classifier(recipe, FERPLUS))


OPTIONAL = ("seed", "temporal", "protocol.group", "protocol.test_people", "init", "standardize", "flip")


def test_a_recipe_from_before_a_field_existed_takes_its_default() -> None:
    recipe = replace(ssfer(), protocol=PROTOCOLS["ferplus"])
    old = edited(dict.fromkeys([*OPTIONAL, "finetune.sampling", "finetune.optim.clip", "encoder.std"]))
    optim = replace(recipe.finetune.optim, clip=None)
    assert "temporal" not in old
    assert from_json(old) == replace(
        recipe, finetune=replace(recipe.finetune, sampling="natural", optim=optim)
    )
    assert type(from_json(old).encoder) is type(recipe.encoder)


def test_values_are_checked_where_they_are_decoded() -> None:
    with pytest.raises(ValueError, match="flip"):
        from_json(edited({"finetune.augment.flip": 2.0}))


def test_the_recipe_of_a_run_is_read_from_its_file(tmp_path: Path) -> None:
    recipe = recipe_named("ssfer", "cpu", data_set="ferplus")
    write_json(tmp_path / "recipe.json", to_json(recipe))
    assert read_recipe(tmp_path / "recipe.json") == recipe


@pytest.mark.parametrize("text", [None, "{", "[]", '{"name": "x"}'])
def test_a_damaged_recipe_is_refused_by_the_name_of_its_file(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(ValueError, match=r"recipe\.json can't be read as a recipe"):
        read_recipe(tmp_path / "recipe.json")


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
