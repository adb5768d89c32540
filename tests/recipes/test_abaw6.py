"""The ABAW6 method: what the paper states of it."""

from __future__ import annotations

from halfsmile.recipes import abaw6, temporal


def test_abaw6_is_balanced_feedback_on_faces_from_other_sources() -> None:
    recipe = abaw6()
    assert recipe.semi is not None
    assert (recipe.semi.method.name, recipe.semi.sampling, recipe.semi.unlabeled) == (
        "feedback",
        "balanced",
        "extra",
    )
    assert (recipe.finetune.sampling, recipe.finetune.mixing) == ("balanced", "none")


def test_the_abaw6_method_on_video_adds_time_to_the_same_spatial_part() -> None:
    recipe = abaw6(data_set="affwild2")
    spatial = abaw6()
    assert recipe.semi is not None
    assert spatial.semi is not None
    assert recipe.semi.method == spatial.semi.method
    assert (recipe.semi.sampling, recipe.semi.unlabeled) == ("balanced", "extra")
    assert recipe.temporal is not None
    assert (recipe.temporal.network.window, recipe.temporal.balance) == (100, True)


def test_a_stage_four_has_frames_of_its_own() -> None:
    for recipe in (temporal(), abaw6(data_set="affwild2"), abaw6(data_set="sequences")):
        assert recipe.temporal is not None
        assert 0 < recipe.temporal.own_share < 1
        assert recipe.labels == "all"
