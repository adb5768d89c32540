"""What the recipes of two or more runs differ in, and names that tell them apart.

A recipe is a nested mapping. A part that some recipe does without, such as a stage, is a setting of its own
(there or not); what is inside of it is compared among the recipes that have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Settings = Mapping[str, Any]


def differences(first: Settings, second: Settings, prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two recipes in JSON form differ, with both values."""
    found = []
    for key in sorted(first.keys() | second.keys()):
        a, b = first.get(key), second.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b and not (
            isinstance(a, list | tuple) and isinstance(b, list | tuple) and list(a) == list(b)
        ):
            found.append(f"{prefix}{key} ({a} / {b})")
    return found


def names_of(recipe: Settings) -> list[str]:
    """All dotted names of a recipe, sorted."""
    return sorted(name for name, _ in _flatten(recipe))


def completed(recipes: Sequence[Settings]) -> list[Settings]:
    """Recipes with the same keys: one that was written before a part existed goes without it."""
    names = list(dict.fromkeys(name for recipe in recipes for name in recipe))
    return [{name: recipe.get(name) for name in names} for recipe in recipes]


def differing_settings(recipes: Sequence[Settings]) -> list[dict[str, Any]]:
    """For each recipe, its settings (dotted names, without name and seed) that are not equal in all of them.

    Example:
        >>> differing_settings([{"semi": None}, {"semi": {"epochs": 2}}, {"semi": {"epochs": 3}}])
        [{'semi': None}, {'semi': 'yes', 'semi.epochs': 2}, {'semi': 'yes', 'semi.epochs': 3}]
    """
    flat = [dict(_flatten(recipe)) for recipe in recipes]
    names = {name for values in flat for name in values}
    without = {name for values in flat for name, value in values.items() if value is None}
    parts = sorted(part for part in without if _has_inside(names, part))
    flat = [{**{part: "yes" for part in parts if _has_inside(values, part)}, **values} for values in flat]

    def differs(name: str) -> bool:
        above = [part for part in parts if name.startswith(f"{part}.")]
        having = [values for values in flat if all(values.get(part) == "yes" for part in above)]
        return len({json.dumps(values.get(name, "absent"), sort_keys=True) for values in having}) > 1

    ordered = dict.fromkeys(name for values in flat for name in values if name not in ("name", "seed"))
    differing = [name for name in ordered if differs(name)]
    return [{name: values[name] for name in differing if name in values} for values in flat]


def group_names(recipes: Sequence[tuple[str, Settings]]) -> list[str]:
    """Names of recipes, followed by up to three settings that tell apart those of one name."""
    names = []
    for name, recipe in recipes:
        namesakes = [other for other_name, other in recipes if other_name == name]
        own = differing_settings([recipe, *namesakes])[0]
        settings = ", ".join(f"{key}={as_text(value)}" for key, value in list(own.items())[:3])
        names.append(f"{name} ({settings})" if settings else name)
    return names


def as_text(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value)


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a nested recipe."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _has_inside(names: Iterable[str], part: str) -> bool:
    return any(name.startswith(f"{part}.") for name in names)
