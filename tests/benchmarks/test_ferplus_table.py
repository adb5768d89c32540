"""The table of few labels on FERPlus, in small: every row, one budget, resumed, and read back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from benchmarks.ferplus_rows import LEVERS, ROWS, all_rows, shares_stages
from benchmarks.ferplus_table import Arguments, main, recipe_of, runs
from tests.data.layouts import write_ferplus

from benchmarks import ferplus_table
from halfsmile.methods.facemix import Mixing
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.settings import differences


def arguments(folder: Path, *rows: str, seeds: tuple[int, ...] = (0,)) -> Arguments:
    return Arguments(data=folder / "data", out=folder / "out", rows=rows, seeds=seeds, preset="tiny")


def short(row: str, labels: str, seed: int, asked: Arguments) -> Recipe:
    """The recipe of a row with a step or two a stage."""
    recipe = recipe_of(row, labels, seed, asked)
    recipe = replace(recipe, held_out=0.0, finetune=replace(recipe.finetune, epochs=1, batch_size=8))
    if recipe.semi is None:
        return recipe
    tune = recipe.tune
    if tune is not None:
        tune = replace(tune, epochs=0.5, batch_size=8, named=replace(tune.named, batch_size=8))
    semi = replace(recipe.semi, epochs=0.5, labeled_batch=8, unlabeled_batch=8)
    return replace(recipe, semi=semi, tune=tune)


def test_the_first_seed_comes_before_the_others(tmp_path: Path) -> None:
    asked = replace(arguments(tmp_path, "scratch", "face", seeds=(0, 1)), labels=("5%", "10%"))
    found = list(runs(asked))
    assert found[0] == ("scratch", "5%", 0)
    assert [seed for *_, seed in found] == [0] * 4 + [1] * 4
    assert len({asked.folder(*run) for run in found}) == 8


def test_rows_differ_in_what_their_titles_say(tmp_path: Path) -> None:
    asked = arguments(tmp_path, "scratch")
    made = {row: recipe_of(row, "10%", 0, asked) for row in ROWS}
    assert made["scratch"].pretrain is None
    assert made["scratch"].semi is None
    assert made["face"].semi is None
    assert made["ssfer"].pretrain is not None
    assert made["face"].init == made["face-ssfer"].init == "face"
    for row, mixing in (("plain", "none"), ("mixup", "mixup"), ("facemix", "facemix")):
        assert made[row] == replace(
            made["plain"], finetune=replace(made["plain"].finetune, mixing=cast(Mixing, mixing))
        )
    for row in ("taught", "student"):
        pretrain = recipe_of(row, "10%", 0, replace(asked, preset="cpu")).pretrain
        assert pretrain is not None
        assert pretrain.teacher == "face"
    assert made["taught"].semi is None
    assert made["taught"].tune is None
    assert made["plain"].tune is None
    assert made["plain"].init == str(asked.folder("ssfer", "10%", 0))
    assert made["face-ssfer"].finetune == made["face"].finetune
    assert made["plain"].semi is None
    for seed in (0, 2):
        semi = recipe_of("student", "10%", seed, asked).semi
        assert semi is not None
        assert isinstance(semi.method, NoisyStudent)
        assert semi.method.teachers == (str(asked.folder("face-ssfer", "10%", seed)),)


@pytest.mark.parametrize("lever", LEVERS)
def test_a_lever_is_pulled_alone_on_top_of_its_row(tmp_path: Path, lever: str) -> None:
    asked = arguments(tmp_path, lever)
    base, found = recipe_of("face-ssfer", "10%", 0, asked), recipe_of(lever, "10%", 0, asked)
    changed = {name.partition(" (")[0] for name in differences(to_json(base), to_json(found))}
    parts = {setting.partition("=")[0].split(".")[0] for setting in LEVERS[lever]}
    assert {name.split(".")[0] for name in changed} <= parts  # less where the recipe pulls it already
    assert shares_stages(asked.known[lever]) is (lever not in ("sqrt", "natural"))


def test_levers_of_ones_own(tmp_path: Path) -> None:
    rows = all_rows(["hot: semi.optim.learning_rate=0.5 tune=yes"], base="ssfer")
    assert rows["hot"].base == "ssfer"
    assert rows["hot"].settings == ("semi.optim.learning_rate=0.5", "tune=yes")
    for wrong, message in (
        ("hot", "is written"),
        ("a b: flip=no", "is written"),
        ("tune: flip=no", "already"),
    ):
        with pytest.raises(ValueError, match=message):
            all_rows([wrong], base="ssfer")
    with pytest.raises(ValueError, match="--base must be one of"):
        all_rows([], base="hot")
    with pytest.raises(ValueError, match="There is no row 'cold'"):
        arguments(tmp_path, "cold")


def numbers(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", line)]


def test_each_row_gets_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ferplus(tmp_path / "data", train=6, test=2)
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--preset", "tiny"]
    options += ["--labels", "50%", "--rows", "scratch", "face-ssfer", "prior", "student"]
    options += ["--official", str(tmp_path / "data")]
    monkeypatch.setattr("sys.argv", ["ferplus_table.py", *options])
    monkeypatch.setattr(ferplus_table, "recipe_of", short)
    drawn: list[str] = []

    def draw(run: Path) -> None:
        drawn.append(run.name)
        (run / "report.html").touch()

    monkeypatch.setattr(ferplus_table, "write_report", draw)
    main()
    assert drawn == ["scratch-50-0", "face-ssfer-50-0", "prior-50-0", "student-50-0"]
    text = (tmp_path / "out" / "table.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    titles = [ROWS["scratch"].title, ROWS["face-ssfer"].title, "face-ssfer + prior_shift=0.2"]
    titles.append(ROWS["student"].title)
    assert [line.split(" | ")[0] for line in lines[:4]] == [f"| {title}" for title in titles]
    assert [bool(line.split(" | ")[-1].strip(" |")) for line in lines[:4]] == [False, False, True, False]
    taken = json.loads((tmp_path / "out" / "prior-50-0" / "semi" / "result.json").read_text())
    assert taken["taken_from"] == str(tmp_path / "out" / "face-ssfer-50-0")
    scored = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(scored) == 10  # five rules, two test sets
    assert all(" 32 of 32 " in line or " 16 of 16 " in line for line in scored)
    own = [line for line in scored if "argmax`" in line and "PublicTest" in line]
    last = json.loads((tmp_path / "out" / "student-50-0" / "metrics.json").read_text())["final"]
    assert any(found == pytest.approx(100 * last["accuracy"], abs=0.0051) for found in numbers(own[0]))
    final = json.loads((tmp_path / "out" / "face-ssfer-50-0" / "metrics.json").read_text())["final"]
    assert numbers(lines[1])[0] == pytest.approx(100 * final["accuracy"], abs=0.0051)
    assert "(neu hap sur sad ang dis fea con)" in text
    weights = tmp_path / "out" / "face-ssfer-50-0" / "semi" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    main()
    assert weights.stat().st_mtime_ns == before
    assert len(drawn) == 4
    assert (tmp_path / "out" / "table.md").read_text() == text
    monkeypatch.setattr("sys.argv", ["ferplus_table.py", *options, "--finished", "--seeds", "0", "7"])
    main()
    assert (tmp_path / "out" / "table.md").read_text() == text
