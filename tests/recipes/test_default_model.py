"""How the model in the box was made."""

from __future__ import annotations

import pytest

from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.recipes import default_model


def test_every_training_label_with_its_votes_and_public_test_is_kept_for_calibration() -> None:
    recipe = default_model()
    assert recipe.labels == "all"
    assert recipe.held_out == 0
    assert recipe.resolved_protocol.test_splits == ("test",)
    assert recipe.finetune.vote_share == 1
    assert recipe.finetune.augment.camera > 0
    assert recipe.finetune.sampling == "natural"


def test_the_face_network_learns_from_photographs_too() -> None:
    recipe = default_model()
    assert isinstance(recipe.encoder, FaceNetworkConfig)
    assert recipe.semi is not None
    assert (recipe.semi.method.name, recipe.semi.unlabeled) == ("noisy-student", "extra")
    assert recipe.semi.strong.camera >= recipe.finetune.augment.camera


def test_it_is_no_vision_transformer() -> None:
    with pytest.raises(ValueError, match="preset paper"):
        default_model("paper")
