"""A last fine-tuning for any recipe, in views that are nearly as faces are."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from halfsmile.recipes.config import FineTuneConfig, NamedConfig, Preset, Recipe, TuneConfig, Unlabeled
from halfsmile.transforms.augment import Augment

TUNE_EPOCHS: dict[Preset, int] = {"tiny": 12, "cpu": 12, "gpu": 30, "paper": 100}


def last_tuning(finetune: FineTuneConfig, **changes: Any) -> TuneConfig:
    """The fields of Stage II as a last fine-tuning, with some of them replaced.

    Args:
        finetune: Where they are from.
        changes: Fields of :class:`~halfsmile.recipes.config.TuneConfig`.
    """
    return TuneConfig(**{field.name: getattr(finetune, field.name) for field in fields(finetune)} | changes)


def plain_view(view: Augment) -> Augment:
    """The same view, nearer to the faces as they are: it crops, stretches and turns them less."""
    low, high = view.crop_scale
    flat, tall = view.crop_ratio
    return replace(
        view,
        crop_scale=(max(low, 0.75), min(high, 1.2)),
        crop_ratio=(max(flat, 0.87), min(tall, 1.15)),
        rotation=min(view.rotation, 8.0),
    )


def with_tune(recipe: Recipe) -> Recipe:
    """The same recipe with a last fine-tuning (``--set tune=yes``); one that has it already stays.

    Pictures that strong views and mixing show are never quite learned. So the labeled faces come once more as
    they nearly are, without mixing, at half the rate of Stage II.
    """
    return recipe if recipe.tune is not None else replace(recipe, tune=_gentler(recipe))


def with_named_tune(recipe: Recipe) -> Recipe:
    """The same recipe with a last fine-tuning that learns named faces, too.

    Beside the labeled faces come those of Stage III, as many as in its steps, with what the network of Stage
    III says of them; see :func:`named_alignment`.

    Raises:
        ValueError: If it has no Stage III.
    """
    semi = recipe.semi
    if semi is None:
        raise ValueError(f"The recipe {recipe.name} has no Stage III, so there is nothing that names faces.")
    named = NamedConfig(
        batch_size=semi.unlabeled_batch, unlabeled=semi.unlabeled, alignment=named_alignment(semi.unlabeled)
    )
    return replace(recipe, tune=replace(_gentler(recipe), named=named))


def named_alignment(unlabeled: Unlabeled) -> float:
    """How far the names of unlabeled faces are brought to the labels' shares in a last fine-tuning.

    The rest of the training split has the labels' shares, other sources have their own: photographs of the
    press, named as if they had FERPlus's, cost three points of accuracy.
    """
    return 1.0 if unlabeled == "own" else 0.0


def _gentler(recipe: Recipe) -> TuneConfig:
    finetune = recipe.finetune
    return last_tuning(
        finetune,
        epochs=TUNE_EPOCHS[recipe.preset],
        optim=replace(finetune.optim, learning_rate=finetune.optim.learning_rate / 2),
        augment=plain_view(finetune.augment),
        mixing="none",
        small_side=None,
    )
