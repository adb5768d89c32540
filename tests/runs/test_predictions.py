from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.runs.predictions import read_predictions, write_predictions
from halfsmile.taxonomy import RAFDB, Taxonomy

COUNT = 20


def write(path: Path, taxonomy: Taxonomy = RAFDB) -> tuple[list[str], np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    images = [f"test/{i}.jpg" for i in range(COUNT)]
    targets = generator.integers(0, len(taxonomy), COUNT)
    probabilities = generator.dirichlet(np.ones(len(taxonomy)), COUNT)
    write_predictions(path, images, ["test"] * COUNT, targets, probabilities, taxonomy)
    return images, targets, probabilities


def test_round_trip(tmp_path: Path) -> None:
    images, targets, probabilities = write(tmp_path / "predictions.parquet")
    result = read_predictions(tmp_path / "predictions.parquet")
    assert result.images == tuple(images)
    assert set(result.splits) == {"test"}
    assert result.taxonomy == RAFDB
    assert np.array_equal(result.targets, targets)
    assert np.array_equal(result.probabilities, probabilities.astype(np.float32))
    assert result.metrics().accuracy == (probabilities.argmax(axis=1) == targets).mean()
    assert result.confidence.max() <= 1


def test_hashes_of_the_pictures_are_kept_where_they_are_known(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write(path)
    found = read_predictions(path)
    assert found.sha256 is None
    hashes = ["ab", *[None] * (COUNT - 1)]
    write_predictions(
        path, found.images, found.splits, found.targets, found.probabilities, found.taxonomy, hashes
    )
    assert read_predictions(path).sha256 == tuple(hashes)


def test_file_is_readable_without_this_package(tmp_path: Path) -> None:
    _, targets, probabilities = write(tmp_path / "predictions.parquet")
    table = pq.read_table(tmp_path / "predictions.parquet")
    labels = json.loads(table.schema.metadata[b"halfsmile.labels"])
    assert table.schema.names == ["image", "split", "label", "predicted", "probabilities"]
    assert table["label"].to_pylist() == [labels[k] for k in targets]
    assert table["predicted"].to_pylist() == [labels[k] for k in probabilities.argmax(axis=1)]
    assert table.schema.field("probabilities").type == pa.list_(pa.float32())


def test_names_and_indices_write_the_same(tmp_path: Path) -> None:
    probabilities = np.full((2, 7), 1 / 7)
    for name, truth in (("names", ["fear", "anger"]), ("indices", np.array([1, 5]))):
        write_predictions(tmp_path / name, ["a", "b"], ["test", "test"], truth, probabilities, RAFDB)
    assert np.array_equal(
        read_predictions(tmp_path / "names").targets, read_predictions(tmp_path / "indices").targets
    )


def test_unusable_input_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    good = np.full((1, 7), 1 / 7)
    with pytest.raises(ValueError, match="one of each per row"):
        write_predictions(path, ["a", "b"], ["test"], ["fear"], good, RAFDB)
    with pytest.raises(ValueError, match="not in taxonomy"):
        write_predictions(path, ["a"], ["test"], ["contempt"], good, RAFDB)
    with pytest.raises(ValueError, match="sum to 1"):
        write_predictions(path, ["a"], ["test"], ["fear"], good * 2, RAFDB)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.parquet"):
        read_predictions(tmp_path / "missing.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("no table")
    with pytest.raises(ValueError, match=r"text\.parquet"):
        read_predictions(text)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(ValueError, match="expected the columns"):
        read_predictions(other)


def test_rows_that_do_not_fit_the_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write(path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"halfsmile.labels": json.dumps(RAFDB.labels[:6])}), path)
    with pytest.raises(ValueError, match="expected 6 probabilities per row"):
        read_predictions(path)
