"""Unlabeled folders and archives."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import read_image
from halfsmile.data.images import load_faces
from halfsmile.data.manifest import LeftOut
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


def tar_tree(root: Path, path: Path) -> Path:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        archive.add(root, ".")
    return path


def test_all_images_in_the_order_of_their_names(tmp_path: Path) -> None:
    manifest = read(write_tree(tmp_path))
    assert manifest.column("image") == sorted(NAMES)
    assert manifest.notes == ()
    assert manifest.taxonomy is None
    for name in manifest.table.schema.names[1:]:
        assert set(manifest.column(name)) == {None}


@pytest.mark.parametrize(
    ("pack", "name"), [(zip_tree, "tree.zip"), (tar_tree, "tree.tar"), (tar_tree, "tree.tgz")]
)
def test_an_archive_reads_like_the_folder(tmp_path: Path, pack: Callable[..., Path], name: str) -> None:
    root = write_tree(tmp_path / "tree")
    plain, packed = read(root), read(pack(root, tmp_path / name))
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
        hidden, others = manifest.notes
        assert isinstance(hidden, LeftOut)
        assert hidden.startswith("2 pictures of ")
        assert hidden.endswith("first .cache/a.jpg.")
        assert others.startswith("3 files")
        assert not isinstance(others, LeftOut)


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
    with pytest.raises(ValueError, match="not a readable zip or tar"):
        read(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="does not exist"):
        read(tmp_path / "none")


def test_hostile_members_are_left_out_and_counted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("../up.png", "/etc/x.png", "good.png"):
            archive.writestr(name, b"")
    manifest = read(tmp_path / "a.zip")
    assert manifest.column("image") == ["good.png"]
    assert len(manifest.notes) == 2
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("../up.png", b"")
    with pytest.raises(ValueError, match=r"no image, but no file at all.*path that climbs out"):
        read(tmp_path / "b.zip")


def test_folders_that_may_not_be_read_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path)
    (tmp_path / "secret").mkdir()
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    manifest = read(tmp_path)
    assert manifest.column("image") == sorted(NAMES)
    (note,) = manifest.notes
    assert note.startswith("1 folders of ")
    assert "secret (Permission denied)" in note


def test_names_in_every_script_and_names_that_are_no_text(tmp_path: Path) -> None:
    names = ["脸.png", "лицо.png", "وجه.png", "चेहरा.png", "🙂.png", "e\u0301.png"]
    for name in names:
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes())
    (tmp_path / os.fsdecode(b"h\xf6he.png")).touch()
    manifest = read(tmp_path)
    assert manifest.column("image") == sorted(names)
    assert manifest.notes[0].startswith("1 files of ")
    assert "not UTF-8" in manifest.notes[0]
    assert all(read_image(tmp_path, locator).shape == (2, 2, 1) for locator in manifest.column("image"))
    manifest.save(tmp_path / "m.parquet")
