"""SSFER (arXiv 2410.17622): masked pre-training, FaceMix, and pseudo-labels from an averaged teacher."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols.protocol import DataSet
from halfsmile.recipes.changes.tuning import with_named_tune
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages


def ssfer(preset: Preset = "cpu", *, data_set: DataSet | None = None) -> Recipe:
    """All three stages of SSFER.

    Stage III takes the rest of the labeled data set, as published; of ``faces`` of one's own all unlabeled
    ones that there are, since all their labels may be used and others come along. The presets ``cpu`` and
    ``gpu`` end with a last fine-tuning on the labels and on what Stage III says of the faces that it learned
    from, which the paper has not.

    Args:
        preset: Size.
        data_set: What it will be trained on, where that changes the recipe.
    """
    recipe = stages("ssfer", preset)
    if recipe.semi is not None and data_set == "faces":
        recipe = replace(recipe, semi=replace(recipe.semi, unlabeled="all"))
    return with_named_tune(recipe) if preset in ("cpu", "gpu") else recipe
