"""What is not read is told with what to type."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.files import touch

from halfsmile.data.manifest import UnreadLabelsError
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.unread.conversions import how_to_convert
from halfsmile.data.readers.unread.signs import TABLES
from halfsmile.data.tables.rows import TABLE_SUFFIXES


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
    names: dict[str, object] = {}
    exec(compile(program, "typed", "exec"), names)  # noqa: S102
    names.clear()  # files that it opened are closed


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
    "videos of classes": (
        ["Train/happy/a.mp4", "Train/sad/b.mp4"],
        r"`halfsmile data prepare \S+ --out",
    ),
}


@pytest.mark.parametrize("kind", WAYS)
def test_a_folder_without_pictures_is_told_what_to_type(tmp_path: Path, kind: str) -> None:
    names, way = WAYS[kind]
    with pytest.raises(ValueError, match=way):
        read_any(touch(tmp_path, *names))


@pytest.mark.parametrize("suffix", [suffix for suffix in TABLES if suffix not in TABLE_SUFFIXES])
def test_every_kind_that_may_hold_labels_has_something_to_type(suffix: str) -> None:
    said = how_to_convert(Path("some where/labels" + suffix))
    assert "`" in said
    assert "some where" in said


@pytest.mark.parametrize(
    "name",
    ["train-00000-of-00002.tfrecord", "fer-train.tfrecord-00000-of-00001", "data.mdb", "faces.pt"],
)
def test_a_folder_of_records_has_something_to_type_whatever_lies_beside(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "dataset_info.json", text="{}")
    with pytest.raises(ValueError, match=r"fits no reader.*`python -c") as caught:
        read_any(tmp_path)
    assert "Label Studio" not in str(caught.value)


def test_one_hot_labels_are_numbered_by_their_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", np.zeros((3, 8, 8), np.uint8))
    np.save("Y.npy", np.eye(3)[[2, 0, 1]])
    typed(how_to_convert(Path("X.npy")))
    assert sorted(path.as_posix() for path in Path("faces").rglob("*.png")) == [
        "faces/0/1.png",
        "faces/1/2.png",
        "faces/2/0.png",
    ]


def test_an_array_of_labels_beside_pictures_becomes_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path / "in", "a/1.png", "a/2.png", "b/3.png")
    np.save(tmp_path / "in/labels.npy", np.array(["happy", "sad", "happy"]))
    with pytest.raises(UnreadLabelsError) as caught:
        read_any(tmp_path / "in")
    typed(str(caught.value))
    (tmp_path / "in/labels.csv").write_text(capsys.readouterr().out)
    found = read_any(tmp_path / "in")
    assert dict(zip(found.column("image"), found.column("label"), strict=True)) == {
        "a/1.png": "happy",
        "a/2.png": "sad",
        "b/3.png": "happy",
    }


@pytest.mark.parametrize("labels", [["happy"], ["happy", "sad", "sad"]])
def test_an_array_of_another_length_is_not_paired_in_silence(tmp_path: Path, labels: list[str]) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    np.save(tmp_path / "labels.npy", np.array(labels))
    with pytest.raises(UnreadLabelsError) as caught:
        read_any(tmp_path)
    with pytest.raises(ValueError, match="zip"):
        typed(str(caught.value))
