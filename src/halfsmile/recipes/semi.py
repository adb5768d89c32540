"""Stage III by another semi-supervised method; all else is as in SSFER, so runs compare methods."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols import DataSet
from halfsmile.data.samplers import Sampling
from halfsmile.methods.ada_cm import AdaCM
from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.family import method_named
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.semi import Method
from halfsmile.methods.softmatch import SoftMatch
from halfsmile.recipes.config import Preset, Recipe, Unlabeled
from halfsmile.recipes.ssfer import ssfer

_SMALL_METHODS: dict[str, Method] = {
    "freematch": FreeMatch(momentum=0.99),
    "softmatch": SoftMatch(momentum=0.99),
    "debias": DebiasPL(momentum=0.99),
    "ada-cm": AdaCM(period=100),
}
"""Methods whose published memory is longer than the whole schedule of the small presets."""

_SMALL: tuple[Preset, ...] = ("tiny", "cpu")
_TUNE_EPOCHS: dict[Preset, int] = {"tiny": 12, "cpu": 12, "gpu": 30, "paper": 100}


def with_semi(
    recipe: Recipe,
    *,
    method: str | None = None,
    sampling: Sampling | None = None,
    unlabeled: Unlabeled | None = None,
) -> Recipe:
    """The same recipe with another Stage III; what is None stays.

    The student of ``feedback`` sees no label, so it is fine-tuned on the labeled faces afterwards.

    Args:
        recipe: Any recipe that has a Stage III.
        method: Name of a semi-supervised method; it comes with the hyper-parameters of the recipe's preset.
        sampling: How often each class of the labeled faces is drawn.
        unlabeled: Which unlabeled faces are used.

    Raises:
        ValueError: If the method is unknown, or something is to be changed and there is no Stage III.
    """
    if method is None and sampling is None and unlabeled is None:
        return recipe
    if recipe.semi is None:
        raise ValueError(
            f"The recipe {recipe.name} has no Stage III, so method, sampling and unlabeled can't be chosen."
        )
    semi = recipe.semi
    if method is not None:
        chosen = _SMALL_METHODS.get(method) if recipe.preset in _SMALL else None
        semi = replace(semi, method=chosen or method_named(method))
    semi = replace(semi, sampling=sampling or semi.sampling, unlabeled=unlabeled or semi.unlabeled)
    tune = None
    if semi.method.name == "feedback":
        epochs = _TUNE_EPOCHS[recipe.preset]
        tune = recipe.tune or replace(recipe.finetune, epochs=epochs, optim=semi.optim, small_side=None)
        tune = replace(tune, sampling=semi.sampling)
    return replace(recipe, semi=semi, tune=tune)


def semi(
    method: str,
    preset: Preset = "cpu",
    *,
    sampling: Sampling = "natural",
    unlabeled: Unlabeled | None = None,
    data_set: DataSet | None = None,
) -> Recipe:
    """The stages of :func:`~halfsmile.recipes.ssfer.ssfer`, Stage III by another method.

    Args:
        method: Name of a semi-supervised method, see ``methods/family``.
        preset: Size.
        sampling: How often each class of the labeled faces is drawn.
        unlabeled: Which unlabeled faces are used; None for those of SSFER.
        data_set: What it will be trained on.

    Raises:
        ValueError: If the method is unknown.
    """
    recipe = replace(ssfer(preset, data_set=data_set), name=method)
    return with_semi(recipe, method=method, sampling=sampling, unlabeled=unlabeled)
