"""Parquet with image bytes, written the way ``datasets`` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.images import load_faces
from halfsmile.data.manifest import UnreadLabelsError
from halfsmile.data.readers.parquet_images import read
from halfsmile.data.readers.registry import read_any
from halfsmile.taxonomy import RAFDB, Taxonomy

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(value: int) -> bytes:
    return bytes(cv2.imencode(".png", np.full((6, 6, 3), value, np.uint8))[1].tobytes())


def write(path: Path, labels: Any, names: list[str] | None, images: list[bytes | None] | None = None) -> Path:
    """A file as ``Dataset.to_parquet`` writes it: features in the metadata, a few rows a group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = labels if isinstance(labels, pa.Array) else pa.array(labels)
    cells = images or [picture(i) for i in range(len(labels))]
    column = pa.array([{"bytes": cell, "path": f"{i}.png"} for i, cell in enumerate(cells)], IMAGE)
    table = pa.table({"image": column, "label": labels})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    features["label"] = (
        {"names": names, "_type": "ClassLabel"} if names else {"dtype": "int64", "_type": "Value"}
    )
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=3)
    return path


def test_class_labels_splits_and_pixels(tmp_path: Path) -> None:
    names = sorted(label.capitalize() for label in RAFDB.labels)
    write(tmp_path / "data/train-00000-of-00002.parquet", [6, 0, 3, 1, 2], names)
    write(tmp_path / "data/train-00001-of-00002.parquet", [4], names)
    write(tmp_path / "data/validation-00000-of-00001.parquet", [5], names)
    write(tmp_path / "test/0000.parquet", [-1, None], names)
    manifest = read(tmp_path, progress=False)
    assert manifest.taxonomy == RAFDB
    assert manifest.column("label") == [
        "surprise", "anger", "happiness", "disgust", "fear", "neutral", "sadness", None, None,
    ]  # fmt: skip
    assert manifest.column("split") == ["train"] * 6 + ["valid"] + ["test"] * 2
    assert manifest.column("image")[4] == "data/train-00000-of-00002.parquet#4"
    faces = load_faces(manifest, size=6, channels=1, progress=False)
    assert faces.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 0, 0, 1]


def test_a_single_file_with_names_as_labels(tmp_path: Path) -> None:
    for labels in (pa.array(["smile", "calm", ""]), pa.array(["smile", "calm", None]).dictionary_encode()):
        manifest = read(write(tmp_path / "faces.parquet", labels, None), progress=False)
        assert manifest.taxonomy == Taxonomy("custom", ("calm", "smile"))
        assert manifest.column("label") == ["smile", "calm", None]
        assert manifest.column("split") == [None] * 3
        assert manifest.root == tmp_path


def test_classes_of_one_s_own_keep_their_order(tmp_path: Path) -> None:
    manifest = read(write(tmp_path / "a.parquet", [0, 1], ["smile", "calm", "absent"]), progress=False)
    assert manifest.taxonomy == Taxonomy("custom", ("smile", "calm", "absent"))


def test_rows_without_an_image_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [0, 1, 0, 1], ["a", "b"], [picture(0), None, picture(2), picture(3)])
    manifest = read(path, progress=False)
    assert manifest.column("image") == ["a.parquet#0", "a.parquet#2", "a.parquet#3"]
    assert manifest.column("label") == ["a", "a", "b"]
    assert manifest.notes == ("1 rows hold no image file and were left out.",)
    with pytest.raises(ValueError, match="no row holds an image"):
        read(write(path, [0, 1], ["a", "b"], [None, None]), progress=False)


def test_unlabeled_files_and_unused_columns(tmp_path: Path) -> None:
    table = pa.table({"img": pa.array([picture(1)]), "age": [3], "width": [6]})
    pq.write_table(table, tmp_path / "a.parquet")
    manifest = read(tmp_path, progress=False)
    assert manifest.taxonomy is None
    assert manifest.notes == ("Columns that were not used: age, width.",)
    assert read_image(tmp_path, "a.parquet#0").shape == (6, 6, 3)


@pytest.mark.parametrize(
    ("labels", "names", "options", "reason"),
    [
        ([0, 1], None, {}, "does not say what they mean"),
        ([0, 2], ["a", "b"], {}, "labels run from 0 to 2, but there are 2 classes"),
        ([0.5, 1.0], None, {}, "'label' is double"),
        ([[0, 1], [1]], None, {}, "'label' is list<.*--columns label="),
        ([0, 1], ["a", "b"], {"columns": {"label": "emotion"}}, "no column 'emotion'"),
        ([0, 1], ["a", "b"], {"columns": {"image": "x"}}, "--columns names its label and split"),
        ([0, 1], ["joy", "fear"], {"taxonomy": RAFDB}, r"labels \['joy'\] are not in the taxonomy"),
    ],
)
def test_labels_that_say_nothing_are_refused(
    tmp_path: Path, labels: list[Any], names: list[str] | None, options: dict[str, Any], reason: str
) -> None:
    write(tmp_path / "a.parquet", labels, names)
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, progress=False, **options)


def _columns(path: Path, **columns: Any) -> Path:
    table = pa.table({"img_bytes": pa.array([picture(i) for i in range(4)]), **columns})
    pq.write_table(table, path)
    return path


def test_labels_in_a_column_of_another_name(tmp_path: Path) -> None:
    words, codes = ["sad", "happy", "sad", "fear"], ["a", "b", "a", "b"]
    manifest = read_any(_columns(tmp_path / "a.parquet", mood=words, code=codes, age=[1, 2, 3, 4]))
    assert manifest.column("label") == words
    assert "The column mood is taken for the label: it holds words of expressions." in manifest.notes
    path = _columns(tmp_path / "b.parquet", code=codes, Usage=["Training", "Training", "PublicTest", ""])
    with pytest.raises(UnreadLabelsError, match=r"code \(a, b\).*--columns label=code") as caught:
        read_any(path)
    assert caught.value.faces.column("split") == ["train", "train", "valid", None]
    assert read_any(path, columns={"label": "code"}).column("label") == codes
    assert read_any(path, columns={"label": ""}).taxonomy is None


def test_whole_numbers_and_single_labels_in_any_type(tmp_path: Path) -> None:
    for labels in ([0.0, 1.0, 1.0, 0.0], [[0], [1], [1], [0]]):
        path = _columns(tmp_path / "a.parquet", label=labels)
        found = read_any(path, labels={"0": "fear", "1": "anger"})
        assert found.column("label") == ["fear", "anger", "anger", "fear"]


def test_files_with_different_classes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [0], ["a", "b"])
    write(tmp_path / "b.parquet", [0], ["b", "a"])
    with pytest.raises(ValueError, match=r"a\.parquet has the classes \['a', 'b'\], but .*b\.parquet has"):
        read(tmp_path, progress=False)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no \.parquet"):
        read(tmp_path)
    path = write(tmp_path / "a.parquet", [0, 1], ["a", "b"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"a\.parquet is not a readable Parquet"):
        read(tmp_path, progress=False)
    for locator in ("a.parquet#0", "none.parquet#0"):
        with pytest.raises(BadImageError, match=locator):
            read_image(tmp_path, locator)


def test_numbers_are_named_by_a_file_beside(tmp_path: Path) -> None:
    file = write(tmp_path / "data" / "train.parquet", [0, 1, 1], None)
    with pytest.raises(ValueError, match="the labels in 'label' are numbers"):
        read(tmp_path)
    card = (
        "---\nfeatures:\n- name: label\n  class_label:\n    names:\n      '0': happy\n      '1': sad\n---\n"
    )
    (tmp_path / "README.md").write_text(card)
    manifest = read(tmp_path)
    assert manifest.column("label") == ["happy", "sad", "sad"]
    assert "Numbers mean what README.md beside says: 0 happy, 1 sad." in manifest.notes
    assert read(tmp_path, labels={"0": "fear", "1": "calm"}).column("label") == ["fear", "calm", "calm"]
    assert file.exists()
