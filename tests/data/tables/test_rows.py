"""Tables as other programs leave them: encodings, lists without names of columns, spreadsheets' leftovers."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.manifest import Fault
from halfsmile.data.readers.table import read
from halfsmile.data.tables.rows import read_rows


def rows_of(path: Path) -> list[list[str]]:
    table = read_rows(path)
    return [[str(row[name]) for name in table.names] for row in table.rows]


@pytest.mark.parametrize(
    "text", ["a.jpg 3\nb c.png 4\n", "a.jpg,3\nb c.png,4\n", "a.jpg\t3\nb c.png\t4\n", "a.jpg;3\nb c.png;4"]
)
def test_lists_without_a_line_of_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    table = read_rows(tmp_path / "list.txt")
    assert not table.has_header
    assert table.names == ["column 1", "column 2"]
    assert rows_of(tmp_path / "list.txt") == [["a.jpg", "3"], ["b c.png", "4"]]


def test_lists_with_the_label_in_front(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("happy a.jpg\nsad b.png\n")
    assert rows_of(tmp_path / "list.txt") == [["happy", "a.jpg"], ["sad", "b.png"]]
    (tmp_path / "list.txt").write_text("my face.jpg\nface.jpg\n")
    assert rows_of(tmp_path / "list.txt") == [["my face.jpg"], ["face.jpg"]]


def test_windows_1252_is_read_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("image;label\nJürgen.png;fröhlich\n".encode("cp1252"))
    assert rows_of(tmp_path / "a.csv") == [["Jürgen.png", "fröhlich"]]
    assert "Windows-1252" in read_rows(tmp_path / "a.csv").notes[0]


def test_cells_in_single_quotes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\n'Doe, J.png','happy'\n'b.png','sad'\n")
    assert rows_of(tmp_path / "a.csv") == [["Doe, J.png", "happy"], ["b.png", "sad"]]
    (tmp_path / "a.csv").write_text("image,label\n'a'.png,it's\n")
    assert rows_of(tmp_path / "a.csv") == [["'a'.png", "it's"]]


def test_remarks_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# image label\n# by hand\na.png happy\n#1.png sad\n# end\n")
    assert rows_of(tmp_path / "a.txt") == [["a.png", "happy"], ["#1.png", "sad"]]
    (tmp_path / "a.csv").write_text("#,image,label\n1,a.png,happy\n# end\n")
    assert rows_of(tmp_path / "a.csv") == [["1", "a.png", "happy"]]


def test_empty_columns_of_spreadsheets_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image;label;;\na.png;fear;;\nb.png;anger;;\nc.png;anger;;;;\n;;;\n")
    table = read_rows(tmp_path / "a.csv")
    assert table.names == ["image", "label"]
    assert rows_of(tmp_path / "a.csv") == [["a.png", "fear"], ["b.png", "anger"], ["c.png", "anger"]]
    assert not table.notes


def test_a_column_without_a_name_is_kept_where_it_has_cells(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",image,label\n0,a.png,fear\n1,b.png,anger\n")
    assert read_rows(tmp_path / "a.csv").names == ["column 1", "image", "label"]


def test_ragged_rows_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\na.png\nb.png,fear,more\nc.png,fear\n")
    assert rows_of(tmp_path / "a.csv") == [["c.png", "fear"]]
    (note,) = read_rows(tmp_path / "a.csv").notes
    assert isinstance(note, Fault)
    assert note.startswith("2 rows of a.csv don't have 2 cells")


def test_a_comma_is_decimal_only_where_it_separates_nothing(tmp_path: Path) -> None:
    for name, text in (("a.csv", "image;x\n"), ("b.csv", "image,x\n"), ("c.txt", "a.png 1\n")):
        (tmp_path / name).write_text(text)
    assert [read_rows(tmp_path / name).is_comma_decimal for name in ("a.csv", "b.csv", "c.txt")] == [
        True,
        False,
        True,
    ]


def test_tables_in_archives(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["a.png"], "label": ["fear"]}), tmp_path / "t.parquet")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("lists/labels.csv", "image,label\na.png,fear\n")
        archive.write(tmp_path / "t.parquet", "t.parquet")
    for name in ("lists/labels.csv", "t.parquet"):
        assert rows_of(tmp_path / f"a.zip!{name}") == [["a.png", "fear"]]
    with pytest.raises(ValueError, match=r"no member 'none\.csv'"):
        read_rows(tmp_path / "a.zip!none.csv")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_head_is_the_beginning_of_a_table(tmp_path: Path, kind: str) -> None:
    path, count = tmp_path / f"a.{kind}", 20_000
    if kind == "csv":
        path.write_text("image,label\n" + "".join(f"{i:08}.png,fear\n" for i in range(count)))
    elif kind == "jsonl":
        path.write_text("".join(f'{{"image": "{i:08}.png", "label": "fear"}}\n' for i in range(count)))
    else:
        pq.write_table(
            pa.table({"image": [f"{i:08}.png" for i in range(count)], "label": ["fear"] * count}), path
        )
    head = list(read_rows(path, only_head=True).rows)
    assert 100 < len(head) < count
    assert head == list(read_rows(path).rows)[: len(head)]


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_objects_in_all_cells_of_a_column_are_columns(tmp_path: Path, write: Callable[[Any], str]) -> None:
    """As VIA writes them into CSV, and pandas as Python does."""
    rows = [
        ["filename", "region", "said"],
        ["a.png", write({"x": 1, "y": 2}), write({"emotion": "happy"})],
        ["a.png", write({"x": 5, "y": 6}), write({"emotion": "sad"})],
        ["b.png", write({}), ""],
    ]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = read_rows(tmp_path / "t.csv")
    assert [{name: cell for name, cell in row.items() if cell} for row in found.rows] == [
        {"filename": "a.png", "x": 1, "y": 2, "emotion": "happy"},
        {"filename": "a.png", "x": 5, "y": 6, "emotion": "sad"},
        {"filename": "b.png"},
    ]
    (tmp_path / "t.csv").write_text("filename,note\na.png,{x}\nb.png,{1: 2\n")
    assert [row["note"] for row in read_rows(tmp_path / "t.csv").rows] == ["{x}", "{1: 2"]


@pytest.mark.parametrize(
    ("names", "outer", "inner"),
    [
        (
            ["ausdruck", "meta"],
            [["happy"], ["sad"]],
            [{"class": "male", "set": "train"}, {"class": "female"}],
        ),
        (["label", "deepface"], [["sad"], ["happy"]], [{"happy": 1, "sad": 0, "fear": 0}] * 2),
        (["happy", "sad", "meta"], [["1", "0"], ["0", "1"]], [{"emotion": "fear"}] * 2),
    ],
)
def test_objects_in_cells_never_contradict_the_labels_beside_them(
    tmp_path: Path, names: list[str], outer: list[list[str]], inner: list[dict[str, Any]]
) -> None:
    rows = [
        [f"{i}.png", *cells, json.dumps(told)]
        for i, (cells, told) in enumerate(zip(outer, inner, strict=True))
    ]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", *names], *rows])
    assert read_rows(tmp_path / "t.csv").names == ["image", *names]
    found = read(tmp_path / "t.csv", columns={"votes": ["happy", "sad"]} if len(names) > 2 else None)
    expected = ["happy", "sad"] if len(names) > 2 else [cells[0] for cells in outer]
    assert found.column("label") == expected
    assert found.taxonomy is not None
    assert set(found.taxonomy.labels) == {"happy", "sad"}


def test_objects_that_differ_in_what_they_have_are_columns(tmp_path: Path) -> None:
    inner = [
        {"emotion": "sad"},
        {"emotion": "happy", "part_of": "train"},
        {"emotion": "sad", "part_of": "test"},
    ]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        rows = [[f"{i}.png", json.dumps(told)] for i, told in enumerate(inner)]
        csv.writer(file).writerows([["image", "meta"], *rows])
    found = read(tmp_path / "t.csv")
    assert found.column("label") == ["sad", "happy", "sad"]
    assert found.column("split") == [None, "train", "test"]
