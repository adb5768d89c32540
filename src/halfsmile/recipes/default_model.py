"""How the model in the box was made."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.changes.tuning import last_tuning
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages

_EPOCHS: dict[Preset, float] = {"tiny": 1, "cpu": 20, "gpu": 40}
_SEMI_EPOCHS: dict[Preset, float] = {"tiny": 1, "cpu": 8, "gpu": 20}
_TUNE_EPOCHS: dict[Preset, float] = {"tiny": 1, "cpu": 28, "gpu": 40}


def default_model(preset: Preset = "cpu") -> Recipe:
    """The model in the box: the face network, FERPlus's votes, and unlabeled faces in any light.

    Stage II learns all labels of FERPlus's training split with the annotators' votes. Stage III teaches the
    same network what it says of clean unlabeled faces (``--unlabeled``, from photographs), on views that are
    dark, covered, blurred or small, as cameras make them; faces in such views are not learned to the end, so
    a last fine-tuning shows the labeled ones nearly as they are, rare expressions more often than they occur:
    faces of the world are not those of the labels. Tested on PrivateTest alone, so that
    PublicTest can calibrate.

    Raises:
        ValueError: If the preset is ``paper``, whose network is another one.
    """
    recipe = with_face_network(stages("default-model", preset), data_set="ferplus")
    view = replace(recipe.finetune.augment, rotation=15.0, camera=0.1)
    finetune = replace(
        recipe.finetune,
        epochs=_EPOCHS[preset],
        augment=view,
        sampling="natural",
        smoothing=0.0,
        vote_share=1.0,
        ema_decay=0.999,
    )
    semi = recipe.semi and replace(
        recipe.semi,
        method=NoisyStudent(start="finetuned", temperature=0.8, alignment=0.3),
        sampling="natural",
        unlabeled="extra",
        epochs=_SEMI_EPOCHS[preset],
        labeled_batch=64,
        unlabeled_batch=64,
        weak=view,
        strong=replace(view, camera=0.15),
        weight=1.0,
        vote_share=1.0,
    )
    tidy = replace(view, crop_scale=(0.75, 1.2), crop_ratio=(0.87, 1.15), rotation=8.0, camera=0.03)
    tune = last_tuning(
        finetune,
        epochs=_TUNE_EPOCHS[preset],
        optim=replace(finetune.optim, learning_rate=finetune.optim.learning_rate / 2),
        augment=tidy,
        sampling="sqrt",
        mixing="none",
    )
    return replace(
        recipe,
        protocol=replace(PROTOCOLS["ferplus"], test_splits=("test",)),
        labels="all",
        held_out=0.0,
        finetune=finetune,
        semi=semi,
        tune=tune,
    )
