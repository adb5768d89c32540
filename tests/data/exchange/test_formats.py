"""What is exported is read back by our readers, and by a plain reading of the formats."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import read_image
from halfsmile.data.exchange.formats import export_coco, export_csv, export_folders, image_rows
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.readers import class_folders
from halfsmile.data.readers.registry import read_any
from halfsmile.taxonomy import FERPLUS, Taxonomy


def picture(seed: int, suffix: str) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    return bytes(cv2.imencode(suffix, pixels)[1])


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """JPEG, PNG with a wrong suffix, a row of a pixel table, one that is missing."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "a.jpg").write_bytes(picture(0, ".jpg"))
    (root / "b.jpg").write_bytes(picture(1, ".png"))
    pixels = " ".join(str(i) for i in range(16))
    (root / "t.csv").write_text(f"emotion,pixels\n0,{pixels}\n")
    rows: list[dict[str, Any]] = [
        {"image": "a.jpg", "label": "fear", "split": "train", "box": [1, 2, 5, 9], "person": "p"},
        {"image": "b.jpg", "label": "anger", "split": "test", "landmarks": [float(i) for i in range(10)]},
        {"image": "t.csv#0", "split": "train", "votes": [0.25] * 4 + [0.0] * 4, "frame": 7},
        {"image": "gone.jpg", "label": "fear", "split": "train"},
    ]
    return Manifest.from_rows(rows, root, FERPLUS)


def test_folders_keep_bytes_and_are_read_back(manifest: Manifest, tmp_path: Path) -> None:
    done = export_folders(manifest, tmp_path / "out")
    assert done.faces == 3
    assert [locator for locator, _ in done.bad] == ["gone.jpg"]
    files = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*.*")}
    assert sorted(files) == [
        "labeled/test/anger/0000001.png",
        "labeled/train/fear/0000000.jpg",
        "unlabeled/train/0000002.png",
    ]
    assert files["labeled/train/fear/0000000.jpg"].read_bytes() == picture(0, ".jpg")
    gray = read_image(tmp_path / "out" / "unlabeled/train", "0000002.png")
    assert np.array_equal(gray[:, :, 0], np.arange(16).reshape(4, 4))
    for root in ("out", "out/labeled"):
        back = class_folders.read(tmp_path / root, FERPLUS)
        found = list(zip(back.column("label"), back.column("split"), strict=True))
        assert found == [("anger", "test"), ("fear", "train"), (None, "train")][: len(found)]
        assert len(found) == (3 if root == "out" else 2)


def test_folders_without_splits(manifest: Manifest, tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "label": "fear"}, {"image": "b.jpg", "label": "anger"}]
    export_folders(Manifest.from_rows(rows, manifest.root, FERPLUS), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out" / "labeled").iterdir()) == ["anger", "fear"]
    bare = [*rows, {"image": "t.csv#0"}]
    export_folders(Manifest.from_rows(bare, manifest.root, FERPLUS), tmp_path / "bare")
    back = read_any(tmp_path / "bare")
    assert list(zip(back.column("label"), back.column("split"), strict=True)) == [
        ("anger", None),
        ("fear", None),
        (None, None),
    ]


def test_what_folders_can_not_say_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    mixed = [{"image": "a.jpg", "label": "fear"}, {"image": "b.jpg", "label": "anger", "split": "test"}]
    with pytest.raises(ValueError, match="1 labeled rows have no split"):
        export_folders(Manifest.from_rows(mixed, manifest.root, FERPLUS), tmp_path / "out")
    odd = Taxonomy("odd", ("../x", "b"))
    with pytest.raises(ValueError, match="name of a folder"):
        export_folders(Manifest.from_rows([{"image": "a.jpg"}], manifest.root, odd), tmp_path / "out")
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="exists already"):
        export_folders(manifest, tmp_path / "out")


def test_csv_says_everything(manifest: Manifest, tmp_path: Path) -> None:
    assert export_csv(manifest, tmp_path / "faces.csv").faces == 4
    with (tmp_path / "faces.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["fear", "anger", "", "fear"]
    assert [rows[0][name] for name in ("x0", "y0", "x1", "y1", "person")] == ["1.0", "2.0", "5.0", "9.0", "p"]
    assert (rows[1]["left_eye_x"], rows[1]["right_mouth_y"]) == ("0.0", "9.0")
    assert (rows[2]["votes_happiness"], rows[2]["votes_contempt"], rows[2]["frame"]) == ("0.25", "0.0", "7")
    assert rows[3]["x0"] == rows[3]["votes_fear"] == ""
    export_csv(manifest.take([0, 1]), tmp_path / "none.csv")
    assert "votes_" not in (tmp_path / "none.csv").read_text()


@pytest.mark.parametrize("place", ["faces.csv", "data/faces.csv", "lists/faces.csv"])
def test_a_csv_table_is_read_back_where_it_is(manifest: Manifest, tmp_path: Path, place: str) -> None:
    (tmp_path / "lists").mkdir()
    export_csv(manifest, tmp_path / place)
    back = read_any(tmp_path / place, taxonomy=FERPLUS)
    same = [name for name in SCHEMA.names if name != "image"]
    assert back.table.select(same).to_pylist() == manifest.table.select(same).to_pylist()
    for old, new in list(zip(manifest.column("image"), back.column("image"), strict=True))[:3]:
        assert np.array_equal(read_image(manifest.root, old), read_image(back.root, new))
    assert not any("not used" in note for note in back.notes)


def test_coco_points_to_its_pictures(manifest: Manifest, tmp_path: Path) -> None:
    done = export_coco(manifest, tmp_path / "out")
    assert (done.faces, len(done.bad)) == (3, 1)
    document = json.loads((tmp_path / "out" / "annotations.json").read_text())
    names = {c["id"]: c["name"] for c in document["categories"]}
    assert list(names.values()) == ["face", *FERPLUS.labels]
    images = {image["id"]: image for image in document["images"]}
    for image in images.values():
        pixels = read_image(tmp_path / "out", image["file_name"])
        assert pixels.shape[:2] == (image["height"], image["width"])
    first, second, third = document["annotations"]
    assert first["bbox"] == [1, 2, 4, 7]
    assert first["area"] == 28
    assert [names[a["category_id"]] for a in (first, second, third)] == ["fear", "anger", "face"]
    assert second["bbox"] == [0, 0, 9, 12]
    assert second["keypoints"] == [v for i in range(5) for v in (2.0 * i, 2.0 * i + 1, 2)]
    assert third["keypoints"] == [0] * 15
    assert third["votes"] == [0.25] * 4 + [0.0] * 4
    assert images[0]["locator"] == "a.jpg"
    data = (tmp_path / "out" / images[0]["file_name"]).read_bytes()
    assert hashlib.sha256(data).digest() == hashlib.sha256(picture(0, ".jpg")).digest()


def test_repeated_locators_are_refused() -> None:
    rows = Manifest.from_rows([{"image": "a"}, {"image": "a"}], Path())
    with pytest.raises(ValueError, match="twice"):
        list(image_rows(rows))
