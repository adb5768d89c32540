"""Stage I by a teacher instead of by painting, for any recipe that has a Stage I or may have one."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.recipes.config import Recipe
from halfsmile.recipes.presets import stages


def with_matching(recipe: Recipe, teacher: str) -> Recipe:
    """The recipe with a teacher that Stage I matches (``--teacher``); nothing is painted.

    A small student, which begins at Stage II, gets the Stage I of its preset for it.

    Args:
        recipe: Any recipe.
        teacher: ``face``, a run folder or an ONNX file, see
            :class:`~halfsmile.recipes.config.PretrainConfig`.

    Raises:
        ValueError: If the recipe has no Stage I.
    """
    pretrain = recipe.pretrain
    if recipe.name == "student" and recipe.init is None:
        pretrain = stages(recipe.name, recipe.preset).pretrain
    if pretrain is None:
        raise ValueError(
            f"--teacher is matched in Stage I, and the recipe {recipe.name} has none. Leave --init "
            "away, or train ssfer."
        )
    return replace(recipe, pretrain=replace(pretrain, teacher=teacher, paint=0.0))
