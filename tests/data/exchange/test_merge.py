"""Merging changes labels only as told, and says so."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import read_image
from halfsmile.data.exchange.merge import MergeSource, classes_of, merge
from halfsmile.data.manifest import Manifest
from halfsmile.data.store.read import read
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import AFFECTNET8, FERPLUS, RAFDB, from_labels

PNG = bytes(cv2.imencode(".png", np.arange(100, dtype=np.uint8).reshape(10, 10))[1])


def manifest(root: Path, labels: list[str | None], taxonomy: object = FERPLUS, **more: object) -> Manifest:
    rows = [{"image": f"{i}.png", "label": label, "person": "1", **more} for i, label in enumerate(labels)]
    return Manifest.from_rows(rows, root, taxonomy)  # type: ignore[arg-type]


def test_names_not_numbers_cross_over(tmp_path: Path) -> None:
    merged = merge(
        [
            MergeSource("a", manifest(tmp_path / "a", ["fear", "contempt", None]), {"contempt": None}),
            MergeSource("b", manifest(tmp_path / "b", ["surprise"], RAFDB)),
        ],
        RAFDB,
    )
    assert merged.column("label") == ["fear", None, "surprise"]
    assert merged.column("image") == ["a/0.png", "a/2.png", "b/0.png"]
    assert merged.column("person") == ["a/1", "a/1", "b/1"]
    assert merged.root == tmp_path
    assert merged.notes == (
        "a: 2 of 3 rows.",
        "a: dropped rows with the labels {'contempt': 1}.",
        "b: 1 of 1 rows.",
        "1 name of a person is in several sources (1): different people, as a/1, b/1. If they are the same: "
        "--same-people.",
    )


def test_people_of_one_name_are_one_where_it_is_said(tmp_path: Path) -> None:
    more = [{"image": "x.png", "person": name, "video": "v"} for name in ("1", "2", "3", None)]
    sources = [
        MergeSource("a", Manifest.from_rows(more, tmp_path / "a")),
        MergeSource("b", Manifest.from_rows([*more, {"image": "y.png", "person": "4"}], tmp_path / "b")),
    ]
    assert (
        "3 names of people are in several sources (1, 2, 3): different people, as a/1, b/1"
        in merge(sources, None).notes[-1]
    )
    merged = merge(sources, None, same_people=True)
    assert merged.column("person") == ["1", "2", "3", None, "1", "2", "3", None, "4"]
    assert set(merged.column("video")) == {"a/v", "b/v", None}
    assert merged.notes[-1].endswith("(1, 2, 3): one person each, as asked.")
    assert len(merge(sources[:1], None).notes) == 1


def test_renamed_labels_are_counted_and_votes_move_with_them(tmp_path: Path) -> None:
    votes = np.array([0.1, 0.2, 0.0, 0.0, 0.3, 0.1, 0.0, 0.3])  # neutral, happiness, …, anger, disgust, …
    source = manifest(tmp_path, ["anger"], votes=votes.tolist())
    merged = merge([MergeSource("a", source, {"contempt": "disgust"})], RAFDB)
    expected = {"neutral": 0.1, "happiness": 0.2, "anger": 0.3, "disgust": 0.4}
    assert merged.column("votes")[0] == pytest.approx([expected.get(n, 0.0) for n in RAFDB.labels])
    assert "a: renamed contempt to disgust." in merged.notes
    without = merge([MergeSource("a", source, {"contempt": None})], RAFDB).column("votes")[0]
    expected["disgust"] = 0.1
    assert without == pytest.approx([expected.get(n, 0.0) / 0.7 for n in RAFDB.labels])


def test_nothing_is_mapped_silently(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a: .*contempt is none of them.*contempt=none drops"):
        merge([MergeSource("a", manifest(tmp_path, ["fear"]))], RAFDB)
    with pytest.raises(ValueError, match="say onto which taxonomy"):
        merge([MergeSource("a", manifest(tmp_path, ["fear"]))], None)
    with pytest.raises(ValueError, match="different names"):
        merge([MergeSource("a", manifest(tmp_path, ["fear"]))] * 2, FERPLUS)


def test_the_first_source_says_the_classes_as_they_are_renamed(tmp_path: Path) -> None:
    german = manifest(tmp_path, ["Freude"], from_labels(("Freude", "Trauer", "Rest")))
    english = manifest(tmp_path, ["sad"], from_labels(("happy", "sad")))
    renames = {"Freude": "happy", "Trauer": "sad", "Rest": None}
    sources = [MergeSource("a", german, renames), MergeSource("b", english)]
    bare = MergeSource("u", Manifest.from_rows([{"image": "x.png"}], tmp_path))
    assert classes_of([bare, *sources]) == from_labels(("happy", "sad"))
    assert merge(sources, classes_of(sources)).column("label") == ["happy", "sad"]
    kept = MergeSource("b", manifest(tmp_path, ["Rest"], from_labels(("Rest", "sad"))))
    assert classes_of([sources[0], kept]) == from_labels(("happy", "sad", "Rest"))
    assert classes_of([bare]) is None
    with pytest.raises(ValueError, match=r"b: .* classes of the result are Freude, Trauer, Rest, and happy"):
        merge([MergeSource("a", german), MergeSource("b", english)], german.taxonomy)


def test_the_same_classes_in_another_order(tmp_path: Path) -> None:
    votes = np.eye(8)[AFFECTNET8.index("contempt")].tolist()
    merged = merge([MergeSource("a", manifest(tmp_path, ["contempt"], AFFECTNET8, votes=votes))], FERPLUS)
    assert merged.column("votes")[0] == np.eye(8)[FERPLUS.index("contempt")].tolist()


def test_unlabeled_sources_and_shared_pictures(tmp_path: Path) -> None:
    unlabeled = Manifest.from_rows([{"image": "x.png", "sha256": "s"}], tmp_path / "u")
    labeled = manifest(tmp_path / "l", ["fear"], sha256="s")
    merged = merge([MergeSource("u", unlabeled), MergeSource("l", labeled)], FERPLUS)
    assert merged.column("label") == [None, "fear"]
    assert merged.notes[-1].startswith("1 rows have the hash of an earlier row")
    assert merge([MergeSource("u", unlabeled)], None).taxonomy is None


def test_pictures_of_all_kinds_of_roots_are_found(tmp_path: Path) -> None:
    (tmp_path / "folder" / "in").mkdir(parents=True)
    (tmp_path / "folder" / "in" / "0.png").write_bytes(PNG)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("in/0.png", PNG)
    with StoreWriter(tmp_path / "deep" / "store") as writer:
        writer.add("s", [StoredFace(PNG, 10, 10)])
    merged = merge(
        [
            MergeSource("f", Manifest.from_rows([{"image": "in/0.png"}], tmp_path / "folder")),
            MergeSource("z", Manifest.from_rows([{"image": "in/0.png"}], tmp_path / "faces.zip")),
            MergeSource("s", read(tmp_path / "deep" / "store")),
        ],
        None,
    )
    away = str(tmp_path / "folder" / "in" / "0.png")
    other = MergeSource("a", Manifest.from_rows([{"image": away}], tmp_path / "lists"))
    merged = merge([other, MergeSource("m", merged)], None)
    assert len(merged) == 4
    for locator in merged.column("image"):
        assert read_image(merged.root, locator).shape == (10, 10, 1)
