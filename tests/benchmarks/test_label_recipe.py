"""What Stage II learns from a session's first answers, and where its accuracy crosses a line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.label_recipe import first_answers, line, main, needed, tell, with_test
from tests.label.conftest import NAMES, Pixels

from benchmarks import label_recipe
from halfsmile.data.manifest import Manifest
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.session import Labeling

SPLITS = ("train", "valid", "test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty faces to teach and ten to test on, of three classes."""
    made = generate(50, size=24, seed=2, people=20, class_weights=dict.fromkeys(NAMES, 1.0))
    for i, image in enumerate(made.images):
        split = "train" if i < 40 else "test"
        folder = tmp_path / "data" / split / NAMES[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02d}.png").write_bytes(encode_png(np.asarray(image)))
    return tmp_path / "data"


def session(data: Path, out: Path, answers: int) -> list[str]:
    """A session of ``label_curve.py``; the pictures that were asked, in their order."""
    from halfsmile.data.readers.registry import read_any

    pool = read_any(data).split("train")
    truth = dict(zip(pool.column("image"), pool.column("label"), strict=True))
    pool.without_labels().save(out.with_suffix(".parquet"))
    asked = []
    with Labeling.open(
        out.with_suffix(".parquet"), out=out, classes=list(NAMES), extractor=Pixels, aligned=True, share=0.2
    ) as labeling:
        for _ in range(answers):
            face = int(labeling.next()[0]["id"])
            asked.append(labeling.pool.locators[face])
            labeling.answer("me", [{"face": str(face), "kind": "label", "labels": [truth[asked[-1]]]}])
    return asked


def test_the_first_answers_teach_but_those_kept_apart(data: Path, tmp_path: Path) -> None:
    asked = session(data, tmp_path / "labels", 30)
    labeled = Manifest.load(tmp_path / "labels" / "labels.parquet")
    apart = {
        image
        for image, split in zip(labeled.column("image"), labeled.column("split"), strict=True)
        if split != "train"
    }
    found = first_answers(tmp_path / "labels", 15)
    assert set(found.column("image")) == set(asked[:15]) - apart
    assert len(apart & set(asked[:15])) == 3
    with pytest.raises(ValueError, match="has 30 answers, and 31 are wanted"):
        first_answers(tmp_path / "labels", 31)


def test_the_faces_to_test_on_are_the_test_split_and_teach_no_votes(data: Path, tmp_path: Path) -> None:
    from halfsmile.data.readers.registry import read_any

    session(data, tmp_path / "labels", 30)
    test = read_any(data).split("test")
    taught = first_answers(tmp_path / "labels", 30)
    both = with_test(taught, test)
    assert set(both.split("train").column("image")) == set(taught.column("image"))
    assert both.split("test").column("label") == test.column("label")
    assert set(both.column("votes")) == {None}
    only = taught.take([row for row, name in enumerate(taught.column("label")) if name != "surprise"])
    assert set(with_test(only, test).column("label")) == set(NAMES) - {"surprise"}


def points(rule: str, *accuracies: float, seed: int = 0) -> list[dict[str, Any]]:
    return [
        {"rule": rule, "seed": seed, "answers": 100 * 2**i, "accuracy": accuracy, "recall": 0.5}
        for i, accuracy in enumerate(accuracies)
    ]


def test_the_line_over_the_logarithm_says_what_is_needed() -> None:
    rising = points("random", 0.70, 0.72, 0.74)
    assert line(rising)[0] == pytest.approx(0.02 / np.log(2))
    assert needed(rising, 0.73) == pytest.approx(100 * 2**1.5)
    assert needed(points("random", 0.7, 0.6), 0.75) == float("inf")
    assert np.isnan(needed(points("random", 0.7), 0.75))
    table = tell([*rising, *points("diverse", 0.71, 0.73, 0.75)])
    assert "| `random`, seed 0 | 70.0 / 50.0 | 72.0 / 50.0 | 74.0 / 50.0 |" in table
    assert "| `diverse` | 400 | 400 |" in table


def test_what_is_finished_is_passed_over(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[tuple[str, int]] = []

    def learn(session: Path, answers: int, *_: object, **__: object) -> Mapping[str, Any]:
        learned.append((session.name, answers))
        if len(learned) == 3:
            raise KeyboardInterrupt
        return {"answers": answers, "taught": 1, "accuracy": answers / 100, "recall": 0.5}

    monkeypatch.setattr(label_recipe, "learn", learn)
    for _ in range(2):
        try:
            main(data, tmp_path, tmp_path / "out", seeds=(0,), at=(10, 20), plot=tmp_path / "plot.svg")
        except KeyboardInterrupt:
            assert not (tmp_path / "plot.svg").exists()
    assert learned == [
        ("labels-random-0", 10),
        ("labels-diverse-0", 10),
        ("labels-random-0", 20),
        ("labels-random-0", 20),
        ("labels-diverse-0", 20),
    ]
    assert (tmp_path / "plot.svg").stat().st_size > 1000
    main(data, tmp_path, tmp_path / "out", rules=("diverse",), seeds=(0,), at=(10,))
    assert len(learned) == 5  # and what earlier calls measured is told along
    assert "10.0 / 50.0 | 20.0 / 50.0" in (tmp_path / "out" / "recipes.md").read_text(encoding="utf-8")
