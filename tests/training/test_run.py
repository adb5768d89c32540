"""A run goes by the label budget that it is given, and by no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from halfsmile.data.readers import class_folders
from halfsmile.data.split import LabelBudget
from halfsmile.models.precision import PrecisionChoice
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training import run as module
from halfsmile.training.distributed import Processes
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console

HERE = Processes(0, 1, torch.device("cpu"))


def run(recipe: Recipe, data: Path, out: Path, budget: LabelBudget | None) -> LabelBudget:
    recipe = replace(recipe, pretrain=None, semi=None)
    return LabelBudget.load(
        train_run(recipe, data=data, unlabeled=[], out=out, where=HERE, budget=budget).budget_path
    )


@pytest.mark.parametrize(
    ("own", "others", "chosen"), [("bfloat16", False, "bfloat16"), ("bfloat16", True, "float32")]
)
def test_numbers_are_whole_where_one_process_has_no_units_for_half_ones(
    own: Any, others: bool, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Several(Processes):
        def agree(self, *flags: bool) -> tuple[bool, ...]:
            return tuple(flag or others for flag in flags)

    monkeypatch.setattr(module, "choose_precision", lambda _: PrecisionChoice(own, 2.0, "measured"))
    where = Several(0, 2, torch.device("cpu"))
    assert module._precision(RunFolder(tmp_path), where, make_console(stderr=True)) == chosen


def test_a_given_budget_is_what_the_run_uses(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    data = generated_data / "labeled"
    given = LabelBudget.draw(class_folders.read(data).split("train"), "3", seed=99)
    assert given != LabelBudget.draw(class_folders.read(data).split("train"), "3", seed=0)
    assert run(tiny_recipe, data, tmp_path / "run", given) == given
    assert run(tiny_recipe, data, tmp_path / "run", None) == given


def test_another_budget_than_the_run_began_with_is_refused(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    data = generated_data / "labeled"
    train = class_folders.read(data).split("train")
    run(tiny_recipe, data, tmp_path / "run", LabelBudget.draw(train, "3", seed=1))
    with pytest.raises(ValueError, match="another label budget"):
        run(tiny_recipe, data, tmp_path / "run", LabelBudget.draw(train, "3", seed=2))


def test_faces_without_a_partner_to_mix_with_are_refused_before_anything_is_trained(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    finetune = replace(tiny_recipe.finetune, batch_size=16, accumulate=16)
    recipe = replace(tiny_recipe, finetune=finetune)
    places: dict[str, Any] = {"data": generated_data / "labeled", "unlabeled": [], "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="a process sees one face at a time"):
        train_run(recipe, **places, where=HERE)
    assert not (tmp_path / "run/pretrain").exists()
    folder = train_run(recipe, **places, where=HERE, last_stage="pretrain")
    folder.mark_finished("finetune", {})
    train_run(recipe, **places, where=HERE, last_stage="finetune")


def test_a_budget_of_other_data_is_refused(tiny_recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    data = generated_data / "labeled"
    other = LabelBudget.draw(class_folders.read(data).split("test"), "2", seed=0)
    with pytest.raises(ValueError, match="not what this label budget was drawn for"):
        run(tiny_recipe, data, tmp_path / "run", other)
    assert not (tmp_path / "run" / "labels.parquet").exists()
