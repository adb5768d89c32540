"""Lists beside folders of classes tell the splits."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.files import touch

from halfsmile.data.manifest import Fault, LeftOut, Manifest
from halfsmile.data.readers.registry import read_any

PICTURES = ["happy/1.png", "happy/2.png", "sad/3.png", "sad/4.png"]
WANTED = ["train", "test", "train", "test"]
LISTS = {
    "paths": ("train.txt", "happy/1.png\nsad/3.png\n", "test.txt", "happy/2.png\nsad/4.png\n"),
    "no suffixes": ("meta/train.txt", "happy/1\nsad/3\n", "meta/test.txt", "happy/2\nsad/4\n"),
    "a label behind": ("train.lst", "1.png happy\n3.png sad\n", "test.lst", "2.png happy\n4.png sad\n"),
    "a label behind a name without suffix": ("train.txt", "1 happy\n3 sad\n", "test.txt", "2 happy\n4 sad\n"),
    "numbers in front": ("a_train.csv", "0,1.png,3\n1,3.png,4\n", "a_test.csv", "0,2.png,3\n1,4.png,4\n"),
    "names of columns": (
        "train.csv",
        "file,class\n1.png,happy\n3.png,sad\n",
        "test.csv",
        "file,class\n2.png,happy\n4.png,sad",
    ),
    "other machines": (
        "TRAIN.txt",
        "C:\\x\\happy\\1.PNG\nC:\\x\\sad\\3.PNG",
        "TEST.txt",
        "/x/happy/2.png\n/x/sad/4.png",
    ),
    "json": (
        "train.json",
        '{"happy": ["happy/1"], "sad": ["sad/3"]}',
        "test.json",
        '["happy/2.png", "sad/4.png"]',
    ),
}


def listed(root: Path, first: str, one: str, second: str, other: str) -> Manifest:
    touch(root, *PICTURES)
    touch(root, first, text=one)
    touch(root, second, text=other)
    return read_any(root)


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_names_give_splits(tmp_path: Path, kind: str) -> None:
    manifest = listed(tmp_path, *LISTS[kind])
    assert manifest.column("label") == ["happy", "happy", "sad", "sad"]
    assert manifest.column("split") == WANTED
    assert any("train 2, test 2" in note for note in manifest.notes)
    assert not [note for note in manifest.notes if isinstance(note, LeftOut)]


def test_in_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in PICTURES:
            archive.writestr(f"set/{name}", b"")
        archive.writestr("set/train.txt", "happy/1\nsad/3")
        archive.writestr("set/test.txt", "happy/2\nsad/4")
    assert read_any(tmp_path / "a.zip").column("split") == WANTED


def test_what_lists_leave_open_or_have_wrong_is_told(tmp_path: Path) -> None:
    manifest = listed(tmp_path, "train.txt", "1.png sad\n3.png sad\nlost.png sad\n", "val.txt", "3.png sad\n")
    assert manifest.column("split") == ["train", None, "valid", None]
    faults = [note for note in manifest.notes if isinstance(note, Fault)]
    assert [fault.split(",")[0] for fault in faults] == [
        "1 lines of the lists name no picture",
        "1 pictures are in lists of two splits",
        "1 lines of the lists tell another class than the folder",
    ]
    (open_ones,) = [n for n in manifest.notes if isinstance(n, LeftOut) and not isinstance(n, Fault)]
    assert open_ones.startswith("2 pictures are in none of the lists")


def test_one_list_or_lists_of_other_things_change_nothing(tmp_path: Path) -> None:
    one = listed(tmp_path / "one", "test.txt", "happy/1.png\n", "readme.txt", "train and test\n")
    assert one.column("split") == [None] * 4
    assert any("test.txt lie beside and were not read" in note for note in one.notes)
    other = listed(tmp_path / "other", "train.txt", "epoch 1\n2 loss 0.3\n", "test.txt", "accuracy 3")
    assert other.column("split") == [None] * 4
    assert any("train.txt lie beside" in note for note in other.notes)


def test_splits_of_folders_stay(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{split}/{name}" for split in ("train", "test") for name in PICTURES))
    touch(tmp_path, "train.txt", text="happy/1\nsad/3")
    touch(tmp_path, "test.txt", text="happy/2\nsad/4")
    assert read_any(tmp_path).column("split") == ["test"] * 4 + ["train"] * 4


def test_lists_beside_boxes(tmp_path: Path) -> None:
    """Darknet's lists beside YOLO's text files, and Pascal VOC's ``ImageSets``."""
    yolo, voc = tmp_path / "yolo", tmp_path / "voc"
    object_ = (
        "<object><name>{}</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    )
    for i in range(4):
        touch(yolo, f"data/{i:03d}.png")
        cv2.imwrite(str(yolo / f"data/{i:03d}.png"), np.zeros((8, 8, 3), np.uint8))
        touch(yolo, f"data/{i:03d}.txt", text=f"{i % 2} 0.5 0.5 0.5 0.5\n" * (1 + (i == 3)))
        touch(voc, f"JPEGImages/{i:03d}.png")
        label = ("fear", "calm")[i % 2]
        xml = f"<annotation>{object_.format(label)}</object></annotation>"
        touch(voc, f"Annotations/{i:03d}.xml", text=xml)
    touch(yolo, "obj.names", text="fear\ncalm\n")
    for name, numbers in (("train", (0, 1)), ("test", (2, 3))):
        touch(yolo, f"{name}.txt", text="".join(f"build/data/{i:03d}.png\n" for i in numbers))
        touch(voc, f"ImageSets/Main/{name}.txt", text="".join(f"{i:03d}\n" for i in numbers))
    for root, more in ((yolo, 1), (voc, 0)):
        manifest = read_any(root)
        assert manifest.column("label") == [*["fear", "calm"] * 2, *["calm"] * more]
        assert manifest.column("split") == ["train", "train", "test", "test", *["test"] * more]
        assert any(f"train 2, test {2 + more}." in note for note in manifest.notes)


def test_a_line_is_no_picture_of_another_folder(tmp_path: Path) -> None:
    touch(tmp_path, "sad/0007.png", "sad/0008.png", "happy/0001.png", "happy/0002.png")
    touch(tmp_path, "train.txt", text="happy/0001.png\nimages/0008.png\n/home/ann/sad/0008.png\n")
    touch(
        tmp_path,
        "test.txt",
        text="happy/0007.png\nfear/0008.png\nhappy/0002.png\ntest/0002.png\nS01/0007.png\n" * 2,
    )
    assert read_any(tmp_path).column("split") == [None] * 4, "most lines of test.txt name no picture"
    touch(tmp_path, "test.txt", text="happy/0007.png\nhappy/0002.png\nsome/where/happy/0002.png\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image")[2:] == ["sad/0007.png", "sad/0008.png"]
    assert manifest.column("split") == ["train", "test", None, "train"]
    (fault,) = [note for note in manifest.notes if isinstance(note, Fault)]
    assert "1 lines of the lists name no picture, first happy/0007.png in test.txt" in fault


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (("train_log.txt", "test_log.txt"), "{} 0.300"),
        (("train_log.txt", "test_log.txt"), "{}"),
        (("train.txt", "test.txt"), "{} 0.300"),
        (("train.csv", "test.csv"), "{},1.5e-3"),
        (("loss_train.txt", "loss_test.txt"), "{} 12"),
    ],
)
def test_logs_of_epochs_are_no_lists(tmp_path: Path, names: tuple[str, str], lines: str) -> None:
    touch(tmp_path, *(f"{('happy', 'sad')[i % 2]}/{i}.png" for i in range(1, 11)))
    for name, numbers in zip(names, ((1, 2, 3), (4, 5, 6)), strict=True):
        touch(tmp_path, name, text="".join(lines.format(i) + "\n" for i in numbers))
    assert read_any(tmp_path).column("split") == [None] * 10
    for name, first in (("train.txt", 1), ("test.txt", 6)):
        touch(tmp_path, name, text="".join(f"{i} {i % 2}\n" for i in range(first, first + 5)))
    assert set(read_any(tmp_path).column("split")) == {"train", "test"}
