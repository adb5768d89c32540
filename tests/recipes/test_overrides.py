"""Every field of a recipe can be set by its name, and nothing else can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.methods.debias import DebiasPL
from halfsmile.recipes import METHODS, abaw6, override, recipe_named, ssfer, supervised, temporal
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.overrides import arguments_of, field_meanings, field_values


@pytest.mark.parametrize("name", METHODS)
def test_what_is_shown_can_be_said_again(name: str) -> None:
    """Showing all fields and setting each to what was shown changes nothing."""
    made = recipe_named(name, data_set="affwild2")
    recipe = replace(made, protocol=made.protocol or PROTOCOLS["affwild2"])
    shown = [f"{field}={value}" for field, value in field_values(recipe)]
    assert len(shown) > 40
    assert override(recipe, *shown) == recipe


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("seed=7", lambda recipe: recipe.seed == 7),
        ("labels=40", lambda recipe: recipe.labels == "40"),
        ("flip=false", lambda recipe: recipe.flip is False),
        ("finetune.epochs=10", lambda recipe: recipe.finetune.epochs == 10),
        ("finetune.epochs=0.5", lambda recipe: recipe.finetune.epochs == 0.5),
        ("finetune.mixing=cutmix", lambda recipe: recipe.finetune.mixing == "cutmix"),
        ("finetune.ema_decay=none", lambda recipe: recipe.finetune.ema_decay is None),
        ("finetune.optim.betas=0.9,0.99", lambda recipe: recipe.finetune.optim.betas == (0.9, 0.99)),
        ("encoder.widths=8,12,16,24", lambda recipe: recipe.encoder.widths == (8, 12, 16, 24)),
        ("semi.labeled_batch=8", lambda recipe: recipe.semi.labeled_batch == 8),
        ("semi.method.threshold=0.95", lambda recipe: recipe.semi.method.threshold == 0.95),
        ("semi.method=debias", lambda recipe: recipe.semi.method == DebiasPL(momentum=0.99)),
        ("semi.strong.erase=0", lambda recipe: recipe.semi.strong.erase == 0),
        ("semi=none", lambda recipe: recipe.semi is None),
        ("pretrain = none", lambda recipe: recipe.pretrain is None),
    ],
)
def test_values_are_read_by_the_type_of_their_field(setting: str, read: object) -> None:
    assert callable(read)
    changed = override(ssfer(), setting)
    assert read(changed)
    assert changed != ssfer()


def test_protocol_and_stage_four_have_fields_too() -> None:
    recipe = replace(temporal(), protocol=PROTOCOLS["sequences"])
    changed = override(recipe, "temporal.network.window=12", "protocol.test_people=0.5", "temporal.steps=9")
    assert changed.temporal is not None
    assert (changed.temporal.network.window, changed.temporal.steps) == (12, 9)
    assert changed.resolved_protocol.test_people == 0.5


def test_a_student_without_labels_gets_its_last_fine_tuning() -> None:
    assert override(ssfer(), "semi.method=feedback").tune is not None
    assert override(abaw6(), "semi.method=fixmatch").tune is None


def kept_recipe() -> Recipe:
    """Another draw in the last fine-tuning than in the stage of feedback before it."""
    return override(ssfer(), "semi.method=feedback", "semi.sampling=balanced", "tune.sampling=sqrt")


def test_the_last_fine_tuning_follows_stage_three() -> None:
    for choice in ("own", "extra", "all"):
        tune = override(ssfer(), f"semi.unlabeled={choice}").tune
        assert tune is not None
        assert tune.named.unlabeled == choice
        assert tune.named.alignment == (choice == "own")
    for other in (
        ("tune.named.alignment=0.5", "semi.unlabeled=extra"),
        ("semi.unlabeled=extra", "tune.named.alignment=0.5"),
    ):
        tune = override(ssfer(), *other).tune
        assert tune is not None
        assert (tune.named.unlabeled, tune.named.alignment) == ("extra", 0.5)
    for settings in (
        ("semi.unlabeled=extra", "tune.named.unlabeled=own"),
        ("tune.named.unlabeled=own", "semi.unlabeled=extra"),
    ):
        own = override(ssfer(), *settings).tune
        assert own is not None
        assert own.named.unlabeled == "own"
    assert override(ssfer(), "semi=none").tune is None
    plain = override(ssfer("tiny"), "tune=yes", "semi=none").tune
    assert plain == override(ssfer("tiny"), "tune=yes").tune
    drawn = override(ssfer(), "semi.method=feedback", "semi.sampling=balanced").tune
    assert drawn is not None
    assert drawn.sampling == "balanced"
    kept = kept_recipe().tune
    assert kept is not None
    assert kept.sampling == "sqrt"
    own = override(kept_recipe(), "semi.epochs=1", "semi.unlabeled=all").tune
    assert own is not None
    assert own.sampling == "sqrt"
    untouched = override(ssfer(), "semi.sampling=balanced").tune
    assert untouched == ssfer().tune


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("finetune.epoch=3", r"no field 'finetune.epoch'\. Did you mean finetune.epochs"),
        ("batch_size=3", r"Did you mean .*pretrain.batch_size or finetune.batch_size"),
        ("tuning.epochs=3", r"no field 'tuning.epochs'.* --dry-run` shows all fields"),
        ("finetune.epochs.more=3", "no field 'finetune.epochs.more'"),
        ("temporal.steps=3", "The recipe ssfer has no temporal, so temporal.steps can't be set"),
        ("name=mine", "no field 'name'"),
        ("finetune.epochs", "Can't read the setting 'finetune.epochs': give stage.field=value"),
        ("=3", "Can't read the setting '=3'"),
        ("finetune.epochs=ten", "finetune.epochs is a number, found 'ten'"),
        ("finetune.epochs=nan", "finetune.epochs is a number, found 'nan'"),
        ("semi.weight=inf", "semi.weight is a number, found 'inf'"),
        ("finetune.epochs=0", "epochs must be above 0, found 0"),
        ("pretrain.batch_size=-1", "batch_size must be above 0, found -1"),
        ("semi.unlabeled_batch=0", "unlabeled_batch must be above 0, found 0"),
        ("semi.accumulate=0", "accumulate must be above 0, found 0"),
        ("encoder.image_size=0", "image_size must be above 0, found 0"),
        ("encoder.widths=0,0,0,0", r"widths\[0\] must be above 0, found 0"),
        ("encoder.drop_path=3", "drop_path must lie between 0 and 1, found 3"),
        ("pretrain.decoder_heads=0", "decoder_heads must be above 0, found 0"),
        ("finetune.alpha=-1", "alpha must be above 0, found -1"),
        ("finetune.dropout=1.5", "dropout must lie between 0 and 1, found 1.5"),
        ("finetune.optim.learning_rate=-1", "learning_rate must be finite"),
        ("finetune.optim.layer_decay=-1", "layer_decay must be above 0, found -1"),
        ("semi.ema_decay=2", "ema_decay must lie between 0 and 1, found 2"),
        ("seed=-1", "The seed must be 0 or above, found -1"),
        ("held_out=2", "held_out must lie between 0 and 1, found 2"),
        ("finetune.batch_size=1.5", "finetune.batch_size is a whole number, found '1.5'"),
        ("finetune.mixing=blend", "finetune.mixing is one of facemix, mixup, cutmix, none; found 'blend'"),
        ("flip=maybe", "flip is true or false, found 'maybe'"),
        ("finetune.optim.betas=0.9", "finetune.optim.betas takes 2 values"),
        ("finetune=none", "finetune has fields of its own"),
        ("encoder=none", "encoder can't be left out"),
        ("seed=none", "seed is a whole number, found 'none'"),
        ("semi.method=guess", "Unknown semi-supervised method 'guess'"),
        ("finetune.small_side=40", "small_side must be a multiple of the network's total stride"),
        ("encoder.image_size=50", "image_size 50 is not a multiple"),
    ],
)
def test_what_does_not_fit_is_refused(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        override(ssfer(), setting)


def test_the_baseline_has_no_stage_three_to_set() -> None:
    recipe: Recipe = supervised()
    with pytest.raises(ValueError, match="supervised has no Stage III"):
        override(recipe, "semi.method=debias")


@pytest.mark.parametrize("method", METHODS)
def test_every_field_is_explained_where_it_stands_first(method: str) -> None:
    recipe = recipe_named(method)
    meanings = field_meanings(recipe)
    told = {name.rpartition(".")[2] for name, said in meanings.items() if said}
    for name, _ in field_values(recipe):
        last = name.rpartition(".")[2]
        assert last in told or name == "semi.method.name", f"{name} has no meaning"


def test_fields_that_several_parts_share_are_told_once() -> None:
    meanings = field_meanings(recipe_named("ssfer"))
    assert meanings["pretrain.optim.warmup"]
    assert "semi.optim.warmup" not in meanings
    assert meanings["pretrain.augment.flip"] == "Probability of mirroring left and right."
    assert "finetune.augment.flip" not in meanings


def test_stages_that_call_different_things_alike_tell_each() -> None:
    meanings = field_meanings(recipe_named("ssfer"))
    assert "labeled" in meanings["finetune.epochs"]
    assert "unlabeled" in meanings["semi.epochs"]


def test_marks_of_docstrings_are_left_out_and_nothing_is_none() -> None:
    class Example:
        """An example.

        Args:
            first: Of :class:`~halfsmile.recipes.config.Recipe`, ``a`` or
                `b`.
            second (int): None for none.

        Raises:
            ValueError: never.
        """

    assert arguments_of(Example) == {
        "first": "Of halfsmile.recipes.config.Recipe, a or b.",
        "second": "none for none.",
    }


def test_whoever_sets_epochs_means_them() -> None:
    recipe = supervised()
    recipe = replace(recipe, finetune=replace(recipe.finetune, least_steps=400))
    assert override(recipe, "finetune.epochs=3").finetune.passes(64) == 3
    kept = override(recipe, "finetune.epochs=3", "finetune.least_steps=50").finetune
    assert kept.passes(64) == 50 * kept.batch_size / 64
    same = override(recipe, f"finetune.epochs={recipe.finetune.epochs}")
    assert same == recipe
