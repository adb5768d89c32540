"""Tables beside pictures: which are one data set, however many there are."""

from __future__ import annotations

from pathlib import Path

from tests.files import touch

from halfsmile.data.readers.beside.tables import MAX_LOOKED_INTO, tables_of_faces
from halfsmile.data.readers.registry import read_any

CLASSES = ("fear", "calm", "happy", "sad", "anger", "disgust", "surprise")


def test_all_tables_of_classes_and_splits_count(tmp_path: Path) -> None:
    names = [f"{split}_{label}.txt" for split in ("train", "valid", "test") for label in CLASSES]
    assert len(names) > MAX_LOOKED_INTO
    for number, name in enumerate(names):
        touch(tmp_path, f"im/{number}.png")
        touch(tmp_path, name, text=f"{number}.png\n")
    found = tables_of_faces(tmp_path, names, [f"im/{number}.png" for number in range(len(names))], "/")
    assert found is not None
    assert (found.holds, len(found.tables)) == ("labels", 21)
    manifest = read_any(tmp_path)
    assert manifest.counts() == dict.fromkeys(sorted(CLASSES), 3)
    assert [manifest.column("split").count(split) for split in ("train", "valid", "test")] == [7, 7, 7]


def test_a_table_of_names_counts_where_it_stands_alone_on_top(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "below/names.csv", "notes.txt")
    touch(tmp_path, "names.csv", text="image,age\n1.png,3\n")
    found = tables_of_faces(tmp_path, ["names.csv", "notes.txt"], ["1.png"], "/")
    assert found is not None
    assert (found.holds, found.tables) == ("names", (tmp_path / "names.csv",))
    touch(tmp_path, "other.csv", text="image,age\n1.png,3\n")
    assert tables_of_faces(tmp_path, ["names.csv", "other.csv"], ["1.png"], "/") is None
    assert tables_of_faces(tmp_path, ["notes.txt"], ["1.png"], "/") is None
