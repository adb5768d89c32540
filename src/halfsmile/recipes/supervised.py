"""The baseline: labeled faces only."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages


def supervised(preset: Preset = "cpu") -> Recipe:
    """The network of SSFER from scratch, with mixup, on the labeled faces only, drawn as in SSFER."""
    recipe = stages("supervised", preset)
    finetune = replace(recipe.finetune, mixing="mixup", optim=replace(recipe.finetune.optim, layer_decay=1.0))
    return replace(recipe, pretrain=None, semi=None, finetune=finetune)
