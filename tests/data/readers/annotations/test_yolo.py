"""YOLO's text files beside pictures or in folders of their own, with and without names of classes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault, UnreadLabelsError
from halfsmile.data.readers.beside.yaml_names import names_in_yaml
from halfsmile.data.readers.registry import read_any, recognize

YAMLS = {
    "a line": "train: x\nnc: 2\nnames: ['happy', 'sad']\n",
    "some lines": "names: ['happy',\n  'sad']\nnc: 2\n",
    "a list": "names:\n- happy\n- sad\nnc: 2\n",
    "numbers": "names:\n  0: happy\n  1: sad\ntrain: images/train\n",
}


def write(root: Path, image: str, text: str, lines: str) -> None:
    for name in (image, text):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / image), np.zeros((40, 20, 3), np.uint8))
    (root / text).write_text(lines)


@pytest.mark.parametrize("kind", YAMLS)
def test_names_are_read_however_they_are_written(kind: str) -> None:
    assert names_in_yaml(YAMLS[kind]) == ["happy", "sad"]
    assert names_in_yaml("nc: 2") == []


@pytest.mark.parametrize("form", ["train/{}", "{}/train"])
def test_folders_of_images_and_labels(tmp_path: Path, form: str) -> None:
    (tmp_path / "data.yaml").write_text(YAMLS["a line"])
    for i, lines in enumerate(("0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5\n", "1 0 0 1 0 1 1 0 1\n", "")):
        write(tmp_path, f"{form.format('images')}/{i}.jpg", f"{form.format('labels')}/{i}.txt", lines)
    assert recognize(tmp_path).name == "yolo"
    manifest = read_any(tmp_path)
    assert manifest.column("label") == ["happy", "sad", "sad", None]
    assert manifest.column("box") == [[5, 10, 15, 30], [0, 0, 10, 20], [0, 0, 20, 40], None]
    assert set(manifest.column("split")) == {"train"}


def test_beside_the_pictures_with_a_list_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "classes.txt", text="happy\nsad\n")
    for i in range(2):
        write(tmp_path, f"{i}.jpg", f"{i}.txt", f"{i} 0.5 0.5 1 1\n")
    assert read_any(tmp_path).column("label") == ["happy", "sad"]


def test_classes_without_names_are_asked_about(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path, f"{i}.jpg", f"{i}.txt", f"{i} 0.5 0.5 1 1\n")
    with pytest.raises(UnreadLabelsError, match=r"the labels 0, 1, 2 are numbers.*--label-names"):
        read_any(tmp_path)
    named = read_any(tmp_path, labels={"0": "fear", "1": "anger", "2": None})
    assert named.column("label") == ["fear", "anger"]


def test_a_line_that_is_none_is_a_fault(tmp_path: Path) -> None:
    touch(tmp_path, "classes.txt", text="happy\nsad\n")
    for i, line in enumerate(("0 0.5 0.5 1 1", "1 0.5 0.5 1 1", "1 x 0.5 1 1", "1 0.5 0.5 0 0")):
        write(tmp_path, f"{i}.jpg", f"{i}.txt", line)
    manifest = read_any(tmp_path)
    assert len(manifest) == 2
    assert any(note.startswith("2 pictures have boxes") for note in manifest.notes if isinstance(note, Fault))


def test_classes_beyond_the_names_are_a_fault(tmp_path: Path) -> None:
    touch(tmp_path, "classes.txt", text="happy\n")
    for i in range(2):
        write(tmp_path, f"{i}.jpg", f"{i}.txt", f"{i} 0.5 0.5 1 1\n")
    write(tmp_path, "2.jpg", "lost/7.txt", "0 0.5 0.5 1 1\n")
    with pytest.raises(UnreadLabelsError) as caught:
        read_any(tmp_path)
    faults = [note for note in caught.value.faces.notes if isinstance(note, Fault)]
    assert "Boxes have the classes 1, and only 1 have names, 0 to 0: happy." in faults
    assert any("1 annotation files belong to no picture, first lost/7.txt" in note for note in faults)
