"""From the stages of a recipe to the tasks that the loop trains: networks and losses, no data."""

from __future__ import annotations

import torch

from halfsmile.evaluation.trained import build_classifier
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.pretrain.distill import DistillTask, TeacherShape
from halfsmile.methods.pretrain.mae import Autoencoder, MaeTask
from halfsmile.methods.pretrain.masked_conv import build_autoencoder
from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import Encoder, build_encoder
from halfsmile.models.resnet import ResNet
from halfsmile.recipes.config import FineTuneConfig, PretrainConfig, Recipe, SemiConfig, TuneConfig
from halfsmile.taxonomy import Taxonomy


def new_classifier(
    recipe: Recipe, taxonomy: Taxonomy, *, drop_path: float = 0.0, dropout: float = 0.0
) -> Classifier:
    """A classifier whose weights are drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return build_classifier(recipe, taxonomy, drop_path=drop_path, dropout=dropout)


def pretrain_task(
    recipe: Recipe, config: PretrainConfig, shape: TeacherShape | None = None
) -> MaeTask | DistillTask:
    """Stage I: a masked autoencoder around a new encoder, a teacher's student, or both.

    Args:
        recipe: Its network and seed.
        config: The stage.
        shape: Of the stage's teacher, where it has one.

    Raises:
        ValueError: If the network has no maps to match a teacher's with.
    """
    torch.manual_seed(recipe.seed)
    encoder = build_encoder(recipe.encoder)
    if shape is None:
        return MaeTask(_painter(encoder, config), augment=config.augment, mask_ratio=config.mask_ratio)
    if not isinstance(encoder, ResNet):
        raise ValueError(
            f"Stage I matches a teacher's maps with those of a residual network; {recipe.name} at preset "
            f"{recipe.preset} has a {type(encoder).__name__}. Give --preset cpu or gpu, or leave "
            "--teacher away."
        )
    return DistillTask(
        encoder,
        shape,
        match=config.match,
        painter=_painter(encoder, config) if config.paint else None,
        paint=config.paint,
        augment=config.augment,
        mask_ratio=config.mask_ratio,
    )


def _painter(encoder: Encoder, config: PretrainConfig) -> Autoencoder:
    return build_autoencoder(
        encoder,
        decoder_width=config.decoder_width,
        decoder_depth=config.decoder_depth,
        decoder_heads=config.decoder_heads,
        normalize_target=config.normalize_target,
    )


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
