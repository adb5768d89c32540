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
    typed(how_to_convert(Path("faces.npz")))
    assert read_any(tmp_path / "faces").column("label") == ["happy", "sad"]
    assert cv2.imread("faces/sad/1.png") is not None


def typed(text: str) -> None:
    """Run the program that a message says."""
    program = text.split('python -c "')[1].split('"`')[0].split('" >')[0]
    exec(compile(program, "typed", "exec"), {})  # noqa: S102


def test_arrays_by_their_own_names_with_splits_and_colors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    red = np.zeros((2, 8, 8, 3))
    red[..., 0] = 1
    labels = np.array(["happy", "sad"])
    np.savez("a.npz", x_train=red, y_train=labels, x_test=red, y_test=labels)
    typed(how_to_convert(Path("a.npz")))
    assert read_any(tmp_path / "faces").column("split") == ["test", "test", "train", "train"]
    image = cv2.imread("faces/train/happy/0.png")
    assert image is not None
    assert image[0, 0].tolist() == [0, 0, 255]
    for name, array in (("images", red), ("emotions", labels)):
        np.save(f"{name}.npy", array)
    assert "'x': numpy.load('images.npy'), 'y': numpy.load('emotions.npy')" in how_to_convert(
        Path("images.npy")
    )


def test_a_file_for_each_picture_becomes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i, label in enumerate(("happy", "sad", "sad")):
        touch(tmp_path, f"{i}.png", f"{i}.txt", text=f"{label} or so")
    with pytest.raises(UnreadLabelsError, match=r"3 pictures have a \.txt file") as caught:
        read_any(tmp_path)
    typed(caught.value.mend)
    (tmp_path / "labels.csv").write_text(capsys.readouterr().out)
    manifest = read_any(tmp_path / "labels.csv")
    assert manifest.column("label") == ["happy", "sad", "sad"]
    assert manifest.column("image") == ["0.png", "1.png", "2.png"]


WAYS = {
    "arrays": (["faces.npz"], r"numpy\.load\('.*faces\.npz'\)"),
    "saved to disk": (["data-00000-of-00001.arrow", "dataset_info.json"], "load_from_disk"),
    "archives": (["train.zip", "test.zip", "a/readme.md"], "Give one of its archives, as .*test.zip"),
    "archives to unpack": (["a.tar.gz", "b.tar.gz", "c/x.md"], r"`python -m tarfile -e \S+a\.tar\.gz \S+a`"),
    "videos of classes": (["Train/happy/a.mp4", "Train/sad/b.mp4"], "ffmpeg -i"),
}


@pytest.mark.parametrize("kind", WAYS)
def test_a_folder_without_pictures_is_told_what_to_type(tmp_path: Path, kind: str) -> None:
    names, way = WAYS[kind]
    with pytest.raises(ValueError, match=way):
        read_any(touch(tmp_path, *names))
