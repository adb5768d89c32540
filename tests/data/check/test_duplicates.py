"""Copies that were made on purpose are found, other faces are not."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.check.duplicates import (
    Duplicates,
    across_splits,
    group_duplicates,
    people_in_two_splits,
    read_signatures,
    signatures_of,
    without_leaks,
)
from halfsmile.data.manifest import Manifest
from halfsmile.data.synthetic import generate

Image = npt.NDArray[np.uint8]


def jpeg(image: Image, quality: int) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def resized(image: Image, scale: float) -> Image:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def brighter(image: Image, by: int) -> Image:
    return np.asarray(np.clip(image.astype(int) + by, 0, 255), np.uint8)


CHANGES = {
    "jpeg 80": lambda i: jpeg(i, 80),
    "jpeg 30": lambda i: jpeg(i, 30),
    "half size": lambda i: resized(i, 0.5),
    "double size": lambda i: resized(i, 2.0),
    "brighter": lambda i: brighter(i, 25),
    "darker": lambda i: brighter(i, -25),
    "half size, then jpeg 60": lambda i: jpeg(resized(i, 0.5), 60),
}


@pytest.fixture(scope="module")
def faces() -> Image:
    return generate(150, size=112, seed=5, people=150).images


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_other_faces_are_not(faces: Image, change: str) -> None:
    images = [*faces, *(CHANGES[change](face) for face in faces)]
    found = group_duplicates(signatures_of(images))
    right = {(i, i + len(faces)) for i in range(len(faces))}
    assert not found.exact
    assert set(found.near) <= right
    assert len(found.near) >= 0.97 * len(right)


def test_exact_copies_are_told_from_near_ones(faces: Image) -> None:
    images = [faces[0], faces[1], faces[0], jpeg(faces[0], 60), faces[2], faces[1]]
    found = group_duplicates(signatures_of(images))
    assert found.exact == ((0, 2), (1, 5))
    assert found.near == ((0, 2, 3),)
    assert found.groups == ((0, 2, 3), (1, 5))


def test_blank_pictures_are_not_like_each_other() -> None:
    blank = [np.full((20, 20, 1), gray, np.uint8) for gray in (0, 0, 90, 255)]
    assert group_duplicates(signatures_of(blank)) == Duplicates(exact=((0, 1),), near=())


def test_nothing_to_compare() -> None:
    assert group_duplicates(signatures_of([])) == Duplicates((), ())


def test_duplicates_of_files_inside_and_across_splits(faces: Image, tmp_path: Path) -> None:
    images = [faces[0], jpeg(faces[0], 50), faces[1], faces[1], faces[2], faces[3], faces[3]]
    splits = ["train", "test", "valid", "train", "train", None, "train"]
    for i, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{i}.png"), image)
    (tmp_path / "7.png").write_bytes(b"no image")
    rows = [{"image": f"{i}.png", "split": split} for i, split in enumerate([*splits, "train"])]
    manifest = Manifest.from_rows(rows, tmp_path)
    found = group_duplicates(read_signatures(manifest, progress=False))
    assert found.groups == ((0, 1), (2, 3), (5, 6))
    assert [row for row, _ in found.bad] == [7]
    assert across_splits(manifest, found.groups) == ((0, 1), (2, 3))
    kept = without_leaks(manifest, found.groups)
    assert kept.column("image") == [f"{i}.png" for i in (1, 2, 4, 5, 6, 7)]
    assert kept.notes == ("Dropped {'train': 2} rows with a duplicate in a stricter split.",)
    assert across_splits(kept, [(0, 1)]) == ((0, 1),)


def test_people_in_two_splits() -> None:
    people = [("a", "train"), ("a", "test"), ("a", "test"), ("b", "train"), (None, "test"), ("c", None)]
    rows = [{"image": str(i), "person": p, "split": s} for i, (p, s) in enumerate([*people, ("c", "valid")])]
    assert people_in_two_splits(Manifest.from_rows(rows, Path())) == {"a": {"train": 1, "test": 2}}


def test_ferplus_has_the_copies_that_it_is_known_for() -> None:
    """3,353 images are in 1,513 groups; 288 of the test and 279 of validation are also in training."""
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("HALFSMILE_DATA", default)) / "ferplus" / "ferplus.npz"
    if not path.exists():
        pytest.skip(f"no FERPlus at {path}; set HALFSMILE_DATA to the folder that holds it")
    data = np.load(path)
    images = np.cumsum(np.cumsum(data["images_d2"], 1, dtype=np.uint8), 2, dtype=np.uint8)[..., None]
    names = np.array(["train", "valid", "test"])[data["split"]].tolist()
    found = group_duplicates(signatures_of(images))
    assert (len(found.exact), sum(map(len, found.exact))) == (1513, 3353)
    for split, expected in (("test", 288), ("valid", 279)):
        shared = [g for g in found.exact if "train" in {names[row] for row in g}]
        assert sum(names[row] == split for group in shared for row in group) == expected
