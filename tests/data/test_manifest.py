"""The table that every reader returns."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.manifest import SCHEMA, SPLITS, Manifest
from halfsmile.taxonomy import FERPLUS, RAFDB, Taxonomy

pixels = st.floats(-1e4, 1e4, width=32)
text = st.text(st.characters(codec="utf-8"), max_size=12)
rows = st.lists(
    st.fixed_dictionaries(
        {"image": text.filter(bool)},
        optional={
            "label": st.none() | st.sampled_from(FERPLUS.labels),
            "votes": st.none() | st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8),
            "split": st.none() | st.sampled_from(SPLITS),
            "person": st.none() | text,
            "video": st.none() | text,
            "frame": st.none() | st.integers(-(2**40), 2**40),
            "box": st.none() | st.lists(pixels, min_size=4, max_size=4),
            "landmarks": st.none() | st.lists(pixels, min_size=10, max_size=10),
            "sha256": st.none() | text,
        },
    ),
    max_size=4,
)
few = settings(max_examples=30)


def manifest_of(labels: list[str | None], **columns: list[Any]) -> Manifest:
    table = [{"image": f"{i}.png", "label": label} for i, label in enumerate(labels)]
    for name, values in columns.items():
        for row, value in zip(table, values, strict=True):
            row[name] = value
    return Manifest.from_rows(table, Path("root"), FERPLUS)


@few
@given(rows, st.lists(text, max_size=3))
def test_saving_and_loading_changes_nothing(content: list[dict[str, Any]], notes: list[str]) -> None:
    manifest = Manifest.from_rows(content, Path("some/root"), FERPLUS, notes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "m.parquet"
        manifest.save(path)
        loaded = Manifest.load(path)
    assert loaded == replace(manifest, root=Path("some/root").resolve())
    assert loaded.fingerprint() == manifest.fingerprint()
    for row, original in zip(loaded.table.to_pylist(), content, strict=True):
        assert row == {name: original.get(name) for name in SCHEMA.names}


@pytest.mark.parametrize("taxonomy", [None, RAFDB, Taxonomy("custom", ("calm", "smile"))])
def test_the_taxonomy_travels_with_the_file(tmp_path: Path, taxonomy: Taxonomy | None) -> None:
    Manifest.from_rows([{"image": "a"}], tmp_path, taxonomy).save(tmp_path / "m.parquet")
    assert Manifest.load(tmp_path / "m.parquet").taxonomy == taxonomy


@few
@given(rows, st.data())
def test_take_gives_the_rows_in_the_order_asked(content: list[dict[str, Any]], data: st.DataObject) -> None:
    manifest = Manifest.from_rows(content, Path(), FERPLUS)
    index = data.draw(st.lists(st.integers(0, len(content) - 1)) if content else st.just([]))
    everything = manifest.table.to_pylist()
    for chosen in (index, np.array(index, np.int64)):
        assert manifest.take(chosen).table.to_pylist() == [everything[i] for i in index]


@few
@given(rows)
def test_splits_partition_the_rows(content: list[dict[str, Any]]) -> None:
    manifest = Manifest.from_rows(content, Path(), FERPLUS)
    parts = [len(manifest.split(name)) for name in SPLITS]
    assert sum(parts) == len(manifest) - manifest.column("split").count(None) == len(manifest.split(*SPLITS))


@few
@given(rows)
def test_without_labels_nothing_tells_the_label(content: list[dict[str, Any]]) -> None:
    manifest = Manifest.from_rows(content, Path(), FERPLUS)
    bare = manifest.without_labels()
    assert set(bare.column("label")) | set(bare.column("votes")) <= {None}
    assert (bare.class_indices() == -1).all()
    assert sum(bare.counts().values()) == 0
    others = [name for name in SCHEMA.names if name not in ("label", "votes")]
    assert bare.table.select(others).equals(manifest.table.select(others))


def test_class_indices_and_counts_follow_the_taxonomy() -> None:
    manifest = manifest_of(["fear", None, "neutral", "fear"])
    assert manifest.class_indices().tolist() == [6, -1, 0, 6]
    assert manifest.counts() == {name: {"fear": 2, "neutral": 1}.get(name, 0) for name in FERPLUS.labels}
    assert list(manifest.counts()) == list(FERPLUS.labels)


def test_the_fingerprint_sees_data_and_not_places() -> None:
    manifest = manifest_of(["fear", "anger"], split=["train", "test"], sha256=["a", "b"])
    elsewhere = Manifest(manifest.table, Path("other"), FERPLUS, ("note",))
    assert elsewhere.fingerprint() == manifest.fingerprint()
    changed = [
        manifest_of(["fear", "fear"], split=["train", "test"], sha256=["a", "b"]),
        manifest_of(["fear", "anger"], split=["train", "train"], sha256=["a", "b"]),
        manifest_of(["fear", "anger"], split=["train", "test"], sha256=["a", "c"]),
        manifest.take([1, 0]),
        manifest.take([0]),
    ]
    assert len({m.fingerprint() for m in [manifest, *changed]}) == 6


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"label": "boredom"}, r"\['boredom'\] are not in the taxonomy"),
        ({"split": "validation"}, r"\['validation'\] are unknown"),
        ({"votes": [0.5, 0.5]}, "'votes' has rows of .2. numbers; expected 8"),
        ({"box": [1.0, 2.0]}, "expected 4"),
        ({"landmarks": [1.0] * 8}, "expected 10"),
        ({"age": 3}, r"Unknown manifest columns \['age'\]"),
    ],
)
def test_wrong_rows_are_refused(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Manifest.from_rows([{"image": "a.png", **row}], Path(), FERPLUS)


def test_columns_make_the_same_manifest_as_rows() -> None:
    content: list[dict[str, Any]] = [{"image": "a", "label": "fear", "frame": 3}, {"image": "b"}]
    columns = {name: pa.array([row.get(name) for row in content]) for name in ("image", "label", "frame")}
    assert Manifest.from_columns(columns, Path(), FERPLUS) == Manifest.from_rows(content, Path(), FERPLUS)
    with pytest.raises(ValueError, match=r"Unknown manifest columns \['age'\]"):
        Manifest.from_columns({"image": ["a"], "age": [3]}, Path())
    with pytest.raises(ValueError, match="length"):
        Manifest.from_columns({"image": ["a"], "label": ["fear", "fear"]}, Path(), FERPLUS)


def test_labels_need_a_taxonomy() -> None:
    with pytest.raises(ValueError, match="none given"):
        Manifest.from_rows([{"image": "a.png", "label": "fear"}], Path())


def test_other_tables_are_refused(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.png"]})
    with pytest.raises(ValueError, match="A manifest has the columns"):
        Manifest(table, tmp_path)
    pq.write_table(table, tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    for name in ("other", "text", "none"):
        with pytest.raises(ValueError, match=rf"{name}\.parquet is not a manifest"):
            Manifest.load(tmp_path / f"{name}.parquet")
