"""Scores on labeled faces that are not FER2013's, on generated ones."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks.real_faces import Options, measure, press, run, sequences, spoiled, studio, thinned

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import preprocess
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.predict.model import ExpressionModel


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the folder of real faces, with 24 pictures and 12 frames of generated ones."""
    root = tmp_path_factory.mktemp("shared")
    faces = generate(36, size=64, seed=4, people=6)
    pictures = [encode_png(image) for image in faces.images]
    for name in ("faces_lfw", "sequences_london", "demo/london"):
        (root / name).mkdir(parents=True)
    with zipfile.ZipFile(root / "faces_lfw/lfw112.zip", "w") as archive:
        for i in range(24):
            archive.writestr(f"{i}.jpg", pictures[i])
    _write(
        root / "faces_lfw/validation_labels.csv",
        [("file", "label")] + [(f"{i}.jpg", ("neutral", "happiness")[i % 2]) for i in range(24)],
    )
    rows = [("person", "file", "intensity", "label", "corruption")]
    with zipfile.ZipFile(root / "sequences_london/sequences.zip", "w") as archive:
        for i in range(12):
            archive.writestr(f"a/{i}.jpg", pictures[24 + i])
            label = ("neutral", "transition", "happiness")[i % 3]
            rows.append((str(i // 6), f"a/{i}.jpg", str((i % 3) / 2), label, "dark" if i in (2, 3) else ""))
    _write(root / "sequences_london/frames.csv", rows)
    (root / "demo/london/0.png").write_bytes(pictures[0])
    _write(root / "demo/london/labels.csv", [("file", "label"), ("0.png", "neutral")])
    return root


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_the_sets_are_what_their_tables_say(shared: Path) -> None:
    assert len(press(shared).rows) == 24
    assert [row[0] for row in spoiled(shared).rows] == [f"sequences.zip!a/{i}.jpg" for i in (2, 3)]
    assert {label for _, label in sequences(shared).rows} == {"neutral", "happiness"}
    assert len(sequences(shared).rows) == 6
    assert len(studio(shared).rows) == 4  # two people, neutral and smiling


def test_fewer_faces_are_spread_over_the_set(shared: Path) -> None:
    whole = spoiled(shared)
    assert thinned(whole, None) is whole
    assert thinned(whole, 9) is whole
    some = thinned(press(shared), 3)
    assert some.rows == tuple(press(shared).rows[k] for k in (0, 12, 23))
    one = thinned(sequences(shared), 1)
    assert len(one.rows) == len(one.groups) == 1


def test_scores_are_those_of_counting(shared: Path) -> None:
    model, faces = ExpressionModel.load(threads=1), press(shared)
    scores, _ = measure(model, faces, "given")
    wanted = model.preprocessing
    crops = [preprocess(read_image(faces.root, name), wanted.size, wanted.channels) for name, _ in faces.rows]
    answers = model.predict(np.stack(crops)).probabilities
    named = [model.labels[k] for k in answers.argmax(axis=1)]
    truth = [label for _, label in faces.rows]
    right = np.array([answer == label for answer, label in zip(named, truth, strict=True)])
    assert scores["accuracy"] == pytest.approx(right.mean())
    assert scores["recalls"] == {}  # fewer than twenty of each
    sure = answers.max(axis=1) >= (model.threshold or 0)
    assert scores["certain"] == pytest.approx(sure.mean())
    assert np.mean(scores["by_light"]) == pytest.approx(right.mean(), abs=0.05)


def test_a_run_writes_every_score(shared: Path, tmp_path: Path) -> None:
    options = Options(shared, models=("default",), names=("box",), out=tmp_path, sheets=tmp_path / "sheets")
    run(options)
    found = json.loads((tmp_path / "scores.json").read_text())
    assert "box, given, press" in found
    assert "box, given, photographs" not in found
    missed = found["box, auto, photographs"]
    assert missed["faces"] == 1
    assert 0 <= missed["accuracy"] <= 1
    assert list((tmp_path / "sheets").glob("*.png"))
