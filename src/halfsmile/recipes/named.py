"""Recipes by the name of their method, for the data at hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from halfsmile.data.protocols.protocol import DataSet
from halfsmile.method_names import require_method
from halfsmile.methods.family import FAMILY
from halfsmile.recipes.abaw6 import abaw6
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.default_model import default_model
from halfsmile.recipes.semi import semi
from halfsmile.recipes.sequences import temporal
from halfsmile.recipes.ssfer import ssfer
from halfsmile.recipes.student import student
from halfsmile.recipes.supervised import supervised

Make = Callable[[Preset, DataSet], Recipe]


def _semi(method: str, preset: Preset, data_set: DataSet) -> Recipe:
    return semi(method, preset, data_set=data_set)


METHODS: dict[str, Make] = {
    "supervised": lambda preset, data_set: supervised(preset),
    "ssfer": lambda preset, data_set: ssfer(preset, data_set=data_set),
    "abaw6": lambda preset, data_set: abaw6(preset, data_set=data_set),
    "temporal": lambda preset, data_set: temporal(preset),
    **{name: partial(_semi, name) for name in FAMILY},
    "student": lambda preset, data_set: student(preset),
    "default-model": lambda preset, data_set: default_model(preset),
}
"""How the recipe of each of :data:`halfsmile.method_names.METHOD_NAMES` is made."""


def recipe_named(name: str, preset: Preset = "cpu", *, data_set: DataSet = "faces") -> Recipe:
    """The recipe of a method for a data set.

    Args:
        name: One of :data:`METHODS`.
        preset: Size.
        data_set: What it will be trained on.

    Raises:
        ValueError: If the name is unknown, with the nearest ones, or was given up, with the new command.
    """
    require_method(name)
    return METHODS[name](preset, data_set)
