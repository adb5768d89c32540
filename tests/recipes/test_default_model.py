"""How the model in the box was made."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.recipes import default_model, enlarged_default_model


def test_the_default_model_uses_every_training_label_and_keeps_public_test_for_calibration() -> None:
    recipe = default_model()
    assert recipe.labels == "all"
    assert recipe.held_out == 0
    assert recipe.resolved_protocol.test_splits == ("test",)
    assert recipe.semi is None
    assert recipe.finetune.vote_share == 1


def test_the_default_model_is_the_same_network_on_larger_faces() -> None:
    first, second = (default_model(), enlarged_default_model())
    assert second.encoder == replace(first.encoder, image_size=64)
    assert (second.labels, second.protocol, second.held_out) == (first.labels, first.protocol, 0)
    assert (second.semi, second.tune) == (None, None)
