"""Cross-validation from Python: every face is tested once, and the same call goes on."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import halfsmile
from halfsmile.data.manifest import Manifest
from halfsmile.data.synthetic import generate, write_folders


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 faces in class folders without splits."""
    root = tmp_path_factory.mktemp("folds")
    three = {"happiness": 1.0, "sadness": 1.0, "neutral": 1.0}
    write_folders(generate(60, size=32, seed=1, people=20, class_weights=three), root, split="faces")
    return root / "faces"


def test_every_face_is_tested_once_and_the_call_goes_on(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "cv"
    cross_validate = partial(
        halfsmile.cross_validate,
        "supervised",
        data=faces,
        out=out,
        folds=2,
        labels="all",
        preset="tiny",
        settings=("finetune.epochs=1",),
        device="cpu",
        threads=1,
    )
    found = cross_validate()
    tested = []
    for fold in (1, 2):
        rows = Manifest.load(out / f"fold-{fold}.parquet")
        tested += rows.split("test").column("image")
        assert (out / f"fold-{fold}" / "report.html").is_file()
    assert sorted(tested) == sorted(path.relative_to(faces).as_posix() for path in faces.rglob("*.png"))
    assert sum(metrics.count for metrics in found.metrics) == 60
    record = json.loads((out / "folds.json").read_text())
    assert record["summary"] == found.summary()
    assert " ± " in record["summary"]["macro F1"]
    again = cross_validate()
    assert again.summary() == found.summary()
    with pytest.raises(ValueError, match="holds a fold of other data or another draw"):
        halfsmile.cross_validate("supervised", data=faces, out=out, folds=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "supervisd"}, "Did you mean supervised"),
        ({"settings": ("finetune.epoch=1",)}, r"no field 'finetune\.epoch'"),
        ({"preset": "huge"}, "Unknown preset"),
        ({"folds": 1}, "fold"),
    ],
)
def test_what_is_refused_leaves_nothing(
    changes: dict[str, Any], message: str, faces: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "recipe": "supervised",
        "preset": "tiny",
        "data": faces,
        "out": tmp_path / "cv",
    }
    with pytest.raises(ValueError, match=message):
        halfsmile.cross_validate(**(options | changes))
    assert not (tmp_path / "cv").exists()
