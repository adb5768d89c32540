"""The table of few labels on FERPlus, in small: every row, one budget, resumed, and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.ferplus_table import TITLES, Arguments, Row, main, recipe_of, runs
from tests.data.layouts import write_ferplus

from benchmarks import ferplus_table
from halfsmile.recipes.config import Recipe


def arguments(folder: Path, *rows: Row, seeds: tuple[int, ...] = (0,)) -> Arguments:
    return Arguments(data=folder / "data", out=folder / "out", rows=rows, seeds=seeds, preset="tiny")


def short(row: Row, labels: str, seed: int, asked: Arguments) -> Recipe:
    """The recipe of a row with a step or two a stage."""
    recipe = recipe_of(row, labels, seed, asked)
    recipe = replace(recipe, held_out=0.0, finetune=replace(recipe.finetune, epochs=1, batch_size=8))
    if recipe.semi is None:
        return recipe
    return replace(recipe, semi=replace(recipe.semi, epochs=0.5, labeled_batch=8, unlabeled_batch=8))


def test_the_first_seed_comes_before_the_others(tmp_path: Path) -> None:
    asked = replace(arguments(tmp_path, "scratch", "face", seeds=(0, 1)), labels=("5%", "10%"))
    found = list(runs(asked))
    assert found[0] == ("scratch", "5%", 0)
    assert [seed for *_, seed in found] == [0] * 4 + [1] * 4
    assert len({asked.folder(*run) for run in found}) == 8


def test_rows_differ_in_what_their_titles_say(tmp_path: Path) -> None:
    asked = arguments(tmp_path, "scratch")
    made = {row: recipe_of(row, "10%", 0, asked) for row in TITLES}
    assert made["scratch"].pretrain is None
    assert made["scratch"].semi is None
    assert made["face"].semi is None
    assert made["ssfer"].pretrain is not None
    assert made["face"].init == made["face-ssfer"].init == "face"
    assert (made["plain"].finetune.mixing, made["facemix"].finetune.mixing) == ("none", "facemix")
    assert made["plain"].init == made["facemix"].init == str(asked.folder("ssfer", "10%", 0))
    assert made["face-ssfer"].finetune == made["face"].finetune


def test_each_row_gets_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ferplus(tmp_path / "data", train=6, test=2)
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--preset", "tiny"]
    options += ["--labels", "50%", "--rows", "scratch", "face-ssfer"]
    monkeypatch.setattr("sys.argv", ["ferplus_table.py", *options])
    monkeypatch.setattr(ferplus_table, "recipe_of", short)
    main()
    text = (tmp_path / "out" / "table.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0] for line in lines] == [f"| {TITLES['scratch']}", f"| {TITLES['face-ssfer']}"]
    final = json.loads((tmp_path / "out" / "face-ssfer-50-0" / "metrics.json").read_text())["final"]
    assert f"{100 * final['accuracy']:.2f}" in lines[1]
    assert "(neu hap sur sad ang dis fea con)" in text
    weights = tmp_path / "out" / "face-ssfer-50-0" / "semi" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    main()
    assert weights.stat().st_mtime_ns == before
    assert (tmp_path / "out" / "table.md").read_text() == text
