"""The program that clicks, with a recipe trained on the way."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.label_curve import Test, click
from tests.label.conftest import NAMES, Pixels

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.registry import read_any
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.learn.recipe import Prepared, all_prepared
from halfsmile.taxonomy import FERPLUS

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")
Test.__test__ = False  # type: ignore[attr-defined]


def boxed(prepared: Prepared, *_: object) -> Path:
    """In place of training: the model in the box."""
    prepared.model.parent.mkdir(parents=True)
    found = resources.files("halfsmile.predict") / "models" / "default.onnx"
    prepared.model.write_bytes(found.read_bytes())
    return prepared.model


def test_it_clicks_through_a_session_and_trains_the_recipe_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate(60, size=24, seed=2, people=20, class_weights=dict.fromkeys(NAMES, 1.0))
    faces = tmp_path / "faces"
    for i, image in enumerate(made.images):
        folder = faces / made.names[made.true_labels[i]]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02d}.png").write_bytes(encode_png(np.asarray(image)))
    pool = read_any(faces)
    Manifest(pool.without_labels().table, pool.root, FERPLUS).save(tmp_path / "pool.parquet")
    truth: list[str | None] = pool.column("label")
    truth[7] = None  # a tie of the annotators
    pixels = Pixels()
    images = np.stack([image.mean(axis=2, keepdims=True) for image in made.images]).astype(np.uint8)
    test = Test(pixels(images).astype(np.float16), np.array([made.names[k] for k in made.true_labels]))
    monkeypatch.setattr("halfsmile.label.session.choose_extractor", lambda _: pixels)
    monkeypatch.setattr("halfsmile.label.learn.fine_tuning.run_recipe", boxed)
    out = tmp_path / "labels"
    found: dict[str, Any] = click(
        tmp_path / "pool.parquet", truth, out, "margin", 0, 55, test, recipe_at=(40,)
    )
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    given = [event for event in answers if event["event"] == "answer"]
    assert len(given) == 55
    assert all(event.get("labels") == [truth[event["face"]]] for event in given if event["face"] != 7)
    assert [recipe.answers for recipe in all_prepared(out)] == [40]
    assert all(recipe.finished for recipe in all_prepared(out))
    assert found["points"]
    assert all(point["answers"] < 40 for point in found["points"])
