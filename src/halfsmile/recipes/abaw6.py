"""ABAW6 (arXiv 2403.11942): balanced labeled faces, debiased feedback on unlabeled ones, and time."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols.protocol import VIDEOS, DataSet
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.recipes.config import Preset, Recipe, TemporalStageConfig
from halfsmile.recipes.semi import semi


def abaw6(preset: Preset = "cpu", *, data_set: DataSet | None = None) -> Recipe:
    """The ABAW6 method: its spatial part on still images, the whole of it on videos.

    * Stated by the paper: unlabeled faces are face-recognition images; labeled ones are drawn uniformly over
      the classes; a debiased feedback strategy; a Temporal Encoder over the features of neighboring frames;
      post-processing; measured on the official validation set, by macro F1 over eight classes.
    * Inferred: the feedback is that of ``methods/feedback``, and so is fine-tuning the student at the end;
      the per-frame features are frozen; the post-processing is smoothing over time (``sequences/smoothing``),
      chosen on training videos.
    * Chosen: everything else, which is as in :func:`~halfsmile.recipes.ssfer.ssfer` but for the mixing of
      faces, an idea of that paper. Aff-Wild2 is the only labeled set, in its aligned crops. The Temporal
      Encoder has the window of 100 frames, the four blocks of width 128 and the class weights of another team
      of that challenge. Three videos in ten train it alone. There are twenty times as many frames as there
      are faces in FERPlus, most nearly equal, so passes are fewer.

    Args:
        preset: Size.
        data_set: What it will be trained on; ``affwild2`` and ``sequences`` add the Temporal Encoder.
    """
    recipe = semi("feedback", preset, sampling="balanced", unlabeled="extra")
    finetune = replace(recipe.finetune, sampling="balanced", mixing="none")
    tune = recipe.tune and replace(recipe.tune, mixing="none")
    recipe = replace(recipe, name="abaw6", finetune=finetune, tune=tune)
    return _over_time(recipe) if data_set in VIDEOS else recipe


def _over_time(recipe: Recipe) -> Recipe:
    network = TemporalConfig(width=128, depth=4, heads=4, mlp_ratio=1.0, dropout=0.3, window=100)
    is_long = recipe.preset == "paper"
    return replace(
        recipe,
        labels="all",
        finetune=replace(recipe.finetune, epochs=10 if is_long else 2, vote_share=0.0),
        semi=recipe.semi and replace(recipe.semi, vote_share=0.0),
        tune=recipe.tune and replace(recipe.tune, epochs=5 if is_long else 1, vote_share=0.0),
        temporal=TemporalStageConfig(network=network, steps=3000, batch_size=32, hop=50, own_share=0.3),
    )
