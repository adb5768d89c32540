"""What runs differ in is said, and nothing else."""

from dataclasses import replace
from typing import Any

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.recipes import ssfer
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.settings import completed, differences, differing_settings, group_names


def semi(method: str, **options: float) -> dict[str, object]:
    return {"epochs": 2, "method": {"name": method, **options}}


def test_a_part_that_one_recipe_lacks_is_one_setting() -> None:
    with_part = {"semi": {"epochs": 2, "weak": {"flip": 0.5}}, "labels": "10%"}
    first, second = differing_settings([with_part, {"semi": None, "labels": "20%"}])
    assert first == {"labels": "10%", "semi": "yes"}
    assert second == {"labels": "20%", "semi": None}


def test_recipes_that_have_a_part_are_told_apart_by_what_is_in_it() -> None:
    recipes: list[dict[str, Any]] = [
        {"semi": None},
        {"semi": semi("fixmatch", threshold=0.7)},
        {"semi": semi("softmatch")},
    ]
    assert differing_settings(recipes) == [
        {"semi": None},
        {"semi": "yes", "semi.method.name": "fixmatch", "semi.method.threshold": 0.7},
        {"semi": "yes", "semi.method.name": "softmatch"},
    ]
    names = group_names([("row", recipe) for recipe in recipes])
    assert names[0] == "row (semi=–)"
    assert "softmatch" in names[2]
    assert len(set(names)) == 3


def test_a_part_within_a_part_that_is_missing() -> None:
    recipes: list[dict[str, Any]] = [
        {"semi": None},
        {"semi": {"guard": None}},
        {"semi": {"guard": {"least": 1}}},
    ]
    assert differing_settings(recipes) == [
        {"semi": None},
        {"semi": "yes", "semi.guard": None},
        {"semi": "yes", "semi.guard": "yes"},
    ]


def test_names_and_seeds_are_no_settings() -> None:
    assert differing_settings([{"name": "a", "seed": 0}, {"name": "b", "seed": 1}]) == [{}, {}]
    assert group_names([("a", {"seed": 0}), ("b", {"seed": 0})]) == ["a", "b"]


def test_recipes_are_completed_with_what_others_have() -> None:
    assert completed([{"a": 1}, {"b": 2}]) == [{"a": 1, "b": None}, {"a": None, "b": 2}]


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
