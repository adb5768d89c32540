"""Labels of a model become rows to train on, in the classes of the data; what is left out has a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.exchange.pseudo_labels import read_pseudo_labels, record_path, write_record
from halfsmile.data.manifest import Manifest
from halfsmile.data.store import read as stores
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import Taxonomy

MODEL = ("calm", "glad", "odd")
DATA = Taxonomy("moods", ("glad", "calm", "cross"))
SHARES = [(0.7, 0.2, 0.1), (0.1, 0.9, 0.0), (0.1, 0.2, 0.7), (0.4, 0.35, 0.25)]
NAMES: list[str | None] = ["calm", "glad", "odd", None]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four gray faces with landmarks, three of a person, one in a split of its own."""
    root = tmp_path / "place/store"
    with StoreWriter(root) as writer:
        for i in range(4):
            picture = cv2.imencode(".png", np.full((8, 8), 10 * i, np.uint8))[1].tobytes()
            face = StoredFace(
                picture, width=8, height=8, person="ann" if i else None, split="test" if i == 1 else None
            )
            writer.add(f"{i}", [face])
    return root  # fmt: skip


def write(path: Path, store: Path, rows: Sequence[int] = range(4), soft: bool = True) -> Path:
    """A table as ``halfsmile pseudo-label`` writes it, in the form that the suffix names."""
    images = stores.read(store).column("image")
    table: list[dict[str, Any]] = [
        {
            "image": images[i],
            "label": NAMES[i],
            "expression": MODEL[int(np.argmax(SHARES[i]))],
            "confidence": max(SHARES[i]),
            "accepted": NAMES[i] is not None,
            **({f"p_{name}": SHARES[i][k] for k, name in enumerate(MODEL)} if soft else {"p_calm": None}),
        }
        for i in rows
    ]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(table), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    write_record(path, store, model="moody", model_sha256="ab", threshold=0.5, per_class=None)
    return path


@pytest.mark.parametrize("name", ["named.csv", "named.jsonl", "named.parquet"])
def test_accepted_faces_train_with_the_models_probabilities(store: Path, tmp_path: Path, name: str) -> None:
    found = read_pseudo_labels(write(tmp_path / "place" / name, store), DATA)
    manifest = found.manifest
    assert manifest.root == store
    assert manifest.column("image") == stores.read(store).column("image")[:2]
    assert manifest.column("label") == ["calm", "glad"]
    assert manifest.column("split") == ["train", "train"]
    assert manifest.column("person") == [None, "ann"]
    expected = [[0.2 / 0.9, 0.7 / 0.9, 0], [0.9, 0.1, 0]]
    np.testing.assert_allclose(manifest.column("votes"), expected, atol=1e-6)
    assert manifest.notes == (
        f"1 pseudo-labels of {tmp_path / 'place' / name} are of classes that the data lack (odd 1) and were "
        "left out; the data have glad, calm, cross.",
    )
    facts = {name: found.facts[name] for name in ("model", "model_sha256", "threshold")}
    assert facts == {"model": "moody", "model_sha256": "ab", "threshold": 0.5}
    assert len(found.facts["sha256"]) == 64
    assert "by moody, from a confidence of 0.500; its probabilities are the targets" in found.describe


def test_without_probabilities_the_labels_count(store: Path, tmp_path: Path) -> None:
    found = read_pseudo_labels(write(tmp_path / "named.csv", store, soft=False), DATA)
    assert found.manifest.column("votes") == [None, None]
    assert "labels alone" in found.describe


def test_table_and_store_may_move_together(store: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "place/named.csv", store)
    (tmp_path / "place").rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / table.name
    assert len(read_pseudo_labels(moved, DATA).manifest) == 2
    (tmp_path / "elsewhere/store").rename(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"were in the store .*, which is gone\. Make a list .*data import"):
        read_pseudo_labels(moved, DATA)


def test_a_table_that_does_not_know_its_store_names_the_way_out(store: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "named.csv", store)
    record_path(table).unlink()
    with pytest.raises(
        ValueError, match=r"in which store its faces are.*halfsmile data import STORE .*named"
    ):
        read_pseudo_labels(table, DATA)
    record_path(table).write_text("[]")
    with pytest.raises(ValueError, match=r"settings\.json does not tell in which store"):
        read_pseudo_labels(table, DATA)


def test_another_table_is_refused_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("image,label\na.png,calm\n")
    with pytest.raises(
        ValueError, match=r"no table of `halfsmile pseudo-label`.*halfsmile data import FACES"
    ):
        read_pseudo_labels(tmp_path / "faces.csv", DATA)
    with pytest.raises(ValueError, match="does not exist"):
        read_pseudo_labels(tmp_path / "none.csv", DATA)


def test_faces_of_a_store_that_was_made_anew_are_refused(store: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "named.csv", store)
    table.write_text(table.read_text().replace("faces-00000.tar#", "faces-00009.tar#"))
    with pytest.raises(ValueError, match=r"3 faces of .*|2 faces of .* are not in the store"):
        read_pseudo_labels(table, DATA)


def test_nothing_accepted_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no pseudo-label for the classes .*lower\s+--threshold"):
        read_pseudo_labels(write(tmp_path / "named.csv", store, rows=[3]), DATA)
    with pytest.raises(ValueError, match=r"no pseudo-label .*classes that the data lack \(odd 1\)"):
        read_pseudo_labels(write(tmp_path / "odd.csv", store, rows=[2]), DATA)


def test_labeled_rows_of_a_list_train_unless_they_are_of_another_split(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": "a.png", "label": "calm"},
        {"image": "b.png", "label": "odd", "split": "train"},
        {"image": "c.png", "label": "glad", "split": "test"},
        {"image": "d.png"},
        {"image": "e.png", "label": "glad", "split": "train", "votes": [0.25, 0.5, 0.25]},
    ]
    Manifest.from_rows(rows, tmp_path, Taxonomy("model", MODEL)).save(tmp_path / "list.parquet")
    found = read_pseudo_labels(tmp_path / "list.parquet", DATA)
    assert found.manifest.column("image") == ["a.png", "e.png"]
    assert found.manifest.taxonomy == DATA
    assert found.manifest.column("votes")[0] is None
    np.testing.assert_allclose(found.manifest.column("votes")[1], [2 / 3, 1 / 3, 0], atol=1e-6)
    first, second = found.manifest.notes
    assert first.startswith("1 rows of")
    assert "a split other than train" in first
    assert "(odd 1)" in second
