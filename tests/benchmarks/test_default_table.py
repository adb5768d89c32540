"""The table of the ingredients of the model in the box, in small: every row is trained, measured and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.default_table import ROWS, Arguments, Row, recipe_of, run, shortened
from tests.benchmarks.test_real_faces import shared
from tests.data.layouts import write_ferplus

from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.recipes import default_model
from halfsmile.recipes.serialize import to_json
from halfsmile.runs.settings import differences

__all__ = ["shared"]

CHANGED = {
    "scratch": {"encoder", "init", "finetune.optim", "finetune.dropout"},
    "small": {"encoder.image_size"},
    "color": {"encoder.channels"},
    "camera": {"finetune.augment.camera", "finetune.augment"},
    "photographs": {"semi"},
    "tune": {"tune"},
    "tune-alone": {"tune"},
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_row_changes_its_ingredient_alone(name: str) -> None:
    base = ROWS[name].base
    assert base is not None
    found = differences(to_json(recipe_of(base, "cpu")), to_json(recipe_of(name, "cpu")))
    fields = {difference.partition(" (")[0] for difference in found}
    assert fields
    assert all(any(field.startswith(part) for part in CHANGED[name]) for field in fields)


def test_all_ingredients_together_are_the_model_in_the_box() -> None:
    assert recipe_of("tune", "cpu") == default_model("cpu")


def test_all_stages_are_shortened_alike() -> None:
    full, short = default_model("cpu"), shortened(default_model("cpu"), 5)
    assert full.semi is not None
    assert full.tune is not None
    assert short.semi is not None
    assert short.tune is not None
    share = 5 / full.finetune.epochs
    assert short.finetune == replace(full.finetune, epochs=5)
    assert short.semi.epochs == pytest.approx(share * full.semi.epochs)
    assert short.tune.epochs == pytest.approx(share * full.tune.epochs)
    assert shortened(full, None) is full


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(ValueError, match="no row 'salt'; there are labels, scratch"):
        Arguments(data=Path(), out=Path(), shared=Path(), rows=("salt",))


def test_color_needs_the_face_network() -> None:
    scratch = recipe_of("scratch", "cpu")
    assert not isinstance(scratch.encoder, FaceNetworkConfig)
    with pytest.raises(ValueError, match="face network"):
        ROWS["color"].change(scratch)


def test_rows_are_trained_measured_and_kept(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ferplus(tmp_path / "data", train=6, test=2)
    (tmp_path / "faces").mkdir()
    for i, image in enumerate(generate(8, size=64, seed=9).images):
        (tmp_path / "faces" / f"{i}.png").write_bytes(encode_png(np.asarray(image)))
    for name in ("labels", "camera", "photographs"):
        monkeypatch.setitem(ROWS, name, _small(ROWS[name]))
    arguments = Arguments(
        data=tmp_path / "data",
        out=tmp_path / "out",
        shared=shared,
        unlabeled=(tmp_path / "faces",),
        rows=("labels", "camera", "photographs"),
        epochs=0.5,
        preset="tiny",
        most=4,
        threads=1,
    )
    text = run(arguments)
    lines = text.splitlines()[2:]
    assert [line.split(":")[0] for line in lines] == ["| labels", "| camera", "| photographs"]
    assert [line.split(" | ")[1] for line in lines] == ["", "labels", "camera"]
    assert "press %" in text
    assert "spoiled %" in text
    taken = json.loads((tmp_path / "out" / "photographs" / "finetune" / "result.json").read_text())
    assert taken["taken_from"] == str(tmp_path / "out" / "camera")
    final = json.loads((tmp_path / "out" / "camera" / "metrics.json").read_text())["final"]
    kept = json.loads((tmp_path / "out" / "camera" / "real_faces.json").read_text())
    assert kept["FERPlus"]["accuracy"] == pytest.approx(final["accuracy"])
    weights = tmp_path / "out" / "photographs" / "semi" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert run(arguments) == text
    assert weights.stat().st_mtime_ns == before
    assert (tmp_path / "out" / "table.md").read_text() == text


def _small(row: Row) -> Row:
    def change(recipe):  # type: ignore[no-untyped-def]
        found = row.change(recipe)
        semi = found.semi and replace(found.semi, labeled_batch=8, unlabeled_batch=8)
        return replace(found, finetune=replace(found.finetune, batch_size=8), semi=semi)

    return replace(row, change=change)
