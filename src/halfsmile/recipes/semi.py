"""Stage III by another semi-supervised method; all else is as in SSFER, so runs compare methods."""

from __future__ import annotations

from dataclasses import is_dataclass, replace

from halfsmile.data.protocols.protocol import DataSet
from halfsmile.data.samplers import Sampling
from halfsmile.methods.ada_cm import AdaCM
from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.family import FAMILY, method_named
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.semi import Method
from halfsmile.methods.softmatch import SoftMatch
from halfsmile.recipes.changes.tuning import TUNE_EPOCHS, last_tuning
from halfsmile.recipes.config import Preset, Recipe, SemiConfig, TuneConfig, Unlabeled
from halfsmile.recipes.ssfer import ssfer

_SMALL_METHODS: dict[str, Method] = {
    "freematch": FreeMatch(momentum=0.99),
    "softmatch": SoftMatch(momentum=0.99),
    "debias": DebiasPL(momentum=0.99),
    "ada-cm": AdaCM(period=100),
}
"""Methods whose published memory is longer than the whole schedule of the small presets."""

_SMALL: tuple[Preset, ...] = ("tiny", "cpu")


def with_semi(
    recipe: Recipe,
    *,
    method: str | Method | None = None,
    sampling: Sampling | None = None,
    unlabeled: Unlabeled | None = None,
) -> Recipe:
    """The same recipe with another Stage III; what is None stays.

    The student of ``feedback`` sees no label, so it is fine-tuned on the labeled faces afterwards. With
    ``noisy-student`` each pseudo-labeled face counts as much as a labeled one.

    Args:
        recipe: Any recipe that has a Stage III.
        method: Name of a semi-supervised method, which comes with the hyper-parameters of the recipe's
            preset; or the method itself, one of your own as well: a frozen dataclass as
            :class:`~halfsmile.methods.semi.Method` says.
        sampling: How often each class of the labeled faces is drawn.
        unlabeled: Which unlabeled faces are used.

    Raises:
        ValueError: If the method is unknown, one of your own is no dataclass or has the name of another, or
            something is to be changed and there is no Stage III.
    """
    if method is None and sampling is None and unlabeled is None:
        return recipe
    if recipe.semi is None:
        raise ValueError(
            f"The recipe {recipe.name} has no Stage III, so method, sampling and unlabeled can't be chosen."
        )
    semi = recipe.semi
    if method is not None:
        semi = replace(semi, method=_chosen(method, recipe.preset))
    semi = replace(semi, sampling=sampling or semi.sampling, unlabeled=unlabeled or semi.unlabeled)
    if method is not None and semi.method.name == "noisy-student":
        semi = replace(semi, weight=1.0)
    return replace(recipe, semi=semi, tune=_tune(recipe, semi))


def _tune(recipe: Recipe, semi: SemiConfig) -> TuneConfig | None:
    """The last fine-tuning after another Stage III: it learns the same unlabeled faces.

    The student of ``feedback`` has seen no label, so it names no face, and has one of its own instead.
    """
    tune, had_feedback = recipe.tune, recipe.semi is not None and recipe.semi.method.name == "feedback"
    is_named = tune is not None and tune.named.batch_size > 0
    if semi.method.name == "feedback":
        if tune is None or is_named:
            epochs = TUNE_EPOCHS[recipe.preset]
            tune = last_tuning(recipe.finetune, epochs=epochs, optim=semi.optim, small_side=None)
        return replace(tune, sampling=semi.sampling)
    if tune is None or (had_feedback and not is_named):
        return None
    return replace(tune, named=replace(tune.named, unlabeled=semi.unlabeled)) if is_named else tune


def _chosen(method: str | Method, preset: Preset) -> Method:
    if isinstance(method, str):
        small = _SMALL_METHODS.get(method) if preset in _SMALL else None
        return small or method_named(method)
    kind = type(method)
    if not is_dataclass(method):
        raise ValueError(
            f"{kind.__name__} is no dataclass, so its hyper-parameters can't be kept with the run. Write "
            "@dataclass(frozen=True, kw_only=True) above the class."
        )
    if FAMILY.get(method.name, kind) is not kind:
        raise ValueError(
            f"{kind.__name__} has the name {method.name!r}, which is that of another method. Give it one of "
            f"its own; taken are {', '.join(FAMILY)}."
        )
    return method


def semi(
    method: str | Method,
    preset: Preset = "cpu",
    *,
    sampling: Sampling | None = None,
    unlabeled: Unlabeled | None = None,
    data_set: DataSet | None = None,
) -> Recipe:
    """The stages of :func:`~halfsmile.recipes.ssfer.ssfer`, Stage III by another method.

    Args:
        method: Name of a semi-supervised method, see ``methods/family``, or the method itself, as for
            :func:`with_semi`.
        preset: Size.
        sampling: How often each class of the labeled faces is drawn; None for as often as in SSFER.
        unlabeled: Which unlabeled faces are used; None for those of SSFER.
        data_set: What it will be trained on.

    Raises:
        ValueError: If the method is unknown, or one of your own is not as :func:`with_semi` needs it.
    """
    name = method if isinstance(method, str) else method.name
    recipe = replace(ssfer(preset, data_set=data_set), name=name)
    return with_semi(recipe, method=method, sampling=sampling, unlabeled=unlabeled)
