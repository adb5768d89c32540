"""Any recipe from the face network instead of from scratch or from Stage I."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols.protocol import DataSet
from halfsmile.data.samplers import Sampling
from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.models.weight_files import FACE
from halfsmile.recipes.changes.tuning import with_named_tune
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.optim import OptimConfig

_SIZES: dict[Preset, int] = {"tiny": 67, "cpu": 99, "gpu": 99}
_EPOCHS: dict[Preset, float] = {"tiny": 12, "cpu": 24, "gpu": 40}
_SEMI_EPOCHS: dict[Preset, float] = {"tiny": 2, "cpu": 16, "gpu": 20}


def with_face_network(recipe: Recipe, *, data_set: DataSet | None = None) -> Recipe:
    """The same recipe, from dlib's face network (``--init face``).

    It needs no Stage I. Its layers learn at rates that fall towards the picture, since it has seen more faces
    than the labels can show it, and few epochs are enough, at half the rate in Stage III. Where a recipe
    leaves labeled faces as frequent as they are, rare classes are drawn more often, by the square root of
    their counts; and after Stage III comes a last fine-tuning on the labels and on what Stage III says of the
    faces that it learned from, in views that are nearly as faces are.

    Args:
        recipe: Of the presets ``tiny``, ``cpu`` or ``gpu``.
        data_set: What it will be trained on; the faces of FERPlus are gray, and so is the encoder then.

    Raises:
        ValueError: If the recipe is of the preset ``paper``, whose network is another one, or is of videos.
    """
    if recipe.preset not in _SIZES:
        raise ValueError(
            f"The preset {recipe.preset} is the published Vision Transformer; the face network is another "
            "network. Give --preset cpu or gpu with --init face, or other weights."
        )
    optim = OptimConfig(
        learning_rate=2e-3,
        final_learning_rate=1e-5,
        layer_decay=0.8,
        clip=5.0,
        betas=recipe.finetune.optim.betas,
    )
    finetune = replace(
        recipe.finetune,
        epochs=_EPOCHS[recipe.preset],
        optim=optim,
        mixing="mixup",
        alpha=0.4,
        dropout=0.3,
        drop_path=0.0,
        small_side=None,
        sampling=_sampling(recipe.finetune.sampling),
    )
    semi = recipe.semi and replace(
        recipe.semi,
        epochs=_SEMI_EPOCHS[recipe.preset],
        optim=replace(optim, learning_rate=1e-3),
        dropout=0.3,
        drop_path=0.0,
        sampling=_sampling(recipe.semi.sampling),
    )
    recipe = replace(
        recipe,
        init=FACE,
        encoder=FaceNetworkConfig(
            image_size=_SIZES[recipe.preset], channels=1 if data_set == "ferplus" else 3
        ),
        standardize=True,
        pretrain=None,
        finetune=finetune,
        semi=semi,
    )
    if semi is None or (recipe.tune is not None and not recipe.tune.named.batch_size):
        return recipe
    return with_named_tune(recipe)


def _sampling(asked: Sampling) -> Sampling:
    return "sqrt" if asked == "natural" else asked
