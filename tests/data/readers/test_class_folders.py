"""Folders named after labels, with and without splits."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from halfsmile.data.readers.class_folders import read
from halfsmile.taxonomy import FERPLUS, RAFDB, Taxonomy


def write(root: Path, *names: str) -> Path:
    """Empty files: the reader goes by names and leaves pixels to whoever loads them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_folder_names_become_a_sorted_taxonomy(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "smile/b.png", "calm/a.png", "smile/sub/c.jpg"))
    assert manifest.taxonomy == Taxonomy("custom", ("calm", "smile"))
    assert manifest.column("image") == ["calm/a.png", "smile/b.png", "smile/sub/c.jpg"]
    assert manifest.column("label") == ["calm", "smile", "smile"]
    assert manifest.column("split") == [None] * 3


def test_names_of_a_known_taxonomy_take_its_order(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, *(f"{label.capitalize()}/a.png" for label in RAFDB.labels)))
    assert manifest.taxonomy == RAFDB
    assert manifest.counts() == dict.fromkeys(RAFDB.labels, 1)


@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
def test_split_folders(tmp_path: Path, valid: str) -> None:
    root = write(tmp_path, "train/calm/a.png", "train/smile/b.png", f"{valid}/calm/c.png", "test/smile/d.png")
    manifest = read(root)
    assert dict(zip(manifest.column("image"), manifest.column("split"), strict=True)) == {
        "train/calm/a.png": "train",
        "train/smile/b.png": "train",
        f"{valid}/calm/c.png": "valid",
        "test/smile/d.png": "test",
    }
    assert manifest.split("valid").column("label") == ["calm"]


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("train/calm/a.png", "test/smile/b.png"):
            archive.writestr(name, b"")
    manifest = read(tmp_path / "a.zip")
    assert manifest.column("label") == ["smile", "calm"]
    assert manifest.column("split") == ["test", "train"]


@pytest.mark.parametrize("outer", ["", "faces/", "my/faces/"])
@pytest.mark.parametrize("splits", [True, False])
def test_folders_that_wrap_everything_in_an_archive_are_passed_over(
    tmp_path: Path, outer: str, splits: bool
) -> None:
    names = ["train/calm/a.png", "train/smile/b.png"] if splits else ["calm/a.png", "smile/b.png"]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(outer + name))
    manifest = read(tmp_path / "a.tar")
    assert manifest.column("label") == ["calm", "smile"]
    assert manifest.column("split") == (["train"] * 2 if splits else [None] * 2)
    assert manifest.column("image") == [outer + name for name in names]


def test_a_given_taxonomy_decides_order_and_absent_labels_are_noted(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "anger/a.png", "Fear/b.png"), FERPLUS)
    assert manifest.taxonomy == FERPLUS
    assert manifest.column("label") == ["fear", "anger"]
    assert manifest.class_indices().tolist() == [FERPLUS.index("fear"), FERPLUS.index("anger")]
    assert any("without an image: neutral, happiness" in note for note in manifest.notes)


def test_folders_that_the_taxonomy_lacks_are_refused_with_both_lists(tmp_path: Path) -> None:
    root = write(tmp_path, "anger/a.png", "contempt/b.png", "happy/c.png")
    with pytest.raises(
        ValueError, match=r"\['anger', 'contempt', 'happy'\].*\['surprise'.*\['contempt', 'happy'\]"
    ):
        read(root, RAFDB)


def test_images_beside_the_folders_are_noted(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "a/1.png", "b/2.png", "stray.png", "list.csv"))
    assert len(manifest) == 2
    assert len(manifest.notes) == 2
    assert any("1 images lie outside" in note for note in manifest.notes)


def test_no_labels_or_one_label_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none in a folder"):
        read(write(tmp_path / "flat", "a.png"))
    with pytest.raises(ValueError, match="at least two"):
        read(write(tmp_path / "one", "smile/a.png"))
