"""Recipes: every hyper-parameter of a run, as plain functions that return frozen dataclasses.

A variant calls another recipe and replaces fields. The resolved recipe is written into the run folder.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halfsmile.data.augment import Augment
from halfsmile.methods.facemix import Mixing
from halfsmile.models.vit_config import VitConfig, vit_config
from halfsmile.train.optim import OptimConfig

Preset = Literal["paper", "cpu"]


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Stage I: masked autoencoder on all unlabeled faces.

    Args:
        epochs: Passes over the faces.
        batch_size: Faces of a step.
        accumulate: Parts that a step is computed in, to save memory.
        optim: Optimizer and schedule.
        augment: View of a face.
        mask_ratio: Share of hidden patches.
        normalize_target: Standardize each target patch.
        decoder_width: Token dimension of the decoder.
        decoder_depth: Its blocks.
        decoder_heads: Its heads.
    """

    epochs: float
    batch_size: int
    accumulate: int = 1
    optim: OptimConfig
    augment: Augment
    mask_ratio: float = 0.75
    normalize_target: bool = True
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """Stage II: the labeled few.

    Args:
        epochs: Passes over the labeled faces.
        batch_size: Faces of a step.
        accumulate: Parts that a step is computed in; mixing happens within a part.
        optim: Optimizer and schedule.
        augment: View of a face.
        mixing: See ``methods/facemix``.
        alpha: λ is drawn from Beta(alpha, alpha).
        smoothing: Label smoothing.
        vote_share: Part of the target that follows the annotators' votes, the rest being the label alone.
        drop_path: Stochastic-depth rate.
        dropout: Rate before the head.
        ema_decay: Of the averaged weights, which are what is evaluated and kept.
    """

    epochs: float
    batch_size: int
    accumulate: int = 1
    optim: OptimConfig
    augment: Augment
    mixing: Mixing = "facemix"
    alpha: float = 1.0
    smoothing: float = 0.1
    vote_share: float = 0.0
    drop_path: float = 0.0
    dropout: float = 0.0
    ema_decay: float | None = 0.999


@dataclass(frozen=True, kw_only=True)
class SemiConfig:
    """Stage III: pseudo-labels on the unlabeled rest.

    Args:
        epochs: Passes over the unlabeled faces.
        labeled_batch: Labeled faces of a step.
        unlabeled_batch: Unlabeled faces of a step.
        accumulate: Parts that a step is computed in.
        optim: Optimizer and schedule.
        weak: View of labeled faces and of the teacher.
        strong: View of the student.
        threshold: Least confidence of an accepted pseudo-label.
        weight: Of the unlabeled loss.
        smoothing: Label smoothing of the labeled loss.
        vote_share: See :class:`FineTuneConfig`.
        drop_path: Stochastic-depth rate.
        dropout: Rate before the head.
        ema_decay: Of the teacher.
    """

    epochs: float
    labeled_batch: int
    unlabeled_batch: int
    accumulate: int = 1
    optim: OptimConfig
    weak: Augment
    strong: Augment
    threshold: float = 0.7
    weight: float = 5.0
    smoothing: float = 0.0
    vote_share: float = 0.0
    drop_path: float = 0.0
    dropout: float = 0.0
    ema_decay: float = 0.999


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run.

    Args:
        name: Which function made it.
        preset: ``paper`` or ``cpu``.
        data_set: Reader of the labeled data: ``ferplus`` or ``class-folders``.
        label_rule: Which of FERPlus's label rules; null elsewhere.
        test_splits: Splits that make up the test set.
        labels: Label budget (``10%``, ``40`` a class, ``all``).
        held_out: Share of the training rows outside the budget whose labels watch pseudo-label quality.
        seed: Of the budget and of every stage.
        init: Weights that take the place of Stage I: a run folder, a file, or an address.
        encoder: The network.
        standardize: Standardize the encoder's features over the batch before the classifier's head.
        pretrain: Stage I; null trains from scratch or from given weights.
        finetune: Stage II.
        semi: Stage III; null stops after Stage II.
        flip: Average the probabilities of a face and its mirror image when evaluating.
    """

    name: str
    preset: Preset
    data_set: Literal["ferplus", "class-folders"]
    label_rule: str | None
    test_splits: tuple[str, ...]
    labels: str = "10%"
    held_out: float = 0.05
    seed: int = 0
    init: str | None = None
    encoder: VitConfig
    standardize: bool = False
    pretrain: PretrainConfig | None
    finetune: FineTuneConfig
    semi: SemiConfig | None
    flip: bool = True


_PAPER_VIEW = Augment(crop_scale=(0.2, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5, interpolation="bicubic")
_VIEW = Augment(crop_scale=(0.6, 1.0), crop_ratio=(4 / 5, 5 / 4), flip=0.5, rotation=10.0)


def _paper(name: str) -> Recipe:
    """SSFER as published (arXiv 2410.17622): ViT-B/16, 224 px."""
    return Recipe(
        name=name,
        preset="paper",
        data_set="ferplus",
        label_rule="argmax",
        test_splits=("valid", "test"),
        encoder=vit_config("base"),
        pretrain=PretrainConfig(
            epochs=800,
            batch_size=256,
            optim=OptimConfig(learning_rate=3.4e-4, warmup=50 / 800),
            augment=_PAPER_VIEW,
            normalize_target=False,
        ),
        finetune=FineTuneConfig(
            epochs=100,
            batch_size=32,
            optim=OptimConfig(
                learning_rate=1.5e-4,
                first_learning_rate=5e-5,
                final_learning_rate=1e-5,
                warmup=0.05,
                decay_until=0.5,
            ),
            augment=_PAPER_VIEW,
        ),
        semi=SemiConfig(
            epochs=50,
            labeled_batch=64,
            unlabeled_batch=64,
            optim=OptimConfig(learning_rate=1.5e-4, final_learning_rate=1.5e-4, warmup=0.0),
            weak=_PAPER_VIEW,
            strong=replace(_PAPER_VIEW, num_operations=2, magnitude=9.0, magnitude_std=0.5),
        ),
    )


def _cpu(name: str) -> Recipe:
    """SSFER for two processor cores: 48 px grey, a convolutional stem before a small Transformer."""
    optim = OptimConfig(
        learning_rate=1e-3, final_learning_rate=1e-5, layer_decay=0.8, clip=5.0, betas=(0.9, 0.98)
    )
    return Recipe(
        name=name,
        preset="cpu",
        data_set="ferplus",
        label_rule="argmax",
        test_splits=("valid", "test"),
        encoder=VitConfig(
            image_size=48,
            patch_size=8,
            channels=1,
            width=192,
            depth=4,
            heads=6,
            stem=(32, 64),
            pooling="average",
            mean=(0.5,),
            std=(0.25,),
        ),
        standardize=True,
        pretrain=PretrainConfig(
            epochs=6,
            batch_size=64,
            optim=OptimConfig(learning_rate=8e-4, warmup=0.05, clip=5.0),
            augment=_VIEW,
            decoder_width=128,
            decoder_depth=1,
            decoder_heads=4,
        ),
        finetune=FineTuneConfig(
            epochs=12,
            batch_size=64,
            optim=optim,
            augment=_VIEW,
            alpha=0.4,
            vote_share=0.5,
            drop_path=0.1,
            ema_decay=0.995,
        ),
        semi=SemiConfig(
            epochs=2,
            labeled_batch=32,
            unlabeled_batch=64,
            optim=replace(optim, learning_rate=5e-4),
            weak=_VIEW,
            strong=replace(_VIEW, num_operations=2, magnitude=9.0, magnitude_std=0.5, erase=0.25),
            weight=2.0,
            vote_share=0.5,
            drop_path=0.1,
        ),
    )


_PRESETS: dict[Preset, Callable[[str], Recipe]] = {"paper": _paper, "cpu": _cpu}


def ssfer_ferplus(preset: Preset = "cpu") -> Recipe:
    """All three stages of SSFER on FERPlus: plain argmax of 10, test = PublicTest + PrivateTest."""
    return _PRESETS[preset]("ssfer-ferplus")


def supervised_ferplus(preset: Preset = "cpu") -> Recipe:
    """Baseline: the same network from scratch, mixup, on the labeled faces only."""
    recipe = _PRESETS[preset]("supervised-ferplus")
    longer = replace(recipe.finetune, mixing="mixup", optim=replace(recipe.finetune.optim, layer_decay=1.0))
    if preset == "cpu":
        longer = replace(longer, epochs=2 * longer.epochs)
    return replace(recipe, pretrain=None, semi=None, finetune=longer)


def ssfer_folders(preset: Preset = "cpu") -> Recipe:
    """All three stages on one's own faces: class folders ``train/<label>`` and ``test/<label>``."""
    return replace(
        _PRESETS[preset]("ssfer-folders"), data_set="class-folders", label_rule=None, test_splits=("test",)
    )


def supervised_folders(preset: Preset = "cpu") -> Recipe:
    """Baseline on one's own faces: from scratch, on the labeled faces only."""
    return replace(
        supervised_ferplus(preset),
        name="supervised-folders",
        data_set="class-folders",
        label_rule=None,
        test_splits=("test",),
    )


RECIPES: dict[str, Callable[[Preset], Recipe]] = {
    "ssfer-ferplus": ssfer_ferplus,
    "supervised-ferplus": supervised_ferplus,
    "ssfer-folders": ssfer_folders,
    "supervised-folders": supervised_folders,
}


def recipe_named(name: str, preset: Preset) -> Recipe:
    """The recipe of a name and preset.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}; known are {', '.join(RECIPES)}.")
    return RECIPES[name](preset)


def to_json(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain JSON values."""
    return dataclasses.asdict(recipe)


def from_json(value: dict[str, Any]) -> Recipe:
    """The recipe that :func:`to_json` wrote.

    Raises:
        ValueError: If a key is unknown or missing, with its name.
    """
    recipe: Recipe = _decode(Recipe, value, "recipe")
    return recipe


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = [part for part in get_args(kind) if part is not types.NoneType]
        origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            found = sorted(value) if isinstance(value, dict) else value
            raise ValueError(
                f"{where} does not fit this version of halfsmile: expected the keys {sorted(hints)}, "
                f"found {found}."
            )
        return kind(**{key: _decode(hints[key], item, f"{where}.{key}") for key, item in value.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(value)
    return value


def differences(first: dict[str, Any], second: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two recipes in JSON form differ, with both values."""
    found = []
    for key in sorted(first.keys() | second.keys()):
        a, b = first.get(key), second.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b and not (
            isinstance(a, list | tuple) and isinstance(b, list | tuple) and list(a) == list(b)
        ):
            found.append(f"{prefix}{key} ({a} / {b})")
    return found
