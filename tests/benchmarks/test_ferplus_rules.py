"""Scores of the same predictions under several label rules, by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.ferplus_rules import read_truth, rule_rows, sources
from tests.data.layouts import write_ferplus

from halfsmile.runs.predictions import Predictions
from halfsmile.taxonomy import FERPLUS

VOTES = {  # of PrivateTest: happiness has a majority, a plurality, or less than unknown
    0: [0, 6, 4, 0, 0, 0, 0, 0, 0, 0],
    1: [3, 4, 3, 0, 0, 0, 0, 0, 0, 0],
    2: [0, 4, 0, 0, 0, 0, 0, 0, 6, 0],
}


@pytest.fixture
def official(tmp_path: Path) -> Path:
    write_ferplus(tmp_path, train=1, test=1)
    path = tmp_path / "FER2013Test" / "label.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    for i, votes in VOTES.items():
        rows[i][2:] = [str(count) for count in votes]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def predictions(images: list[str], split: str = "test") -> Predictions:
    """Happiness for everybody."""
    probabilities = np.full((len(images), 8), 0.01, np.float32)
    probabilities[:, 1] = 0.93
    targets = np.full(len(images), 1)
    return Predictions(tuple(images), (split,) * len(images), targets, probabilities, FERPLUS)


def test_a_face_counts_under_the_rules_that_keep_it(official: Path) -> None:
    truth = read_truth(official)
    first, second, third = (f"FER2013Test/fer{2000 + i:07d}.png" for i in range(3))
    said = predictions([first, second, third])
    rows = {
        row[0].split("`")[1]: row[2:]
        for row in rule_rows(said, truth, sources(said, None))
        if row[1] == "PrivateTest"
    }
    assert rows["argmax"][0] == "2 of 7"  # the third is unknown
    assert rows["argmax8"][0] == "3 of 8"
    assert rows["majority"][0] == "1 of 6"
    assert {row[1] for row in rows.values()} == {"100.00"}


def test_faces_of_a_store_are_found_by_where_they_came_from(official: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    source = "elsewhere/FER2013Test/fer0002000.png"
    index = {"shard": [0], "offset": [512], "length": [99], "source": [source]}
    pq.write_table(pa.table(index), store / "index.parquet")
    said = predictions(["faces-00000.tar#512+99"])
    assert sources(said, store) == ["fer0002000.png"]
    with pytest.raises(ValueError, match="1 predicted faces are not in"):
        sources(predictions(["faces-00001.tar#512+99"]), store)
    with pytest.raises(ValueError, match=r"None of the predicted faces .* give it with --store"):
        rule_rows(said, read_truth(official), sources(said, None))
