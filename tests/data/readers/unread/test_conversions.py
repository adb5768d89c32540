"""What is not read is told with what to type."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data.readers.test_registry import touch

from halfsmile.data.manifest import UnreadLabelsError
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.unread.conversions import how_to_convert


@pytest.mark.parametrize(
    "name", ["a.xlsx", "a.json", "a.pkl", "a.mat", "a.npz", "a.h5", "a.xml", "data.arrow"]
)
def test_every_kind_has_something_to_type(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, text="[]")
    with pytest.raises(ValueError, match=r"is no table") as caught:
        read_any(tmp_path / name)
    assert str(tmp_path) in str(caught.value)
    assert "`" in str(caught.value)


def test_beside_pictures_the_same_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "labels.xlsx")
    with pytest.raises(UnreadLabelsError, match=r"--convert-to csv '.*labels\.xlsx'"):
        read_any(tmp_path)


def test_what_is_said_of_arrays_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("faces.npz", X=np.zeros((2, 8, 8), np.uint8), y=np.array(["happy", "sad"]))
    program = how_to_convert(Path("faces.npz")).split('python -c "')[1].split('"`')[0]
    exec(compile(program, "typed", "exec"), {})  # noqa: S102
    assert read_any(tmp_path / "faces").column("label") == ["happy", "sad"]
    assert cv2.imread("faces/sad/1.png") is not None


WAYS = {
    "arrays": (["faces.npz"], r"numpy\.load\('.*faces\.npz'\)"),
    "saved to disk": (["data-00000-of-00001.arrow", "dataset_info.json"], "load_from_disk"),
    "archives": (["train.zip", "test.zip", "a/readme.md"], "Give one of its archives, as .*test.zip"),
    "videos of classes": (["Train/happy/a.mp4", "Train/sad/b.mp4"], "ffmpeg -i"),
}


@pytest.mark.parametrize("kind", WAYS)
def test_a_folder_without_pictures_is_told_what_to_type(tmp_path: Path, kind: str) -> None:
    names, way = WAYS[kind]
    with pytest.raises(ValueError, match=way):
        read_any(touch(tmp_path, *names))
