"""Recipes that start from the face network."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.recipes import abaw6, ssfer, supervised
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.config import Preset
from halfsmile.recipes.resolve import resolve
from halfsmile.recipes.semi import semi
from halfsmile.recipes.serialize import from_json, to_json


@pytest.fixture
def faces(generated_data: Path) -> Path:
    return generated_data / "labeled"


@pytest.mark.parametrize("preset", ["tiny", "cpu", "gpu"])
def test_stage_one_is_replaced_and_layers_learn_at_rates_of_their_own(preset: Preset) -> None:
    recipe = with_face_network(ssfer(preset))
    assert (recipe.init, recipe.pretrain, recipe.standardize) == ("face", None, True)
    assert isinstance(recipe.encoder, FaceNetworkConfig)
    assert recipe.semi is not None
    assert recipe.semi.method == FixMatch()
    assert recipe.semi.optim.layer_decay == recipe.finetune.optim.layer_decay < 1
    assert recipe.semi.optim.learning_rate == recipe.finetune.optim.learning_rate / 2
    assert from_json(to_json(recipe)) == recipe


def test_faces_of_ferplus_are_gray() -> None:
    assert with_face_network(supervised(), data_set="ferplus").encoder.channels == 1
    assert with_face_network(supervised(), data_set="rafdb").encoder.channels == 3


def test_a_method_that_was_asked_for_stays() -> None:
    recipe = with_face_network(semi("freematch"))
    assert recipe.semi is not None
    assert recipe.semi.method.name == "freematch"
    assert with_face_network(supervised()).semi is None


def test_rare_classes_are_drawn_more_often_where_nothing_else_was_asked_for() -> None:
    recipe = with_face_network(ssfer())
    assert recipe.semi is not None
    assert recipe.finetune.sampling == recipe.semi.sampling == "sqrt"
    balanced = with_face_network(abaw6())
    assert balanced.semi is not None
    assert balanced.finetune.sampling == balanced.semi.sampling == "balanced"


def test_a_last_fine_tuning_learns_what_stage_three_says_of_its_faces() -> None:
    recipe = with_face_network(ssfer())
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert recipe.tune.named.batch_size == recipe.semi.unlabeled_batch
    assert recipe.tune.named.unlabeled == recipe.semi.unlabeled
    assert (recipe.tune.mixing, recipe.tune.sampling) == ("none", "sqrt")
    assert with_face_network(supervised()).tune is None


def test_the_fine_tuning_of_another_method_stays_its_own() -> None:
    tune = with_face_network(abaw6()).tune
    assert tune is not None
    assert tune.named.batch_size == 0


def test_the_published_network_is_another_one() -> None:
    with pytest.raises(ValueError, match="--preset cpu or gpu with --init face"):
        with_face_network(ssfer("paper"))


def test_the_command_line_names_it(faces: Path) -> None:
    recipe = resolve("ssfer", data=faces, preset="tiny", init="face", settings=["finetune.epochs=3"])
    assert recipe.encoder == FaceNetworkConfig(image_size=67)
    assert recipe.finetune.epochs == 3
    again = resolve(recipe, data=faces, init="face")
    assert again == recipe


def test_each_pseudo_label_counts_as_much_as_a_label() -> None:
    for preset in get_args(Preset):
        recipe = semi("noisy-student", preset)
        assert recipe.semi is not None
        assert recipe.semi.weight == 1


def test_teachers_are_for_noisy_students(faces: Path) -> None:
    recipe = resolve("noisy-student", data=faces, teachers=[Path("runs/a"), Path("runs/b")])
    assert recipe.semi is not None
    assert recipe.semi.method == NoisyStudent(teachers=("runs/a", "runs/b"))
    assert from_json(to_json(recipe)) == recipe
    with pytest.raises(ValueError, match=r"has fixmatch as Stage III\. Train noisy-student instead"):
        resolve("ssfer", data=faces, teachers=[Path("runs/a")])
