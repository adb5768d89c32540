"""A stage is taken over only if the faces that it learned from are the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halfsmile.data.split import LabelBudget
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.reuse import Reuse, find_reusable
from halfsmile.utils.files import write_json

RECIPE = {"name": "ssfer", "seed": 0, "pretrain": {"epochs": 1}, "finetune": {"epochs": 2}}
FACTS = {
    "data_set": "faces", "taxonomy": ["calm", "glad"], "path": "faces", "test_splits": ["test"],
    "labeled": {}, "unlabeled": 0, "pretrain_images": {"faces": 2, "others.zip": 3}, "notes": [],
    "test_fingerprint": "t",
}  # fmt: skip
BUDGET = LabelBudget(("a.png", "b.png"), ("labeled", "labeled"), "f", "all", 0)


def lender(path: Path, facts: dict[str, Any]) -> RunFolder:
    folder = RunFolder(path)
    write_json(folder.recipe_path, RECIPE)
    write_json(folder.data_path, facts)
    BUDGET.save(folder.budget_path)
    for stage in ("pretrain", "finetune"):
        write_json(folder.result_path(stage), {"stage": stage})
    return folder


def find(folder: RunFolder, facts: dict[str, Any]) -> Reuse:
    return find_reusable(
        folder.path,
        recipe=RECIPE,
        there=RECIPE,
        facts=facts,
        budget=BUDGET,
        stages=("pretrain", "finetune"),
    )


def test_as_many_other_unlabeled_faces_are_other_faces(tmp_path: Path) -> None:
    facts = {**FACTS, "unlabeled_fingerprints": {"others.zip": "u"}}
    folder = lender(tmp_path / "lender", facts)
    moved = {
        "pretrain_images": {"faces": 2, "moved.zip": 3},
        "unlabeled_fingerprints": {"moved.zip": "u"},
    }
    assert find(folder, {**facts, **moved}).stages == ("pretrain", "finetune")
    with pytest.raises(ValueError, match="taken over: the unlabeled faces are others, though as many"):
        find(folder, {**facts, "unlabeled_fingerprints": {"others.zip": "v"}})


def test_older_runs_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    folder = lender(tmp_path / "lender", FACTS)
    facts = {**FACTS, "unlabeled_fingerprints": {"others.zip": "u"}}
    assert find(folder, facts).stages == ("pretrain", "finetune")
    with pytest.raises(ValueError, match=r"taken over: unlabeled faces .* differs"):
        find(folder, {**facts, "pretrain_images": {"faces": 2, "others.zip": 4}})


def test_as_many_other_pseudo_labels_are_other_labels(tmp_path: Path) -> None:
    facts = {**FACTS, "pseudo_labels": [{"path": "named.parquet", "sha256": "1"}]}
    folder = lender(tmp_path / "lender", facts)
    assert find(folder, {**facts, "pseudo_labels": [{"path": "moved.parquet", "sha256": "1"}]}).ends is None
    with pytest.raises(ValueError, match="trained with other pseudo-labels, though as many"):
        find(folder, {**facts, "pseudo_labels": [{"path": "named.parquet", "sha256": "2"}]})
