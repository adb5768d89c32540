"""Every hyper-parameter of a run, as plain functions that return frozen dataclasses.

>>> from halfsmile import recipes
>>> recipes.ssfer("cpu").finetune.epochs
40
"""

from __future__ import annotations

from halfsmile.recipes.abaw6 import abaw6
from halfsmile.recipes.config import FineTuneConfig, PretrainConfig, Recipe, SemiConfig, TemporalStageConfig
from halfsmile.recipes.default_model import default_model
from halfsmile.recipes.named import METHODS, recipe_named
from halfsmile.recipes.optim import OptimConfig
from halfsmile.recipes.overrides import override
from halfsmile.recipes.semi import semi, with_semi
from halfsmile.recipes.sequences import temporal
from halfsmile.recipes.ssfer import ssfer
from halfsmile.recipes.student import student
from halfsmile.recipes.supervised import supervised

__all__ = [
    "METHODS",
    "FineTuneConfig",
    "OptimConfig",
    "PretrainConfig",
    "Recipe",
    "SemiConfig",
    "TemporalStageConfig",
    "abaw6",
    "default_model",
    "override",
    "recipe_named",
    "semi",
    "ssfer",
    "student",
    "supervised",
    "temporal",
    "with_semi",
]
