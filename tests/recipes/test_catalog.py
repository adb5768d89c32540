"""Recipes: they survive JSON, mismatches are named, and the paper's presets hold the paper's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.catalog import RECIPES, recipe_named, semi_ferplus, with_semi
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.settings import differences

PRESETS: tuple[Preset, ...] = get_args(Preset)


def every_recipe() -> list[Recipe]:
    return [recipe_named(name, preset) for name in RECIPES for preset in PRESETS]


@pytest.mark.parametrize("recipe", every_recipe(), ids=lambda recipe: f"{recipe.name}-{recipe.preset}")
def test_parts_fit_together(recipe: Recipe) -> None:
    assert recipe == recipe_named(recipe.name, recipe.preset)
    assert len(recipe.encoder.mean) == len(recipe.encoder.std) == recipe.encoder.channels
    assert recipe.finetune.batch_size % (2 * recipe.finetune.accumulate) == 0
    if recipe.pretrain is not None:
        assert recipe.pretrain.decoder_width % recipe.pretrain.decoder_heads == 0
    if recipe.semi is not None:
        assert recipe.semi.labeled_batch % recipe.semi.accumulate == 0
        assert recipe.semi.unlabeled_batch % recipe.semi.accumulate == 0


@pytest.mark.parametrize(
    ("changes", "preset", "message"),
    [
        ({"small_side": 40}, "cpu", "multiple of the network's total stride 16 below 48, found 40"),
        ({"small_side": 48}, "cpu", "below 48, found 48"),
        ({"small_side": 0}, "cpu", "found 0"),
        ({"small_side": 32, "small_share": 1.5}, "cpu", r"small_share must lie in \[0, 1\], found 1.5"),
        ({"small_side": 112}, "paper", "a Transformer takes faces of one size"),
    ],
)
def test_small_faces_that_the_network_cannot_take_are_refused(
    changes: dict[str, Any], preset: Preset, message: str
) -> None:
    recipe = recipe_named("ssfer-ferplus", preset)
    with pytest.raises(ValueError, match=message):
        replace(recipe, finetune=replace(recipe.finetune, **changes))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown recipe 'ssfer'; known are ssfer-ferplus"):
        recipe_named("ssfer", "cpu")


def test_paper_stage_one() -> None:
    recipe = recipe_named("ssfer-ferplus", "paper")
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
    stage = recipe_named("ssfer-ferplus", "paper").finetune
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
    recipe = recipe_named("ssfer-ferplus", "paper")
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


def test_paper_protocol() -> None:
    recipe = recipe_named("ssfer-ferplus", "paper")
    assert (recipe.label_rule, recipe.test_splits, recipe.labels) == ("argmax", ("valid", "test"), "10%")
    assert (recipe.flip, recipe.held_out) == (True, 0.05)  # ours: see docs/ssfer.md, points 10 and 11


@pytest.mark.parametrize("preset", PRESETS)
def test_rows_of_a_table_differ_in_nothing_but_what_was_switched(preset: Preset) -> None:
    first = to_json(semi_ferplus(preset))
    second = to_json(semi_ferplus(preset, method="debias", sampling="balanced", unlabeled="extra"))
    changed = {line.split(" ")[0] for line in differences(first, second)}
    assert changed <= {"semi.method." + name for name in ("name", "threshold", "momentum", "strength")} | {
        "semi.sampling",
        "semi.unlabeled",
    }
    assert {"semi.method.name", "semi.sampling", "semi.unlabeled"} <= changed


def test_the_first_row_is_ssfer() -> None:
    assert replace(semi_ferplus("paper"), name="ssfer-ferplus") == recipe_named("ssfer-ferplus", "paper")


def test_paper_keeps_the_published_numbers_and_cpu_shortens_the_memory() -> None:
    paper, cpu = semi_ferplus("paper", method="debias").semi, semi_ferplus("cpu", method="debias").semi
    assert paper is not None
    assert cpu is not None
    assert paper.method == DebiasPL()
    assert cpu.method == DebiasPL(momentum=0.99)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_student_that_sees_no_label_is_fine_tuned_at_the_end(preset: Preset) -> None:
    recipe = semi_ferplus(preset, method="feedback", sampling="balanced")
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert (recipe.tune.sampling, recipe.tune.optim) == ("balanced", recipe.semi.optim)
    assert with_semi(recipe, method="fixmatch").tune is None
    small = replace(recipe.finetune, small_side=32) if preset == "cpu" else recipe.finetune
    again = with_semi(replace(semi_ferplus(preset), finetune=small), method="feedback").tune
    assert again is not None
    assert again.small_side is None
    frames = recipe_named("abaw6-affwild2", preset)
    assert frames.tune is not None
    assert with_semi(frames, sampling="natural").tune == replace(frames.tune, sampling="natural")
    abaw = recipe_named("abaw6-ferplus", preset)
    assert abaw.tune is not None
    assert (abaw.tune.sampling, abaw.tune.mixing) == ("balanced", "none")


def test_what_is_not_switched_stays() -> None:
    recipe = semi_ferplus("cpu", method="freematch", sampling="balanced", unlabeled="all")
    assert with_semi(recipe) == recipe
    switched = with_semi(recipe, sampling="natural").semi
    assert switched is not None
    assert (switched.method, switched.sampling, switched.unlabeled) == (
        FreeMatch(momentum=0.99),
        "natural",
        "all",
    )


def test_switches_that_lead_nowhere_are_refused() -> None:
    supervised = recipe_named("supervised-ferplus", "cpu")
    assert with_semi(supervised) == supervised
    with pytest.raises(ValueError, match="supervised-ferplus has no Stage III"):
        with_semi(supervised, method="fixmatch")
    with pytest.raises(ValueError, match="Unknown semi-supervised method 'guess'; known are fixmatch, "):
        semi_ferplus(method="guess")


def test_abaw6_is_balanced_feedback_on_faces_from_elsewhere() -> None:
    recipe = recipe_named("abaw6-ferplus", "cpu")
    assert recipe.semi is not None
    assert (recipe.semi.method.name, recipe.semi.sampling, recipe.semi.unlabeled) == (
        "feedback",
        "balanced",
        "extra",
    )
    assert (recipe.finetune.sampling, recipe.finetune.mixing) == ("balanced", "none")


def test_the_abaw6_method_on_video_adds_time_to_the_same_spatial_part() -> None:
    recipe = recipe_named("abaw6-affwild2", "cpu")
    spatial = recipe_named("abaw6-ferplus", "cpu")
    assert recipe.semi is not None
    assert spatial.semi is not None
    assert recipe.semi.method == spatial.semi.method
    assert (recipe.semi.sampling, recipe.semi.unlabeled) == ("balanced", "extra")
    assert (recipe.data_set, recipe.test_splits, recipe.group) == ("affwild2", ("valid",), "video")
    assert recipe.temporal is not None
    assert (recipe.temporal.network.window, recipe.temporal.balance) == (100, True)


@pytest.mark.parametrize("recipe", every_recipe(), ids=lambda recipe: f"{recipe.name}-{recipe.preset}")
def test_a_stage_four_knows_whose_frames_are_whose(recipe: Recipe) -> None:
    if recipe.temporal is None:
        assert (recipe.group, recipe.test_people) == (None, None)
    else:
        assert recipe.group is not None
        assert (recipe.test_people is None) == (recipe.data_set == "affwild2")
        assert 0 < recipe.temporal.own_share < 1


def test_the_boxed_model_uses_every_training_label_and_keeps_public_test_for_calibration() -> None:
    recipe = recipe_named("boxed-ferplus", "cpu")
    assert recipe.labels == "all"
    assert recipe.held_out == 0
    assert recipe.test_splits == ("test",)
    assert recipe.semi is None
    assert recipe.finetune.vote_share == 1


def test_the_boxed_model_is_the_same_network_on_larger_faces() -> None:
    first, second = (recipe_named(f"boxed{part}-ferplus", "cpu") for part in ("", "-enlarged"))
    assert second.encoder == replace(first.encoder, image_size=64)
    assert (second.labels, second.test_splits, second.held_out) == (first.labels, first.test_splits, 0)
    assert (second.semi, second.tune) == (None, None)
