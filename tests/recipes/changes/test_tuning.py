"""The last fine-tuning that any recipe can be given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from halfsmile.recipes import ssfer, supervised
from halfsmile.recipes.changes.tuning import last_tuning, plain_view, with_named_tune, with_tune
from halfsmile.recipes.config import NamedConfig, Preset, Recipe, TuneConfig
from halfsmile.recipes.default_model import default_model
from halfsmile.recipes.overrides import override
from halfsmile.recipes.serialize import from_json, to_json


@pytest.mark.parametrize("preset", ["tiny", "cpu", "gpu", "paper"])
def test_it_is_gentler_than_stage_two(preset: Preset) -> None:
    recipe = ssfer(preset)
    tune, finetune = with_tune(recipe).tune, recipe.finetune
    assert tune is not None
    assert tune.optim.learning_rate == finetune.optim.learning_rate / 2
    assert (tune.mixing, tune.small_side, tune.batch_size) == ("none", None, finetune.batch_size)
    low, high = tune.augment.crop_scale
    assert finetune.augment.crop_scale[0] <= low <= 1 <= high <= finetune.augment.crop_scale[1]
    assert tune.augment.rotation <= finetune.augment.rotation
    assert plain_view(tune.augment) == tune.augment


def test_one_that_is_there_stays() -> None:
    recipe = default_model()
    assert with_tune(recipe) == recipe
    assert with_tune(with_tune(ssfer())) == with_tune(ssfer())


def test_named_faces_come_from_stage_three() -> None:
    recipe = ssfer(data_set="faces")
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert recipe.tune == replace(
        tuned(replace(recipe, tune=None)),
        named=NamedConfig(batch_size=recipe.semi.unlabeled_batch, unlabeled="all", alignment=0.0),
    )
    own = with_named_tune(replace(recipe, tune=None, semi=replace(recipe.semi, unlabeled="own"))).tune
    assert own is not None
    assert (own.named.unlabeled, own.named.alignment) == ("own", 1.0)
    assert with_named_tune(recipe) == recipe
    with pytest.raises(ValueError, match="supervised has no Stage III"):
        with_named_tune(supervised())


def tuned(recipe: Recipe) -> TuneConfig:
    tune = with_tune(recipe).tune
    assert tune is not None
    return tune


def test_it_is_switched_on_by_a_setting_and_then_set() -> None:
    settings = ("tune=yes", "tune.named.batch_size=64", "tune.named.weight=0.5", "tune.sampling=sqrt")
    tune = override(ssfer("tiny"), *settings).tune
    assert tune is not None
    assert (tune.named.batch_size, tune.named.weight, tune.sampling) == (64, 0.5, "sqrt")
    with pytest.raises(ValueError, match=r"has no tune.* Set tune=yes first"):
        override(ssfer("tiny"), *settings[1:])
    assert override(ssfer(), "tune=none").tune is None


def test_a_recipe_from_before_named_faces_is_read() -> None:
    recipe = with_tune(ssfer("tiny"))
    value = to_json(recipe)
    del value["tune"]["named"]
    assert from_json(value) == recipe
    named = override(recipe, "tune.named.batch_size=32", "tune.named.teachers=a,b")
    assert from_json(to_json(named)).tune == named.tune


def test_names_are_soft_so_only_mixup_mixes_them() -> None:
    faces = NamedConfig(batch_size=8)
    finetune = ssfer("tiny").finetune
    assert isinstance(last_tuning(finetune, mixing="mixup", named=faces), TuneConfig)
    with pytest.raises(ValueError, match=r"mixes by facemix\. Set tune.mixing=none"):
        last_tuning(finetune, named=faces)
    with pytest.raises(ValueError, match="at least 0, found -1"):
        replace(faces, batch_size=-1)
    with pytest.raises(ValueError, match="weight must be above 0"):
        replace(faces, weight=0.0)
