"""Recipes as JSON: written beside every run, read again by later versions."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Union, Unpack, get_args, get_origin, get_type_hints

from torch import nn

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.method_names import RENAMED
from halfsmile.methods.family import FAMILY
from halfsmile.methods.semi import Method, SemiSettings
from halfsmile.recipes.config import Recipe
from halfsmile.utils.files import read_json

_PROTOCOL = ("label_rule", "test_splits", "group", "test_people")


@dataclasses.dataclass(frozen=True)
class CustomMethod:
    """A semi-supervised method that is none of this package's, as the recipe of a run names it.

    Enough to evaluate and export the run, whose classifier is made without it; training needs the method
    itself.

    Args:
        settings: Its hyper-parameters as plain JSON values, ``name`` among them.
    """

    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it calls itself."""
        return str(self.settings["name"])

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> NoReturn:
        """Nothing can be trained with it.

        Raises:
            ValueError: Always; it says where the method is to be had.
        """
        raise ValueError(
            f"The method {self.name!r} is none of halfsmile's: a recipe.json names it, and only the program "
            "that defines it can train with it. Run that program, or give the recipe the method as an object."
        )


def to_json(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain JSON values."""
    value = dataclasses.asdict(recipe)
    if recipe.semi is not None and isinstance(recipe.semi.method, CustomMethod):
        value["semi"]["method"] = value["semi"]["method"]["settings"]
    return value


def from_json(value: dict[str, Any]) -> Recipe:
    """The recipe that :func:`to_json` wrote, perhaps before a field was there: that takes its default.

    Recipes from when the name carried the data set are read as today's. A semi-supervised method that this
    package does not have becomes a :class:`CustomMethod`.

    Raises:
        ValueError: If a key is unknown, or one without a default is missing, with its name.
    """
    recipe: Recipe = _decode(Recipe, _upgraded(value), "recipe")
    return recipe


def read_recipe(path: Path) -> Recipe:
    """The recipe of a run.

    Args:
        path: The run's ``recipe.json``, see ``runs.folder.RunFolder.recipe_path``.

    Raises:
        ValueError: If the file is missing, is no JSON, or holds no recipe of this version.
    """
    try:
        return from_json(read_json(path))
    except ValueError as error:
        raise ValueError(f"{path} can't be read as a recipe: {error}") from error


def _upgraded(value: dict[str, Any]) -> dict[str, Any]:
    """A recipe of the first version, whose protocol was five fields of its own, in today's form."""
    if "data_set" not in value:
        return value
    value = dict(value)
    given = value.pop("data_set")
    data_set = "faces" if given == "class-folders" else given
    protocol = {"data_set": data_set} | {name: value.pop(name) for name in _PROTOCOL if name in value}
    metrics: dict[str, str] = {name: usual.metric for name, usual in PROTOCOLS.items()}
    protocol["metric"] = metrics.get(data_set, "accuracy")
    name = RENAMED.get(value.get("name", ""), value.get("name", ""))
    if name == "fixmatch" and isinstance(value.get("semi"), dict):
        name = value["semi"].get("method", {}).get("name", name)
    return {**value, "name": name, "protocol": protocol}


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        kind = _choose([part for part in get_args(kind) if part is not types.NoneType], value)
        origin = get_origin(kind)
    if kind is Method:
        kind = _method(value, where)
    if kind is CustomMethod:
        return CustomMethod(value)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not _fits(kind, value):
            found = sorted(value) if isinstance(value, dict) else value
            raise ValueError(
                f"{where} does not fit this version of halfsmile: expected the keys {sorted(hints)}, "
                f"found {found}."
            )
        return kind(**{key: _decode(hints[key], item, f"{where}.{key}") for key, item in value.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(value)
    return value


def _choose(kinds: list[Any], value: Any) -> Any:
    """The dataclass of a union that has exactly the keys of a value, else one that fits, else the first."""
    fitting = [kind for kind in kinds if dataclasses.is_dataclass(kind) and _fits(kind, value)]
    exact = [kind for kind in fitting if set(get_type_hints(kind)) == set(value)]
    return [*exact, *fitting, kinds[0]][0]


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value has no key that a dataclass lacks, and all that have no default."""
    if not isinstance(value, dict):
        return False
    fields = dataclasses.fields(kind)
    needed = {
        f.name
        for f in fields
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    return needed <= set(value) <= {f.name for f in fields}


def _method(value: Any, where: str) -> type[Method]:
    """The dataclass of a semi-supervised method in JSON, by its name."""
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise ValueError(
            f"{where} does not fit this version of halfsmile: expected a name among {', '.join(FAMILY)}, "
            f"found {value}."
        )
    return FAMILY.get(name, CustomMethod)
