"""Runs of two semi-supervised methods differ in nothing but the method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import pytest

from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.recipes import abaw6, override, semi, ssfer, supervised, with_semi
from halfsmile.recipes.changes.tuning import with_tune
from halfsmile.recipes.config import NamedConfig, Preset, Unlabeled
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.settings import differences

PRESETS: tuple[Preset, ...] = get_args(Preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_rows_of_a_table_differ_in_nothing_but_what_was_switched(preset: Preset) -> None:
    first = to_json(semi("fixmatch", preset))
    second = to_json(semi("debias", preset, sampling="balanced", unlabeled="extra"))
    changed = {line.split(" ")[0] for line in differences(first, second)}
    assert changed <= {"name"} | {
        "semi.method." + name for name in ("name", "threshold", "momentum", "strength")
    } | {
        "semi.sampling",
        "semi.unlabeled",
        "tune.named.unlabeled",
    }
    assert {"semi.method.name", "semi.sampling", "semi.unlabeled"} <= changed


@pytest.mark.parametrize("preset", PRESETS)
def test_the_first_row_is_ssfer(preset: Preset) -> None:
    assert replace(semi("fixmatch", preset), name="ssfer") == ssfer(preset)


def test_the_last_fine_tuning_names_the_faces_of_stage_three() -> None:
    for unlabeled in get_args(Unlabeled):
        recipe = semi("debias", "cpu", unlabeled=unlabeled)
        assert recipe.tune is not None
        assert (recipe.tune.named.unlabeled, recipe.tune.named.batch_size) == (unlabeled, 64)
    plain = with_semi(with_tune(semi("debias", "tiny")), unlabeled="all")
    assert plain.tune is not None
    assert plain.tune.named == NamedConfig()


def test_a_student_that_sees_no_label_names_no_face() -> None:
    tune = semi("feedback", "cpu").tune
    assert tune is not None
    assert tune.named.batch_size == 0
    own = with_tune(semi("fixmatch", "tiny"))
    kept = with_semi(own, method="feedback", sampling="balanced").tune
    assert own.tune is not None
    assert kept == replace(own.tune, sampling="balanced")


def test_paper_keeps_the_published_numbers_and_cpu_shortens_the_memory() -> None:
    paper, cpu = semi("debias", "paper").semi, semi("debias", "cpu").semi
    assert paper is not None
    assert cpu is not None
    assert paper.method == DebiasPL()
    assert cpu.method == DebiasPL(momentum=0.99)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_student_that_sees_no_label_is_fine_tuned_at_the_end(preset: Preset) -> None:
    recipe = semi("feedback", preset, sampling="balanced")
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert (recipe.tune.sampling, recipe.tune.optim) == ("balanced", recipe.semi.optim)
    assert with_semi(recipe, method="fixmatch").tune is None
    small = replace(recipe.finetune, small_side=32) if preset == "cpu" else recipe.finetune
    again = with_semi(replace(semi("fixmatch", preset), finetune=small), method="feedback").tune
    assert again is not None
    assert again.small_side is None
    frames = abaw6(preset, data_set="affwild2")
    assert frames.tune is not None
    assert with_semi(frames, sampling="natural").tune == replace(frames.tune, sampling="natural")
    abaw = abaw6(preset)
    assert abaw.tune is not None
    assert (abaw.tune.sampling, abaw.tune.mixing) == ("balanced", "none")


def test_what_is_not_switched_stays() -> None:
    recipe = semi("freematch", "cpu", sampling="balanced", unlabeled="all")
    assert with_semi(recipe) == recipe
    switched = with_semi(recipe, sampling="natural").semi
    assert switched is not None
    assert (switched.method, switched.sampling, switched.unlabeled) == (
        FreeMatch(momentum=0.99),
        "natural",
        "all",
    )


@dataclass(frozen=True, kw_only=True)
class Coin(FixMatch):
    """A method that is none of the package's."""

    name: str = "coin"  # type: ignore[assignment]


class Loose:
    name = "loose"
    task = FixMatch.task


def test_a_method_of_ones_own_is_given_as_an_object() -> None:
    recipe = semi(Coin(threshold=0.6), "tiny", sampling="balanced")
    assert recipe.semi is not None
    assert (recipe.name, recipe.semi.method, recipe.semi.sampling) == (
        "coin",
        Coin(threshold=0.6),
        "balanced",
    )
    assert replace(with_semi(ssfer("tiny"), method=Coin()), name="coin") == semi(Coin(), "tiny")
    assert override(recipe, "semi.method.threshold=0.5").semi == replace(
        recipe.semi, method=Coin(threshold=0.5)
    )


def test_methods_that_a_run_could_not_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Loose is no dataclass, .* Write @dataclass"):
        semi(Loose())
    with pytest.raises(ValueError, match="Coin has the name 'debias', which is that of another method"):
        with_semi(ssfer(), method=Coin(name="debias"))
    assert semi(FixMatch(threshold=0.95)) == override(semi("fixmatch"), "semi.method.threshold=0.95")


def test_switches_that_lead_nowhere_are_refused() -> None:
    baseline = supervised()
    assert with_semi(baseline) == baseline
    with pytest.raises(ValueError, match="supervised has no Stage III"):
        with_semi(baseline, method="fixmatch")
    with pytest.raises(ValueError, match="Unknown semi-supervised method 'guess'; known are fixmatch, "):
        semi("guess")
