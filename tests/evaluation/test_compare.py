from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.compare import compare
from halfsmile.recipes import supervised
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.predictions import read_predictions

MakeRun = Callable[..., Path]
SUPERVISED = {"name": "supervised", "method": "supervised"}


def test_runs_that_differ_in_seed_are_one_group(make_run: MakeRun) -> None:
    runs = [
        make_run("a", stages=["finetune"], recipe=SUPERVISED, seed=0),
        make_run("b", seed=0),
        make_run("c", stages=["finetune"], recipe=SUPERVISED, seed=1),
        make_run("d", seed=1),
    ]
    result = compare(runs)
    assert [group.name for group in result.groups] == ["supervised", "ssfer-ferplus"]
    assert [group.seeds for group in result.groups] == [(0, 1), (0, 1)]
    first, second = result.groups
    values = [read_predictions(runs[i] / "predictions.parquet").metrics().accuracy for i in (1, 3)]
    assert second.mean("accuracy") == pytest.approx(np.mean(values))
    assert second.deviation("accuracy") == pytest.approx(np.std(values, ddof=1))
    assert first.against_first is None
    assert second.against_first is not None
    assert second.against_first.difference == pytest.approx(second.mean("accuracy") - first.mean("accuracy"))
    assert second.against_first.low > 0
    assert second.settings == {"method": "ssfer"}


def test_groups_with_one_name_are_told_apart_by_their_settings(make_run: MakeRun) -> None:
    result = compare(
        [
            make_run("a"),
            make_run("b", recipe={"labels": "5%"}),
            make_run("c", recipe={"semi": {"threshold": 0.9}}),
        ]
    )
    names = [group.name for group in result.groups]
    assert len(set(names)) == 3
    assert "labels=5%" in names[1]
    assert "semi.threshold=0.9" in names[2]
    assert {row[0] for row in result.setting_rows()} >= {"labels", "semi.threshold", "semi.epochs"}


def test_equal_recipes_that_were_run_otherwise_are_no_seeds_of_one_another(make_run: MakeRun) -> None:
    runs = [
        make_run("a", seed=0),
        make_run("b", seed=1),
        make_run("c", seed=2, stages=["pretrain", "finetune"]),
    ]
    facts = json.loads((runs[1] / "data.json").read_text())
    facts["pretrain_images"]["other.zip"] = 123
    (runs[1] / "data.json").write_text(json.dumps(facts))
    result = compare(runs)
    assert [group.seeds for group in result.groups] == [(0,), (1,), (2,)]
    assert "unlabeled_elsewhere=" in result.groups[1].name
    assert "123" in result.groups[1].name
    assert "last_stage=finetune" in result.groups[2].name


def test_what_is_no_finished_run_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("a")
    with pytest.raises(ValueError, match="at least one"):
        compare([])
    with pytest.raises(ValueError, match="not a folder"):
        compare([tmp_path / "missing"])
    with pytest.raises(ValueError, match=r"no recipe\.json"):
        compare([tmp_path])
    with pytest.raises(ValueError, match="same recipe and the same seed"):
        compare([run, run])
    (run / "semi/result.json").unlink()
    (run / "predictions.parquet").unlink()
    with pytest.raises(ValueError, match=r"unfinished: predictions\.parquet, semi/result\.json missing"):
        compare([run])


def test_recipes_need_a_seed_only_to_tell_runs_apart(make_run: MakeRun) -> None:
    run = make_run("a")
    recipe = json.loads((run / "recipe.json").read_text())
    del recipe["seed"]
    (run / "recipe.json").write_text(json.dumps(recipe))
    assert compare([run]).groups[0].seeds == (None,)


def test_a_recipe_from_before_a_part_existed_goes_without_it(make_run: MakeRun) -> None:
    old, new = make_run("a", seed=0), make_run("b", seed=1, recipe={"temporal": None, "group": None})
    (group,) = compare([old, new]).groups
    assert group.seeds == (0, 1)
    other = make_run("c", recipe={"temporal": {"steps": 9, "hop": 2}})
    assert [g.settings for g in compare([old, other]).groups] == [{"temporal": None}, {"temporal": "yes"}]


def test_equal_runs_on_other_data_are_told_apart_by_them(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b")]
    with pytest.raises(ValueError, match="same recipe and the same seed"):
        compare(runs)
    path = runs[1] / "data.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "path": "/elsewhere"}))
    found = compare(runs).groups
    assert [group.settings["data"] for group in found][1] == "/elsewhere"
    assert len(found) == 2


def test_equal_runs_with_other_labels_are_told_apart_by_them(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b")]
    for run, roles in zip(runs, (("labeled", "unlabeled"), ("unlabeled", "labeled")), strict=True):
        LabelBudget(("a.png", "b.png"), roles, "0" * 64, "50%", 0).save(run / "labels.parquet")
    first, second = (group.settings["budget"] for group in compare(runs).groups)
    assert first != second
    (runs[1] / "labels.parquet").write_bytes((runs[0] / "labels.parquet").read_bytes())
    with pytest.raises(ValueError, match="same recipe and the same seed"):
        compare(runs)


def test_fields_that_came_later_are_no_difference(make_run: MakeRun) -> None:
    new = to_json(replace(supervised("tiny"), protocol=PROTOCOLS["faces"]))
    old = json.loads(json.dumps(new))
    del old["finetune"]["augment"]["camera"], old["prior_shift"]
    runs = [make_run("a", seed=0), make_run("b", seed=1)]
    for run, recipe in zip(runs, (old, {**new, "seed": 1}), strict=True):
        (run / "recipe.json").write_text(json.dumps(recipe))
    (group,) = compare(runs).groups
    assert group.seeds == (0, 1)


def test_test_people_by_seed_need_equal_images_only_within_a_seed(make_run: MakeRun) -> None:
    drawn = {"test_people": 0.3}
    runs = [
        make_run(f"{name}-{seed}", seed=seed, prefix=f"people-{seed}/", recipe=drawn | more)
        for name, more in (("a", {}), ("b", {"labels": "5%"}))
        for seed in (0, 1)
    ]
    result = compare(runs)
    assert result.num_images == 1200
    assert "of other people for each seed" in result.caption
    assert result.groups[1].against_first is not None
    missing = compare(runs[:3])
    assert missing.groups[1].against_first is None
    with pytest.raises(ValueError, match="tested on different images"):
        compare([runs[0], make_run("c", prefix="others/", recipe=drawn | {"labels": "1%"})])
    with pytest.raises(ValueError, match="tested on different images"):
        compare([runs[0], make_run("d", seed=1, prefix="people-1/")])
