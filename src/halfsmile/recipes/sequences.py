"""Videos: a classifier of single frames, and a Temporal Encoder over its features."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.recipes.config import Preset, Recipe, TemporalStageConfig
from halfsmile.recipes.presets import stages


def temporal(preset: Preset = "cpu", *, from_trained: bool = False) -> Recipe:
    """Stages II and IV on a table of frames.

    Four of the labeled people in ten train the Temporal Encoder alone. Neighboring frames are nearly equal,
    so a few passes are enough, and labels are drawn by person.

    Args:
        preset: Size.
        from_trained: ``init`` will be the weights of a run on still images, as
            ``RUN/semi/model.safetensors``: the network knows expressions already, so Stage II only settles it
            on these faces, at a lower rate.
    """
    recipe = stages("temporal", preset)
    finetune = replace(recipe.finetune, epochs=10, sampling="balanced", mixing="none", vote_share=0.0)
    if from_trained:
        finetune = replace(finetune, epochs=6, optim=replace(finetune.optim, learning_rate=3e-4))
    return replace(
        recipe,
        labels="all",
        pretrain=None,
        finetune=finetune,
        semi=None,
        temporal=TemporalStageConfig(network=TemporalConfig(window=32), own_share=0.4),
    )
