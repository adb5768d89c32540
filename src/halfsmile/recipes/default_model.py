"""How the model in the box was made."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols import PROTOCOLS
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages

_SMALL_SIDES: dict[Preset, int] = {"cpu": 32, "gpu": 80}
_ENLARGED: dict[Preset, int] = {"tiny": 40, "cpu": 64, "gpu": 144, "paper": 288}


def default_model(preset: Preset = "cpu") -> Recipe:
    """The model in the box: all labels of FERPlus's training split with the annotators' votes, after Stage I.

    Tested on PrivateTest alone, so that PublicTest can calibrate. Views are blurred, shifted in light and
    partly erased, since photographs are less tidy than FER2013's crops. So small a network then names fewer
    training faces right than it could; a last fine-tuning shows them nearly as they are.
    """
    recipe = replace(
        stages("default-model", preset),
        protocol=replace(PROTOCOLS["ferplus"], test_splits=("test",)),
        labels="all",
        held_out=0.0,
    )
    view = replace(
        recipe.finetune.augment,
        rotation=15.0,
        num_operations=1,
        magnitude=5.0,
        blur=0.2,
        blur_sigmas=(0.5, 1.0, 1.5),
        erase=0.15,
    )
    finetune = replace(
        recipe.finetune,
        epochs=36,
        augment=view,
        mixing="none",
        smoothing=0.0,
        vote_share=1.0,
        ema_decay=0.999,
        small_side=_SMALL_SIDES.get(preset),
    )
    tidy = replace(
        recipe.finetune.augment,
        crop_scale=(0.75, 1.2),
        crop_ratio=(0.87, 1.15),
        rotation=8.0,
        blur=0.1,
        blur_sigmas=(0.5, 1.0),
    )
    tune = replace(
        finetune,
        epochs=40,
        optim=replace(finetune.optim, learning_rate=finetune.optim.learning_rate / 2),
        augment=tidy,
        small_side=None,
    )
    return replace(recipe, finetune=finetune, semi=None, tune=tune)


def enlarged_default_model(preset: Preset = "cpu") -> Recipe:
    """The model in the box, second part: the network of :func:`default_model` on the same faces, enlarged.

    ``init`` is that run's last file of weights, ``RUN/tune/model.safetensors``. On faces a third larger a
    convolutional network makes maps a third larger, so it sees more with the same weights; it needs some
    epochs to get used to them (arXiv 1906.06423). It would overfit by now, so faces are mixed (mixup).
    """
    recipe = default_model(preset)
    last = recipe.tune or recipe.finetune
    finetune = replace(
        last,
        epochs=30,
        mixing="mixup",
    )
    size = _ENLARGED[preset]
    encoder = replace(recipe.encoder, image_size=size)
    return replace(recipe, name="default-model-enlarged", encoder=encoder, finetune=finetune, tune=None)
