"""Unlabeled folders and archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.images import load_faces
from halfsmile.data.readers.folder import read

NAMES = ["b/10.jpg", "a/x.PNG", "b/2.jpeg", "top.webp", "b/deep/er/i.bmp"]


def write_tree(root: Path) -> Path:
    for i, name in enumerate(NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((6, 5, 3), 40 * i, np.uint8)
        path.write_bytes(cv2.imencode(path.suffix.lower(), pixels)[1].tobytes())
    return root


def zip_tree(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root).as_posix())
    return path


def test_all_images_in_the_order_of_their_names(tmp_path: Path) -> None:
    manifest = read(write_tree(tmp_path))
    assert manifest.column("image") == sorted(NAMES)
    assert manifest.notes == ()
    assert manifest.taxonomy is None
    for name in manifest.table.schema.names[1:]:
        assert set(manifest.column(name)) == {None}


def test_an_archive_reads_like_the_folder(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree")
    plain, packed = read(root), read(zip_tree(root, tmp_path / "tree.zip"))
    assert packed.column("image") == plain.column("image")
    first, second = (load_faces(m, size=8, channels=3, progress=False).images for m in (plain, packed))
    assert np.array_equal(first, second)


def test_hidden_and_other_files_are_ignored_with_a_note(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree")
    for name in (".hidden.jpg", ".cache/a.jpg", "__MACOSX/a.jpg", "labels.csv", "Thumbs.db"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("?")
    for manifest in (read(root), read(zip_tree(root, tmp_path / "tree.zip"))):
        assert manifest.column("image") == sorted(NAMES)
        assert len(manifest.notes) == 1
        assert manifest.notes[0].startswith("5 files")


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "elsewhere")
    root = tmp_path / "tree"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (outside / "circle").symlink_to(root)
    assert read(root).column("image") == sorted(f"link/{name}" for name in NAMES)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file at all"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("?")
    with pytest.raises(ValueError, match=r"1 other files, first 'notes\.txt'"):
        read(tmp_path)
    with pytest.raises(ValueError, match="not a zip archive"):
        read(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="does not exist"):
        read(tmp_path / "none")
