"""The four sizes hold together, and the paper's holds the paper's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast, get_args

import pytest

from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import METHODS, recipe_named, ssfer, supervised
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.presets import stages

PRESETS: tuple[Preset, ...] = get_args(Preset)


def every_recipe() -> list[Recipe]:
    """Every method in every size; the model in the box is no Vision Transformer."""
    return [
        recipe_named(name, preset, data_set="affwild2")
        for name in METHODS
        for preset in PRESETS
        if (name, preset) != ("default-model", "paper")
    ]


@pytest.mark.parametrize("recipe", every_recipe(), ids=lambda recipe: f"{recipe.name}-{recipe.preset}")
def test_parts_fit_together(recipe: Recipe) -> None:
    assert recipe == recipe_named(recipe.name, recipe.preset, data_set="affwild2")
    assert len(recipe.encoder.mean) == len(recipe.encoder.std) == recipe.encoder.channels
    assert recipe.finetune.batch_size % (2 * recipe.finetune.accumulate) == 0
    if recipe.pretrain is not None:
        assert recipe.pretrain.decoder_width % recipe.pretrain.decoder_heads == 0
    if recipe.semi is not None:
        assert recipe.semi.labeled_batch % recipe.semi.accumulate == 0
        assert recipe.semi.unlabeled_batch % recipe.semi.accumulate == 0


def test_unknown_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown preset 'huge'; known are tiny, cpu, gpu, paper"):
        stages("ssfer", cast(Any, "huge"))


def test_the_baseline_has_no_stage_but_the_labeled_one() -> None:
    recipe = supervised()
    assert (recipe.pretrain, recipe.semi, recipe.tune, recipe.temporal) == (None, None, None, None)
    assert (recipe.encoder, recipe.finetune) == (ssfer().encoder, ssfer().finetune)
    assert supervised("tiny").finetune == replace(ssfer("tiny").finetune, mixing="mixup")


def test_stage_three_of_faces_of_ones_own_takes_all_that_there_are() -> None:
    found = [ssfer(data_set=data_set).semi for data_set in ("ferplus", "rafdb", "faces")]
    assert [semi.unlabeled for semi in found if semi] == ["own", "own", "all"]


def test_on_two_cores_every_lever_is_pulled_that_was_measured_together() -> None:
    recipe = ssfer(data_set="ferplus")
    assert isinstance(recipe.encoder, ResNetConfig)
    assert (recipe.encoder.image_size, recipe.init) == (64, None)
    assert recipe.pretrain is not None
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert (recipe.pretrain.epochs, recipe.finetune.epochs, recipe.semi.epochs) == (5, 40, 14)
    assert recipe.finetune.mixing == "mixup"
    assert recipe.finetune.sampling == recipe.semi.sampling == recipe.tune.sampling == "sqrt"
    assert recipe.tune.named.batch_size == recipe.semi.unlabeled_batch


def test_only_what_is_made_for_accuracy_leaves_the_published_stages() -> None:
    for preset in ("tiny", "paper"):
        recipe = ssfer(preset)
        assert recipe.semi is not None
        assert (recipe.finetune.mixing, recipe.tune) == ("facemix", None)
        assert recipe.finetune.sampling == recipe.semi.sampling == "natural"


def test_paper_stage_one() -> None:
    recipe = ssfer("paper")
    encoder, stage = recipe.encoder, recipe.pretrain
    assert isinstance(encoder, VitConfig)
    assert (encoder.image_size, encoder.patch_size, encoder.channels) == (224, 16, 3)
    assert (encoder.width, encoder.depth, encoder.heads, encoder.stem) == (768, 12, 12, ())
    assert encoder.mean == (0.588, 0.459, 0.402)
    assert encoder.std == (0.228, 0.202, 0.190)
    assert encoder.pooling == "token"
    assert stage is not None
    assert (stage.decoder_width, stage.decoder_depth, stage.decoder_heads) == (512, 8, 16)
    assert (stage.mask_ratio, stage.normalize_target) == (0.75, False)
    assert (stage.epochs, stage.batch_size) == (800, 256)
    assert (stage.optim.learning_rate, stage.optim.betas, stage.optim.weight_decay) == (
        3.4e-4,
        (0.9, 0.95),
        0.05,
    )
    assert stage.optim.warmup * stage.epochs == pytest.approx(50)
    assert (stage.optim.first_learning_rate, stage.optim.final_learning_rate) == (0.0, 0.0)
    assert (stage.optim.layer_decay, stage.optim.clip) == (1.0, None)
    assert (stage.augment.crop_scale, stage.augment.flip) == ((0.2, 1.0), 0.5)
    assert stage.augment.interpolation == "bicubic"


def test_paper_stage_two() -> None:
    stage = ssfer("paper").finetune
    assert (stage.mixing, stage.alpha, stage.smoothing, stage.vote_share) == ("facemix", 1.0, 0.1, 0.0)
    assert (stage.epochs, stage.batch_size, stage.ema_decay) == (100, 32, 0.999)
    assert (stage.drop_path, stage.dropout) == (0.0, 0.0)
    optim = stage.optim
    assert (optim.learning_rate, optim.betas, optim.weight_decay) == (1.5e-4, (0.9, 0.95), 0.05)
    assert optim.warmup * stage.epochs == pytest.approx(5)
    assert (optim.first_learning_rate, optim.final_learning_rate) == (5e-5, 1e-5)
    assert optim.decay_until * stage.epochs == pytest.approx(50)
    assert stage.augment.crop_scale == (0.2, 1.0)
    assert stage.augment.num_operations == 0


def test_paper_stage_three() -> None:
    recipe = ssfer("paper")
    stage = recipe.semi
    assert stage is not None
    assert (stage.labeled_batch, stage.unlabeled_batch, stage.epochs) == (64, 64, 50)
    assert (stage.weight, stage.ema_decay, stage.smoothing) == (5.0, 0.999, 0.0)
    assert stage.method == FixMatch(threshold=0.7)
    assert (stage.sampling, stage.unlabeled) == ("natural", "own")
    optim = stage.optim
    assert (optim.learning_rate, optim.final_learning_rate, optim.warmup) == (1.5e-4, 1.5e-4, 0.0)
    assert (optim.betas, optim.weight_decay) == ((0.9, 0.95), 0.05)
    assert stage.weak == recipe.finetune.augment
    assert replace(stage.strong, num_operations=0) == stage.weak
    assert (stage.strong.num_operations, stage.strong.magnitude, stage.strong.magnitude_std) == (2, 9.0, 0.5)
