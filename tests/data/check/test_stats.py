"""Counts and measures by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from halfsmile.data.check.stats import PERCENTILES, describe
from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import Taxonomy

MOODS = Taxonomy("moods", ("calm", "glad"))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rows: list[dict[str, Any]] = [
        {"image": "0.png", "label": "calm", "split": "train", "person": "a", "box": [0, 0, 1, 1]},
        {"image": "1.png", "label": "calm", "split": "test", "person": "a", "video": "v"},
        {"image": "2.png", "label": "glad", "split": "train", "person": "b", "votes": [0.5, 0.5]},
        {"image": "3.png", "split": "train", "landmarks": [1.0] * 10},
        {"image": "4.png"},
    ]
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((10 + i, 20), 50 * i, np.uint8))
    return Manifest.from_rows(rows, tmp_path, MOODS)


def test_counts(manifest: Manifest) -> None:
    found = describe(manifest)
    assert found.faces == 5
    assert found.per_split == {"train": 3, "test": 1, "none": 1}
    assert found.per_class == {
        "train": {"calm": 1, "glad": 1, "none": 1},
        "test": {"calm": 1, "glad": 0, "none": 0},
        "none": {"calm": 0, "glad": 0, "none": 1},
    }
    assert found.people == {"train": 2, "test": 1}
    assert found.named_people == 2
    assert found.videos == found.with_box == found.with_votes == found.with_landmarks == 1
    assert found.faces_per_person[100] == 2
    assert not found.measures


def test_the_table_names_what_is_lacking_and_shows_no_empty_row(manifest: Manifest) -> None:
    header, rows = describe(manifest).counts()
    assert header == ["class", "train", "test", "no split"]
    assert rows[-2:] == [["no label", "1", "0", "1"], ["all", "3", "1", "1"]]
    header, rows = describe(manifest.take([0, 1])).counts()
    assert header == ["class", "train", "test"]
    assert [row[0] for row in rows] == ["calm", "glad", "all"]


def test_pictures_are_measured_and_bad_ones_listed(manifest: Manifest) -> None:
    found = describe(manifest, pixels=True, progress=False)
    assert found.measures["width"] == dict.fromkeys(PERCENTILES, 20.0)
    assert (found.measures["height"][0], found.measures["height"][100]) == (10, 13)
    assert found.measures["brightness"][50] == 75
    assert found.measures["contrast"][100] == 0
    assert [locator for locator, _ in found.bad] == ["4.png"]


def test_measures_of_a_store_are_added(manifest: Manifest) -> None:
    index = pa.table({"quality_blur": [1.0, None, 3.0], "score": [0.5, 0.5, 0.5], "source": ["a", "b", "c"]})
    found = describe(manifest, index=index)
    assert set(found.measures) == {"quality_blur", "score"}
    assert found.measures["quality_blur"][50] == 2


def test_nothing() -> None:
    found = describe(Manifest.from_rows([], Path()), pixels=True)
    assert found.faces == 0
    json.dumps(found.to_dict())
    found.render(Console(quiet=True))


def test_the_table_says_it(manifest: Manifest) -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    describe(manifest, pixels=True, progress=False).render(console)
    text = console.export_text()
    for part in ("5 faces", "calm", "train", "brightness", "can't be read"):
        assert part in text
