"""The recipe as commands that a user could type."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from halfsmile.label.learn.recipe import RecipeError, commands, run_recipe


def test_it_trains_on_the_folder_of_the_answers() -> None:
    train, evaluate, export = commands(Path("labels"), Path("labels/runs/00001"))
    assert train[:2] == ["train", "supervised"]
    assert train[train.index("--data") + 1] == "labels"
    assert evaluate == ["evaluate", "labels/runs/00001"]
    assert export == ["export", "labels/runs/00001"]


def test_what_goes_wrong_is_one_sentence(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(RecipeError, match=r"halfsmile train supervised .*gone does not exist"):
        run_recipe(
            tmp_path / "gone", tmp_path / "run", lambda what, share: told.append(what), threading.Event()
        )
    assert told == ["train"]
