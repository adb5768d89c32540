"""LFW as folders of people, flat, wrapped and packed."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from halfsmile.data.readers.lfw import read

NAMES = ["Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Al-Gore/Al-Gore_0002.jpg", "Al-Gore/Al-Gore_0001.jpg"]
PEOPLE = ["Aaron_Eckhart", "Al-Gore", "Al-Gore"]


def write(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("wrapped", ["", "lfw-deepfunneled/"])
def test_people_are_named_and_nothing_is_labeled(tmp_path: Path, wrapped: str) -> None:
    manifest = read(write(tmp_path, [wrapped + name for name in NAMES]))
    assert manifest.column("image") == [wrapped + name for name in sorted(NAMES)]
    assert manifest.column("person") == PEOPLE
    assert set(manifest.column("label")) == {None}
    assert manifest.taxonomy is None
    assert manifest.notes[-1] == "LFW is not complete: 3 of 13,233 pictures and 2 of 5,749 people."


def test_flat_folders_and_archives(tmp_path: Path) -> None:
    flat = write(tmp_path / "flat", [name.split("/")[1] for name in NAMES])
    assert read(flat).column("person") == PEOPLE
    with tarfile.open(tmp_path / "lfw.tgz", "w:gz") as tar:
        tar.add(write(tmp_path / "tree", NAMES), "lfw")
    packed = read(tmp_path / "lfw.tgz")
    assert packed.column("person") == PEOPLE
    assert packed.column("image")[0] == "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg"


def test_other_pictures_are_counted(tmp_path: Path) -> None:
    write(tmp_path, [*NAMES, "collage.png", "lfw_pairs.txt"])
    manifest = read(tmp_path)
    assert len(manifest) == 3
    assert any(note.startswith("1 images are not named <person>_<0001>") for note in manifest.notes)
    with pytest.raises(ValueError, match=r"no LFW.*found 1\.png"):
        read(write(tmp_path / "other", ["1.png"]))
