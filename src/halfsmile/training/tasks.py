"""From the stages of a recipe to the tasks that the loop trains: networks and losses, no data."""

from __future__ import annotations

import torch

from halfsmile.evaluation.trained import build_classifier
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.pretrain.mae import MaeTask
from halfsmile.methods.pretrain.masked_conv import build_autoencoder
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.recipes.config import FineTuneConfig, PretrainConfig, Recipe, SemiConfig, TuneConfig
from halfsmile.taxonomy import Taxonomy


def new_classifier(
    recipe: Recipe, taxonomy: Taxonomy, *, drop_path: float = 0.0, dropout: float = 0.0
) -> Classifier:
    """A classifier whose weights are drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return build_classifier(recipe, taxonomy, drop_path=drop_path, dropout=dropout)


def pretrain_task(recipe: Recipe, config: PretrainConfig) -> MaeTask:
    """Stage I: a masked autoencoder around a new encoder."""
    torch.manual_seed(recipe.seed)
    model = build_autoencoder(
        build_encoder(recipe.encoder),
        decoder_width=config.decoder_width,
        decoder_depth=config.decoder_depth,
        decoder_heads=config.decoder_heads,
        normalize_target=config.normalize_target,
    )
    return MaeTask(model, augment=config.augment, mask_ratio=config.mask_ratio)


def finetune_task(config: FineTuneConfig, model: Classifier) -> FineTuneTask:
    """Stage II: a classifier on labeled faces."""
    return FineTuneTask(
        model,
        augment=config.augment,
        mixing=config.mixing,
        alpha=config.alpha,
        smoothing=config.smoothing,
        ema_decay=config.ema_decay,
    )


def tune_task(config: TuneConfig, model: Classifier) -> Task:
    """The last fine-tuning: a classifier on labeled faces, and on those that were named before, if any."""
    named = config.named
    if not named.batch_size:
        return finetune_task(config, model)
    method = NoisyStudent(
        temperature=named.temperature, alpha=config.alpha if config.mixing == "mixup" else 0.0
    )
    return method.task(
        model,
        weak=config.augment,
        strong=config.augment,
        weight=named.weight,
        smoothing=config.smoothing,
        ema_decay=config.ema_decay,
    )


def semi_task(config: SemiConfig, model: Classifier) -> Task:
    """Stage III: a classifier on labeled and unlabeled faces, by the method of the stage."""
    settings: SemiSettings = {
        "weak": config.weak,
        "strong": config.strong,
        "weight": config.weight,
        "smoothing": config.smoothing,
        "ema_decay": config.ema_decay,
    }
    if config.regmixup:
        settings |= {"regmixup": config.regmixup, "regmixup_alpha": config.regmixup_alpha}
    return config.method.task(model, **settings)
