"""RAF-DB in its true layout, generated, with its oddities."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.data.readers.rafdb import LIST, read
from halfsmile.taxonomy import RAFDB

LINES = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7", "test_0002.jpg 3"]


def write_tree(root: Path, lines: list[str], text: str | None = None) -> Path:
    """Empty pictures: the reader goes by names."""
    for folder in ("EmoLabel", "Image/aligned", "Image/original"):
        (root / folder).mkdir(parents=True)
    (root / LIST).write_bytes((text or "\n".join(lines) + "\n").encode())
    for line in lines:
        name = line.split()[0]
        (root / "Image/aligned" / name.replace(".jpg", "_aligned.jpg")).touch()
        (root / "Image/original" / name).touch()
    return root


def test_labels_splits_and_aligned_names(tmp_path: Path) -> None:
    manifest = read(write_tree(tmp_path, LINES))
    assert manifest.taxonomy == RAFDB
    assert [(r["image"], r["label"], r["split"]) for r in manifest.table.to_pylist()] == [
        ("Image/aligned/train_00001_aligned.jpg", "sadness", "train"),
        ("Image/aligned/train_00002_aligned.jpg", "surprise", "train"),
        ("Image/aligned/test_0001_aligned.jpg", "neutral", "test"),
        ("Image/aligned/test_0002_aligned.jpg", "disgust", "test"),
    ]
    assert manifest.notes == ("RAF-DB is not complete: 2 of 12,271 training and 2 of 3,068 test images.",)


def test_original_pictures_and_a_folder_above(tmp_path: Path) -> None:
    write_tree(tmp_path / "basic", LINES)
    assert read(tmp_path, crops="original").column("image")[0] == "basic/Image/original/train_00001.jpg"
    assert len(read(tmp_path)) == 4


def test_marks_blank_lines_and_windows_line_ends(tmp_path: Path) -> None:
    write_tree(tmp_path, LINES, "\ufeff" + "\r\n\r\n".join(LINES) + "  \r\n")
    assert read(tmp_path).column("label") == ["sadness", "surprise", "neutral", "disgust"]


def test_missing_pictures_are_counted(tmp_path: Path) -> None:
    root = write_tree(tmp_path, LINES)
    (root / "Image/aligned/test_0001_aligned.jpg").unlink()
    manifest = read(root)
    assert len(manifest) == 3
    assert manifest.notes[0] == (
        "1 rows of EmoLabel/list_patition_label.txt have no picture in aligned and were left out, "
        "first test_0001_aligned.jpg."
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("train_1.jpg 0", "found 0"),
        ("train_1.jpg 8", "found 8"),
        ("train_1.jpg happy", "a number"),
        ("train_1.jpg", "a file name and a number"),
        ("valid_1.jpg 3", "begin with train_ or test_"),
        ("train_../../x.jpg 3", "begin with train_ or test_"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path: Path, line: str, reason: str) -> None:
    write_tree(tmp_path, LINES, "\n".join([*LINES, line]))
    with pytest.raises(ValueError, match=rf"line 5: .*{reason}"):
        read(tmp_path)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list_patition_label\.txt \(spelled like this"):
        read(tmp_path)
    write_tree(tmp_path, LINES)
    for path in (tmp_path / "Image/aligned").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="none of the 4 pictures"):
        read(tmp_path)
