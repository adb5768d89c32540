"""A small network taught by large ones: the soft names of finished runs, over all unlabeled faces."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.resnet import ResNetConfig
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages
from halfsmile.recipes.supervised import supervised

_SIZES: dict[Preset, int] = {"cpu": 64, "gpu": 112}
_EPOCHS: dict[Preset, float] = {"tiny": 2, "cpu": 10, "gpu": 40, "paper": 40}


def student(preset: Preset = "cpu") -> Recipe:
    """Distillation (SimCLRv2, arXiv 2006.10029, section 2.3) to the network of a preset.

    Stage II learns the labels, as a start: from scratch, or from a Stage I that matches the face network or a
    run (``--teacher``). Stage III shows every unlabeled face, the rest of the
    training split and those of other sources, with what the teachers said of it (``--teachers``): their mean,
    hardly sharpened, since several that agree in part are right about how unsure they are, and not aligned.
    Named faces are seven eighths of a step: what the teachers know beyond the labels is in them.

    Args:
        preset: Size; ``cpu`` is a residual network of 2.8 million weights at 64 px.
    """
    recipe, full = replace(supervised(preset), name="student"), stages("student", preset).semi
    encoder = recipe.encoder
    if isinstance(encoder, ResNetConfig):
        encoder = replace(encoder, image_size=_SIZES[preset])
    semi = full and replace(
        full,
        method=NoisyStudent(start="finetuned", temperature=0.9, alignment=0.0, zoom=1.0),
        unlabeled="all",
        epochs=_EPOCHS[preset],
        labeled_batch=max(1, full.unlabeled_batch // 4),
        unlabeled_batch=7 * max(1, full.unlabeled_batch // 4),
        optim=recipe.finetune.optim,
        strong=replace(full.strong, num_operations=1),
        weight=1.0,
    )
    return replace(recipe, encoder=encoder, semi=semi)
