"""Whole manifests decoded into one array."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.images import hash_images, load_faces, pixel_sha256, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import preprocess


def write_faces(root: Path, count: int, height: int = 30, width: int = 20) -> list[dict[str, Any]]:
    """Random pictures with a box and landmarks, every second row without."""
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for i in range(count):
        name = f"{i:03d}.png"
        cv2.imwrite(str(root / name), generator.integers(0, 256, (height, width, 3), dtype=np.uint8))
        known = i % 2 == 0
        rows.append(
            {
                "image": name,
                "box": [5.0, 6.0, 15.0, 24.0] if known else None,
                "landmarks": [4.0, 9.0, 16.0, 9.0, 10.0, 15.0, 5.0, 21.0, 15.0, 21.0] if known else None,
            }
        )
    return rows


def test_every_row_is_the_preprocessed_picture(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 150), tmp_path)
    for channels in (1, 3):
        faces = load_faces(manifest, size=12, channels=channels, progress=False)
        assert faces.images.shape == (150, 12, 12, channels)
        assert faces.bad == ()
        assert faces.manifest is manifest
        for i in (0, 63, 64, 149):
            expected = preprocess(read_image(tmp_path, f"{i:03d}.png"), 12, channels)
            assert np.array_equal(faces.images[i], expected)


def test_boxes_and_landmarks_move_with_the_pixels(tmp_path: Path) -> None:
    faces = load_faces(
        Manifest.from_rows(write_faces(tmp_path, 2), tmp_path), size=60, channels=1, progress=False
    )
    # 20 x 30 pixels become 40 x 60, with 10 pixels of padding at the left.
    assert faces.boxes[0] == pytest.approx([20, 12, 40, 48])
    assert faces.landmarks[0, 0] == pytest.approx([18, 18])
    assert faces.landmarks[0, 2] == pytest.approx([30, 30])
    assert np.isnan(faces.boxes[1]).all()
    assert np.isnan(faces.landmarks[1]).all()


@pytest.mark.parametrize("limit", [2**20, 0])
def test_bad_images_are_listed_and_their_rows_dropped(tmp_path: Path, limit: int) -> None:
    rows = write_faces(tmp_path, 9)
    (tmp_path / "000.png").write_bytes(b"")
    (tmp_path / "004.png").unlink()
    (tmp_path / "008.png").write_text("no image")
    manifest = Manifest.from_rows(rows, tmp_path)
    faces = load_faces(
        manifest, size=8, channels=3, cache=tmp_path / "cache", memory_limit=limit, progress=False
    )
    assert [locator for locator, _ in faces.bad] == ["000.png", "004.png", "008.png"]
    assert "empty" in faces.bad[0][1]
    assert faces.manifest.column("image") == [f"00{i}.png" for i in (1, 2, 3, 5, 6, 7)]
    assert len(faces) == len(faces.boxes) == len(faces.landmarks) == 6
    for image, locator in zip(faces.images, faces.manifest.column("image"), strict=True):
        assert np.array_equal(image, preprocess(read_image(tmp_path, locator), 8, 3))
    assert np.isnan(faces.boxes[:, 0]).tolist() == [
        row["box"] is None for row in rows if row["image"] in faces.manifest.column("image")
    ]


def test_large_arrays_are_mapped_from_the_cache(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 5), tmp_path)
    cache = tmp_path / "cache"
    mapped = load_faces(manifest, size=8, channels=1, cache=cache, memory_limit=100, progress=False)
    assert isinstance(mapped.images, np.memmap)
    path, _ = sorted(cache.iterdir(), key=lambda found: len(found.name))
    plain = load_faces(manifest, size=8, channels=1, progress=False)
    assert np.array_equal(mapped.images, plain.images)
    assert np.array_equal(np.load(path), plain.images)


@pytest.mark.parametrize("bad", [(), (0, 4)])
def test_large_arrays_are_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...]
) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 9), tmp_path)
    whole = {row: (tmp_path / f"00{row}.png").read_bytes() for row in bad}
    for row in bad:
        (tmp_path / f"00{row}.png").write_bytes(b"")
    options: dict[str, Any] = {"size": 8, "channels": 1, "cache": tmp_path / "cache", "memory_limit": 0}
    first = load_faces(manifest, **options, progress=False)
    monkeypatch.setattr("halfsmile.data.images.preprocess", lambda *_: pytest.fail("decoded again"))
    again = load_faces(manifest, **options, progress=False)
    for name in ("images", "boxes", "landmarks"):
        assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=name != "images"), name
    assert (again.bad, again.manifest.table) == (first.bad, first.manifest.table)
    monkeypatch.undo()
    for row in bad:
        (tmp_path / f"00{row}.png").write_bytes(whole[row])
    assert len(load_faces(manifest, **options, progress=False)) == 9


def test_folders_with_equal_names_have_arrays_of_their_own(tmp_path: Path) -> None:
    options: dict[str, Any] = {"size": 8, "channels": 1, "cache": tmp_path / "cache", "memory_limit": 0}
    found = []
    for value in (10, 200):
        (root := tmp_path / str(value)).mkdir()
        cv2.imwrite(str(root / "a.png"), np.full((20, 20), value, np.uint8))
        manifest = Manifest.from_rows([{"image": "a.png"}], root)
        found.append(float(load_faces(manifest, **options, progress=False).images.mean()))
    assert found == [10.0, 200.0]


def test_a_picture_that_was_replaced_is_decoded_again(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 5), tmp_path)
    options: dict[str, Any] = {"size": 8, "channels": 1, "cache": tmp_path / "cache", "memory_limit": 0}
    load_faces(manifest, **options, progress=False)
    time.sleep(0.02)
    cv2.imwrite(str(tmp_path / "003.png"), np.full((20, 20), 77, np.uint8))
    assert (load_faces(manifest, **options, progress=False).images[3] == 77).all()


def test_an_array_without_its_sizes_is_made_anew(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 5), tmp_path)
    cache = tmp_path / "cache"
    options: dict[str, Any] = {"size": 8, "channels": 1, "cache": cache, "memory_limit": 0}
    images = np.array(load_faces(manifest, **options, progress=False).images)
    (sizes,) = cache.glob("*.sizes.npy")
    sizes.unlink()
    (array,) = cache.iterdir()
    array.write_bytes(b"half")
    assert np.array_equal(load_faces(manifest, **options, progress=False).images, images)


def test_large_arrays_without_a_cache_are_refused(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 5), tmp_path)
    with pytest.raises(ValueError, match="cache folder"):
        load_faces(manifest, size=8, channels=1, memory_limit=100)


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    rows = [{"image": "a.png"}, {"image": "b.png"}]
    with pytest.raises(ValueError, match="None of 2 images"):
        load_faces(Manifest.from_rows(rows, tmp_path), size=8, channels=1)
    with pytest.raises(ValueError, match="no rows"):
        load_faces(Manifest.from_rows([], tmp_path), size=8, channels=1)


def test_wrong_arguments_are_errors_not_bad_images(tmp_path: Path) -> None:
    manifest = Manifest.from_rows(write_faces(tmp_path, 2), tmp_path)
    with pytest.raises(ValueError, match="channels"):
        load_faces(manifest, size=8, channels=2)


def test_hashes_follow_the_order_and_bad_images_have_none(tmp_path: Path) -> None:
    locators = [row["image"] for row in write_faces(tmp_path, 130)]
    expected = [pixel_sha256(read_image(tmp_path, locator)) for locator in locators]
    assert hash_images(tmp_path, locators, progress=False) == expected
    assert hash_images(tmp_path, ["none.png", *locators], progress=False) == [None, *expected]
