"""A stage is named in one list; whatever else speaks of stages agrees with it."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from halfsmile.recipes.config import Recipe
from halfsmile.runs.stages import (
    CLASSIFYING,
    LAST_STAGE,
    STAGE_BY_NAME,
    STAGES,
    Stage,
    StageName,
    setbacks,
    stages_until,
)

NAMES = [stage.name for stage in STAGES]


def test_the_type_of_names_lists_the_stages_in_their_order() -> None:
    assert list(get_args(StageName)) == NAMES
    assert list(STAGE_BY_NAME) == NAMES
    assert NAMES[-1] == LAST_STAGE


def test_every_stage_has_its_part_of_a_recipe() -> None:
    assert set(NAMES) <= {field.name for field in fields(Recipe)}


def test_random_numbers_of_stages_are_those_of_earlier_runs() -> None:
    seeds = {stage.name: stage.seed for stage in STAGES}
    assert seeds == {**seeds, "pretrain": 1, "finetune": 2, "semi": 3, "temporal": 4, "tune": 5}
    assert len(set(seeds.values())) == len(seeds)


def test_stages_that_classify_faces() -> None:
    assert CLASSIFYING == ("finetune", "semi", "tune")


def test_stages_until_one_go_with_it() -> None:
    assert stages_until("pretrain") == ("pretrain",)
    assert stages_until("semi") == ("pretrain", "finetune", "semi")
    assert list(stages_until(LAST_STAGE)) == NAMES
    with pytest.raises(ValueError, match="no stage 'export'; a run may stop after pretrain, finetune"):
        stages_until("export")  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_every_stage_is_explained_to_readers(stage: Stage) -> None:
    assert stage.title.strip()
    assert stage.purpose.endswith(".")


def test_a_later_stage_below_an_earlier_one_is_told_with_the_best_earlier_one() -> None:
    scores = {
        "Pretraining": {"accuracy": 0.7, "macro F1": 0.5},
        "Fine-tuning": {"accuracy": 0.75, "macro F1": 0.6},
        "Semi": {"accuracy": 0.74, "macro F1": 0.61},
        "Tune": {"accuracy": 0.745, "macro F1": 0.6},
    }
    assert setbacks(scores) == [
        "Semi scores below an earlier stage on the same faces: accuracy 74.00 % after 75.00 % (Fine-tuning).",
        "Tune scores below an earlier stage on the same faces: accuracy 74.50 % after 75.00 % (Fine-tuning), "
        "macro F1 60.00 % after 61.00 % (Semi).",
    ]


def test_what_rises_or_stays_is_no_setback() -> None:
    assert setbacks({}) == setbacks({"a": {"accuracy": 0.5}}) == []
    assert setbacks({"a": {"accuracy": 0.1 + 0.2}, "b": {"accuracy": 0.3}}) == []
    assert setbacks({"a": {"accuracy": 0.3}, "b": {"accuracy": 0.4}}) == []
