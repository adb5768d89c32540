"""Tables of faces: columns, encodings, labels, votes, and what can't be understood."""

from __future__ import annotations

import json
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.files import touch

from halfsmile.data.exchange.import_labels import import_labels
from halfsmile.data.manifest import Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.table import read
from halfsmile.data.readers.words import NUMBERINGS
from halfsmile.taxonomy import AFFECTNET8, FERPLUS, RAFDB, Taxonomy

ROWS: list[dict[str, Any]] = [
    {"path": "a/脸.png", "Emotion": "Anger", "usage": "Training", "subject": "7", "frame": "3",
     "x0": "1", "y0": "2.5", "x1": "11", "y1": "22", "note": "?"},
    {"path": "b, c.png", "Emotion": "fear", "usage": "val", "subject": "", "frame": "",
     "x0": "", "y0": "", "x1": "", "y1": "", "note": "?"},
    {"path": "d.png", "Emotion": "", "usage": "", "subject": "8", "frame": "0",
     "x0": "0", "y0": "0", "x1": "5", "y1": "5", "note": "?"},
]  # fmt: skip
EXPECTED = [
    ("a/脸.png", "anger", "train", "7", 3, [1.0, 2.5, 11.0, 22.0]),
    ("b, c.png", "fear", "valid", None, None, None),
    ("d.png", None, None, "8", 0, [0.0, 0.0, 5.0, 5.0]),
]

Form = Literal["NFC", "NFD"]


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",", end: str = "\n") -> str:
    def cell(value: str) -> str:
        return f'"{value}"' if delimiter in value else value

    lines = [delimiter.join(rows[0]), *(delimiter.join(cell(v) for v in row.values()) for row in rows)]
    return end.join(lines) + end


def values(manifest: Manifest) -> list[tuple[Any, ...]]:
    rows = manifest.table.select(["image", "label", "split", "person", "frame", "box"]).to_pylist()
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_any_program(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    path = tmp_path / "faces.csv"
    touch(tmp_path, *(row["path"] for row in ROWS))
    path.write_bytes(csv_text(ROWS, delimiter, end).encode(encoding))
    manifest = read(path, taxonomy=FERPLUS)
    assert values(manifest) == EXPECTED
    assert manifest.root == tmp_path
    assert manifest.notes == ("Columns of faces.csv that were not used: note.",)


def test_a_line_that_names_the_separator_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sep=;\n" + csv_text(ROWS, ";"))
    assert values(read(tmp_path / "a.csv", taxonomy=FERPLUS)) == EXPECTED


def test_json_lines_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [{key: value or None for key, value in row.items()} for row in ROWS]
    for row in rows:
        row["frame"] = int(row["frame"]) if row["frame"] else None
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert values(read(tmp_path / name, taxonomy=FERPLUS)) == EXPECTED


def test_boxes_and_landmarks_as_lists_and_as_text(tmp_path: Path) -> None:
    points = [float(i) for i in range(10)]
    pairs = [[points[i], points[i + 1]] for i in range(0, 10, 2)]
    lines = [
        {"image": "a", "box": [1, 2, 3, 4], "landmarks": pairs},
        {"image": "b", "box": "[1, 2, 3, 4]", "landmarks": "0;1;2;3;4;5;6;7;8;9"},
        {"image": "c", "box": "(1 2 3 4)", "landmarks": None},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    manifest = read(tmp_path / "a.jsonl")
    assert manifest.column("box") == [[1, 2, 3, 4]] * 3
    assert manifest.column("landmarks") == [points, points, None]
    sized = read(tmp_path / "a.jsonl", box="xywh")
    assert sized.column("box") == [[1, 2, 4, 6]] * 3


def test_named_columns_come_before_guessed_ones(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "image,Datei,label,Ausdruck,a,b,c,d\nx,1.png,no,calm,1,1,9,9\ny,2.png,no,smile,,,,\n"
    )
    columns = {"image": "Datei", "label": "Ausdruck", "box": ["a", "b", "c", "d"]}
    manifest = read(tmp_path / "a.csv", columns=columns)
    assert manifest.column("image") == ["1.png", "2.png"]
    assert manifest.taxonomy == Taxonomy("custom", ("calm", "smile"))
    assert manifest.column("box") == [[1, 1, 9, 9], None]
    assert manifest.notes[0] == "Columns of a.csv that were not used: image, label."
    assert "if they are x, y, width, height: --box xywh" in manifest.notes[1]
    without = read(tmp_path / "a.csv", columns={"image": "Datei", "label": ""})
    assert without.taxonomy is None


def test_labels_that_are_numbers_need_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label\na,0\nb,1\nc,2\n")
    with pytest.raises(
        ValueError, match=r"labels 0, 1, 2 are numbers.*--label-names 0=neutral … .*affectnet7"
    ):
        read(tmp_path / "a.csv", taxonomy=RAFDB)
    manifest = read(tmp_path / "a.csv", labels={"0": "Fear", "1": "neutral", "2": None}, taxonomy=RAFDB)
    assert manifest.column("label") == ["fear", "neutral"]
    assert "1 rows were dropped because of their label, as asked." in manifest.notes


def test_votes_in_columns_are_brought_into_the_order_of_the_taxonomy(tmp_path: Path) -> None:
    names = [*reversed(FERPLUS.labels), "unknown"]
    options: dict[str, Any] = {"columns": {"votes": names}, "labels": {"unknown": None}, "taxonomy": FERPLUS}
    (tmp_path / "a.csv").write_text(
        f"image,{','.join(names)}\na,{'0,' * 7}6,4\nb,3,{'0,' * 6}1,9\nc,{'0,' * 8}9\nd,-1,{'0,' * 6}2,0\n"
    )
    manifest = read(tmp_path / "a.csv", **options)
    assert manifest.taxonomy == FERPLUS
    assert manifest.column("image") == ["a", "b"]
    assert manifest.column("votes") == [[1, 0, 0, 0, 0, 0, 0, 0], [0.25, 0, 0, 0, 0, 0, 0, 0.75]]
    assert "2 rows were left out because they lack votes for 8 classes." in manifest.notes
    assert manifest.column("label") == [FERPLUS.labels[0], FERPLUS.labels[-1]]


def test_a_list_of_votes_whose_order_is_not_said_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"image": "a", "label": "fear", "votes": [1, 3]}\n{"image": "b", "label": "anger", "votes": [2, 0]}'
    )
    with pytest.raises(ValueError, match="which class each of them is for"):
        read(tmp_path / "t.jsonl")


def test_whole_numbers_may_be_written_with_a_point(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,frame\na,12.0\nb,\nc,7\nd,1.5\n")
    manifest = read(tmp_path / "t.csv")
    assert manifest.column("frame") == [12, None, 7]
    assert any("'1.5' is no whole number" in note for note in manifest.notes)


def test_a_list_of_votes_is_in_the_taxonomy_s_order(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"image": "a", "votes": [1, 0, 0, 0, 0, 0, 3]}\n{"image": "b", "votes": [1]}'
    )
    manifest = read(tmp_path / "a.jsonl", taxonomy=RAFDB)
    assert manifest.column("votes") == [[0.25, 0, 0, 0, 0, 0, 0.75]]


def test_rows_that_cannot_be_understood_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "image,frame,split,x0,y0,x1,y1\na,1,test,0,0,1,1\n,1,test,0,0,1,1\nb,x,test,0,0,1,1\nc,1,later,0,0,1,1\n"
        "d,1,test,5,5,1,1\ne,1,test,0,0,nan,1\nf,1\n\ng,2,,,,,\n"
    )
    manifest = read(tmp_path / "a.csv")
    assert manifest.column("image") == ["a", "g"]
    assert [note for note in manifest.notes if isinstance(note, Fault)] == [
        "1 rows of a.csv don't have 7 cells and were left out.",
        "5 rows of a.csv can't be understood and were left out, first data row 2 (the image is empty).",
    ]


def test_pictures_may_lie_elsewhere_or_in_the_only_archive(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image\nin\\a.png\n")
    assert read(tmp_path / "a.csv", images=tmp_path / "there").root == tmp_path / "there"
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("in/a.png", b"")
    manifest = read(tmp_path / "a.csv")
    assert (manifest.root, manifest.column("image")) == (tmp_path / "faces.zip", ["in/a.png"])


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("a,b\n1,2\n", {}, r"no column for the image; it has \['a', 'b'\]"),
        (
            "image,b\n1,2\n",
            {"columns": {"label": "expr"}},
            r"lacks the columns expr for 'label'; it has image, b",
        ),
        (
            "image,b\n1,2\n",
            {"columns": {"age": "b"}},
            r"has no age; .* named for image, .*start, end",
        ),
        ("image,b\n1,2\n", {"columns": {"box": ["b", "image"]}}, "takes 4 columns"),
        (
            "image,label\n1,joy\n",
            {"taxonomy": RAFDB},
            r"classes \['joy'\] are not in the taxonomy \['surprise'",
        ),
        ("image,label\n1,joy\n2,joy\n", {}, "the single label"),
        ("image,image\n1,2\n", {}, "names a column twice"),
        ("image\n", {}, "no usable row"),
        ("", {}, "is empty"),
    ],
)
def test_errors_say_what_was_found(tmp_path: Path, text: str, options: dict[str, Any], reason: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read(tmp_path / "a.csv", **options)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"image\n\x81\xfe\xfa\n")
    (tmp_path / "a.jsonl").write_text("[1]\nno\n")
    (tmp_path / "a.parquet").write_text("no")
    (tmp_path / "a.xls").write_text("no")
    for name, reason in (
        ("a.csv", "neither UTF-8 nor Windows-1252"),
        ("a.jsonl", "no line with a JSON object; 2 lines"),
        ("a.parquet", "not a readable Parquet"),
        ("a.xls", "is no table"),
        ("none.csv", "does not exist"),
    ):
        with pytest.raises(ValueError, match=reason):
            read(tmp_path / name)


printable = st.text(st.sampled_from('a1.,;\t"\n\r[]{}: -\0é脸'), max_size=60).map(str.encode)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([".csv", ".jsonl"]),
    st.sampled_from([b"", b"image,label,box\n", b"image;frame;split\n", b'{"image": "a", "box": ']),
    st.binary(max_size=60) | printable,
)
def test_arbitrary_bytes_give_a_manifest_or_a_value_error(suffix: str, start: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(start + rest)
        with suppress(ValueError):
            read(path).save(Path(folder) / "m.parquet")


def test_a_box_that_may_be_corners_or_sizes_is_asked_about(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "t.csv").write_text("image,label,bbox\na.png,fear,5 5 100 100\nb.png,anger,90 90 20 20\n")
    with pytest.raises(
        ValueError, match=r"1 of 2 boxes in bbox would be empty.*--box xywh if.*--box xyxy if"
    ):
        read(tmp_path / "t.csv")
    assert read(tmp_path / "t.csv", box="xywh").column("box") == [[5, 5, 105, 105], [90, 90, 110, 110]]
    with (tmp_path / "t.csv").open("a") as file:
        file.write("c.png,anger,1 1 9 9\n")
    corners = read(tmp_path / "t.csv", box="xyxy")
    assert corners.column("box") == [[5, 5, 100, 100], [1, 1, 9, 9]]
    assert any(isinstance(note, Fault) for note in corners.notes)
    with pytest.raises(ValueError, match="no column for a box; leave --box away"):
        read(tmp_path / "t.csv", box="xywh", columns={"box": ""})


def test_boxes_that_all_end_in_one_point_may_be_sizes(tmp_path: Path) -> None:
    rows = [f"{i}.png,fear,{20 + 3 * i} {30 + 2 * i} 128 128" for i in range(8)]
    (tmp_path / "t.csv").write_text("\n".join(["image,label,box", *rows, "9.png,anger,1 1 90 90"]))
    with pytest.raises(
        ValueError, match=r"8 of 9 boxes in box end in \[128\.0, 128\.0\] though they begin in 9"
    ):
        read(tmp_path / "t.csv")
    assert read(tmp_path / "t.csv", box="xyxy").column("box")[0] == [20, 30, 128, 128]


def test_one_bad_box_of_many_is_a_fault_and_no_question(tmp_path: Path) -> None:
    rows = [f"{i}.png,{'fear' if i % 2 else 'anger'},{i} {i} {i + 50} {i + 60}" for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["image,label,bbox", *rows, "x.png,fear,9 9 3 3"]))
    manifest = read(tmp_path / "t.csv")
    assert len(manifest) == 30
    assert any("--box xywh" in note for note in manifest.notes)
    assert any(isinstance(note, Fault) and "1 rows" in note for note in manifest.notes)


@pytest.mark.parametrize("in_archive", [False, True])
def test_tables_side_by_side_are_splits(tmp_path: Path, in_archive: bool) -> None:
    files = {
        "lists/train_labels.csv": "name,emotion\n1.png,happy\n2.png,sad\n",
        "lists/test_labels.csv": "name,emotion\n3.png,happy\n",
        **dict.fromkeys(("images/1.png", "images/2.png", "images/3.png"), ""),
    }
    place = tmp_path
    if in_archive:
        place = tmp_path / "a.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    for name, text in {} if in_archive else files.items():
        touch(tmp_path, name)
        (tmp_path / name).write_text(text)
    manifest = read_any(place)
    assert manifest.column("image") == ["images/1.png", "images/2.png", "images/3.png"]
    assert manifest.column("label") == ["happy", "sad", "happy"]
    assert manifest.column("split") == ["train", "train", "test"]


def test_tables_that_are_no_splits_are_asked_about(tmp_path: Path) -> None:
    for name in ("first.csv", "second.csv"):
        (tmp_path / name).write_text("image,label\na.png,fear\nb.png,anger\n")
    with pytest.raises(
        ValueError, match=r"several tables of faces: first\.csv, second\.csv\. Give one of them"
    ):
        read_any(tmp_path)


def test_a_table_without_known_labels_is_asked_about(tmp_path: Path) -> None:
    rows = [f"{i}.png,{'good' if i % 2 else 'bad'},{i}" for i in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["image,mood,day", *rows]))
    with pytest.raises(
        UnreadLabelsError, match=r"columns mood \(bad, good\)\. Name it: --columns label=mood"
    ) as caught:
        read(tmp_path / "t.csv")
    assert len(caught.value.faces) == 6
    assert read(tmp_path / "t.csv", columns={"label": "mood"}).counts() == {"bad": 3, "good": 3}
    assert read(tmp_path / "t.csv", columns={"label": ""}).taxonomy is None


@pytest.mark.parametrize("name", ["metadata.csv", "_annotations.csv"])
def test_tables_in_the_folders_of_splits(tmp_path: Path, name: str) -> None:
    for split, label in (("train", "happy"), ("valid", "sad"), ("test", "happy")):
        touch(tmp_path / split, "1.png", "2.png")
        (tmp_path / split / name).write_text(f"file_name,emotion\n1.png,{label}\n2.png,sad\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image") == [f"{s}/{i}.png" for s in ("train", "valid", "test") for i in (1, 2)]
    assert manifest.column("split") == ["train", "train", "valid", "valid", "test", "test"]
    assert manifest.column("label")[2:4] == ["sad", "sad"]


def test_a_table_of_test_pictures_without_labels_is_read_too(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "train.csv").write_text("image,label\n1.png,fear\n2.png,anger\n")
    (tmp_path / "test.csv").write_text("image\n3.png\n")
    manifest = read_any(tmp_path)
    assert manifest.column("label") == ["fear", "anger", None]
    assert manifest.column("split") == ["train", "train", "test"]


def test_splits_of_the_pictures_folders_are_kept(tmp_path: Path) -> None:
    touch(tmp_path, "Train/1.png", "Train/2.png", "Test/3.png")
    (tmp_path / "labels.csv").write_text("image,label\n1.png,fear\n2.png,anger\n3.png,fear\n")
    manifest = read_any(tmp_path)
    assert manifest.column("split") == ["train", "train", "test"]
    touch(tmp_path, "4.png")
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("4.png,fear\n")
    assert read_any(tmp_path).column("split") == [None] * 4


def test_tables_that_were_not_read_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png", "old_scores.xlsx", "more.zip")
    (tmp_path / "labels.csv").write_text("image,label\n1.png,fear\n2.png,anger\n")
    (note,) = [note for note in read_any(tmp_path).notes if isinstance(note, LeftOut)]
    assert note.startswith("more.zip, old_scores.xlsx lie beside and were not read")


def test_lists_of_splits_that_were_not_read_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "images/2.png")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "labels.csv").write_text("id,emotion\n1,fear\n2,anger\n")
    for name in ("train", "test", "readme"):
        (tmp_path / "lists" / f"{name}.txt").write_text("1\n")
    (note,) = [note for note in read_any(tmp_path).notes if isinstance(note, LeftOut)]
    assert note.startswith("lists/test.txt, lists/train.txt lie beside and were not read")


def test_names_without_a_suffix_are_found(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/001.png", "pictures/002.jpg")
    (tmp_path / "labels.csv").write_text("id,emotion\n001,happy\n002,sad\n")
    assert read_any(tmp_path).column("image") == ["pictures/001.png", "pictures/002.jpg"]


def test_boxes_in_shares_of_the_picture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('image,label,bbox\na.png,fear,"0.1,0.2,0.7,0.9"\nb.png,anger,"0,0,1,1"\n')
    for box in (None, "xyxy", "xywh"):
        with pytest.raises(ValueError, match=r"boxes in bbox are shares of the picture.*--columns box="):
            read(tmp_path / "t.csv", box=box)
    assert read(tmp_path / "t.csv", columns={"box": ""}).column("box") == [None, None]


def test_a_box_by_its_center_and_size(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label,cx,cy,w,h\na.png,fear,20,30,10,20\nb.png,anger,8,9,4,4\n")
    expected = [[15.0, 20.0, 25.0, 40.0], [6.0, 7.0, 10.0, 11.0]]
    assert read(path).column("box") == expected
    path.write_text(path.read_text().replace("cx,cy,w,h", "a,b,c,d"))
    four = {"box": ["a", "b", "c", "d"]}
    assert read(path, columns=four, box="cxcywh").column("box") == expected
    path.write_text("image,label,cx,cy,w,h\na.png,fear,0.5,0.5,0.2,0.4\nb.png,anger,0.4,0.5,0.3,0.3\n")
    with pytest.raises(ValueError, match="shares of the picture"):
        read(path)


def test_several_labels_of_a_picture_without_a_box_are_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label\na.png,fear\na.png,anger\na.png,fear\nb.png,fear\nb.png,fear\n")
    (fault,) = [note for note in read(path).notes if isinstance(note, Fault)]
    assert fault.startswith("3 rows give 1 pictures different labels, and no box says which face is meant")
    assert "first a.png: fear, anger, fear." in fault
    assert "halfsmile data import PICTURES TABLE --layout folder" in fault
    path.write_text("image,label,x,y,w,h\na.png,fear,1,1,5,5\na.png,anger,9,9,4,4\nb.png,fear,1,1,5,5\n")
    assert not [note for note in read(path).notes if isinstance(note, Fault)]


@pytest.mark.parametrize(("mark", "is_list"), [(", ", True), ("|", True), (" & ", True), (" ", False)])
def test_a_list_of_expressions_as_a_label_is_a_fault(tmp_path: Path, mark: str, is_list: bool) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f'image,label\na.png,fear\nb.png,"happy{mark}surprised"\nc.png,"made, up"\n')
    faults = [note for note in read(path).notes if isinstance(note, Fault)]
    assert len(faults) == is_list
    assert all(note.startswith("1 rows have several expressions in one cell") for note in faults)


@pytest.mark.parametrize(
    ("values", "is_fault"), [("012", True), (["train", "test", "x"], False), ([""] * 3, False)]
)
def test_a_column_of_splits_that_names_none_is_a_fault(
    tmp_path: Path, values: list[str], is_fault: bool
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "image,label,Partition\n"
        + "".join(f"{i}.png,{'fear' if i else 'anger'},{v}\n" for i, v in enumerate(values))
    )
    faults = [note for note in read(path).notes if isinstance(note, Fault) and "names no splits" in note]
    assert len(faults) == is_fault
    if is_fault:
        assert "(0, 1, 2)" in faults[0]
        assert "--splits 0=train 1=test" in faults[0]
        assert "--columns split=" in faults[0]
        named = read(path, splits={"0": "train", "1": None, "2": "test"})
        assert named.column("split") == ["train", None, "test"]
        left = read(path, columns={"split": ""})
        assert not [note for note in left.notes if isinstance(note, Fault)]


def test_splits_that_are_named_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label,set,part\na.png,fear,A,1\nb.png,anger,B,2.0\nc.png,anger,test,3\n")
    manifest = read(path, splits={"A": "train", "B": "valid"})
    assert manifest.column("split") == ["train", "valid", "test"]
    numbered = read(path, columns={"split": "part"}, splits={"1": "train", "2.0": "valid", "3": "test"})
    assert numbered.column("split") == ["train", "valid", "test"]
    with pytest.raises(ValueError, match="the column set has no 1; it has A, B, test"):
        read(path, splits={"1": "train"})
    with pytest.raises(ValueError, match="--columns split=COLUMN"):
        read(path, columns={"split": ""}, splits={"A": "train"})
    some = read(path, splits={"A": "train"})
    assert any("--splits B=train" in note for note in some.notes if isinstance(note, Fault))


def test_numbers_of_affectnet_are_known_with_those_without_an_expression(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label\n" + "".join(f"{i}.png,{i}\n" for i in range(11)))
    with pytest.raises(UnreadLabelsError, match=r"--label-names affectnet7 .*9=none"):
        read(path)
    manifest = read(path, labels=NUMBERINGS["affectnet8"])
    assert manifest.taxonomy == AFFECTNET8
    assert len(manifest) == 8
    assert any("3 rows were dropped because of their label" in note for note in manifest.notes)


def test_a_single_label_makes_no_classes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,label\na.png,happy\nb.png,happy\n")
    with pytest.raises(ValueError, match=r"the single label 'happy'.*--columns label="):
        read(tmp_path / "t.csv")


def test_numbers_name_pictures_with_zeros_in_front(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/0000.png", "pictures/0001.jpg", "pictures/0010.png")
    (tmp_path / "labels.csv").write_text("id,emotion\n0,happy\n1,sad\n10,happy\n7,sad\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image") == ["pictures/0000.png", "pictures/0001.jpg", "pictures/0010.png", "7"]
    touch(tmp_path, "pictures/01.png")
    assert read_any(tmp_path).column("image")[1] == "1"


def test_a_table_none_of_whose_pictures_is_there_says_which_are(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/b.png")
    (tmp_path / "labels.csv").write_text("image,label\na1.png,happy\na2.png,sad\n")
    (note,) = [note for note in read_any(tmp_path).notes if isinstance(note, LeftOut)]
    assert "2 of 2 pictures" in note
    assert "There are 1 others, first pictures/b.png" in note
    assert "--columns image=COLUMN" in note


def test_pictures_beside_a_table_in_no_row_of_it_are_told(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.png" for i in range(5)))
    (tmp_path / "labels.csv").write_text("image,label\n0.png,happy\n1.png,sad\n2.png,odd\n")
    notes = read_any(tmp_path).notes
    assert "2 pictures are in no row that was read of labels.csv, first 3.png." in notes
    dropped = read_any(tmp_path, labels={"odd": None}).notes
    assert "2 pictures are in no row that was read of labels.csv, first 3.png." in dropped
    assert not any("in no row" in note for note in read_any(tmp_path / "labels.csv").notes)


def test_valence_and_arousal_alone_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,valence,arousal\na.png,0.1,0.2\nb.png,0.3,0.1\n")
    notes = [note for note in read(tmp_path / "t.csv").notes if isinstance(note, LeftOut)]
    assert any("arousal, valence and no classes" in note for note in notes)


def test_what_stands_for_no_label_is_none_and_what_may_is_asked_about(tmp_path: Path) -> None:
    labels = ["fear", "anger", "NaN", "?", "n/a", "unknown", "none"]
    rows = [f"{i}.png,{label}" for i, label in enumerate(labels)]
    (tmp_path / "t.csv").write_text("\n".join(["image,label", *rows]))
    touch(tmp_path, *(f"{i}.png" for i in range(len(labels))))
    manifest = read_any(tmp_path / "t.csv")
    assert manifest.column("label") == ["fear", "anger", None, None, None, "unknown", "none"]
    assert any("3 rows have no label" in note and "? 1" in note for note in manifest.notes)
    (fault,) = (note for note in manifest.notes if isinstance(note, Fault))
    assert "--label-names none=none unknown=none" in fault
    cleaned = read_any(tmp_path / "t.csv", labels={"none": None, "unknown": None})
    assert cleaned.counts() == {"anger": 1, "fear": 1}
    named = read_any(tmp_path / "t.csv", labels={"?": "neutral", "none": None, "unknown": None})
    assert named.counts() == {"anger": 1, "fear": 1, "neutral": 1}


def test_tables_that_are_called_after_classes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"images/{i}.png" for i in range(6)))
    for name, numbers in (("happy", (0, 3)), ("train_sad", (1, 4)), ("test_sad", (2, 5))):
        lines = "".join(f"{number}.png\n" for number in numbers)
        (tmp_path / f"{name}.csv").write_text(f"filename\n{lines}")
    manifest = read_any(tmp_path)
    found = dict(
        zip(
            manifest.column("image"),
            zip(manifest.column("label"), manifest.column("split"), strict=True),
            strict=True,
        )
    )
    assert found == {
        **{f"images/{i}.png": ("happy", None) for i in (0, 3)},
        **{f"images/{i}.png": ("sad", "train") for i in (1, 4)},
        **{f"images/{i}.png": ("sad", "test") for i in (2, 5)},
    }


@pytest.mark.parametrize("table", ["labels.csv", "{}.csv", "{}_ratings.csv"])
@pytest.mark.parametrize("inner", ["", "images/"])
def test_a_table_in_the_folder_of_each_person(tmp_path: Path, table: str, inner: str) -> None:
    """Pictures have the same names in all folders, and there are more tables than are looked into."""
    people = [f"S{number:02d}" for number in range(15)]
    for person in people:
        touch(tmp_path, *(f"{person}/{inner}{i}.png" for i in range(2)))
        text = "file,emotion\n0.png,happy\n1.png,sad\n"
        (tmp_path / person / table.format(person)).write_text(text)
    manifest = read_any(tmp_path, names="{person}/" + ("images/*" if inner else "*"))
    assert len(manifest) == 30
    assert set(manifest.column("image")) == {f"{person}/{inner}{i}.png" for person in people for i in (0, 1)}
    assert manifest.counts() == {"happy": 15, "sad": 15}
    assert sorted(set(manifest.column("person"))) == people
    assert any("15 tables, one in each of the folders S00, S01" in note for note in manifest.notes)


def test_pictures_below_the_folder_of_their_table_go_first(tmp_path: Path) -> None:
    for split in ("train", "test"):
        touch(tmp_path, *(f"{split}/images/{i}.png" for i in range(2)))
        (tmp_path / split / "labels.csv").write_text("image,label\n0.png,happy\n1.png,sad\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image") == [
        "train/images/0.png",
        "train/images/1.png",
        "test/images/0.png",
        "test/images/1.png",
    ]
    assert manifest.column("split") == ["train", "train", "test", "test"]
    assert not [note for note in manifest.notes if isinstance(note, LeftOut)]


def test_frames_of_videos_are_found_by_their_number(tmp_path: Path) -> None:
    touch(tmp_path, *(f"frames/v{video}/{number:04d}.jpg" for video in (1, 2) for number in range(3)))
    rows = "".join(
        f"v{video},{number},{('happy', 'sad')[number % 2]}\n" for video in (1, 2) for number in range(3)
    )
    (tmp_path / "labels.csv").write_text(f"video,frame,label\n{rows}")
    manifest = read_any(tmp_path)
    assert manifest.column("image")[:2] == ["frames/v1/0000.jpg", "frames/v1/0001.jpg"]
    assert manifest.column("video") == ["v1"] * 3 + ["v2"] * 3
    assert manifest.column("frame") == [0, 1, 2] * 2
    assert manifest.counts() == {"happy": 4, "sad": 2}
    (tmp_path / "labels.csv").write_text("video,frame,label\nv1,0,happy\nv1,2,happy\nv3,1,sad\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image") == ["frames/v1/0000.jpg", "frames/v1/0002.jpg", "v3/1"]
    assert any("1 frames were not found" in note for note in manifest.notes if isinstance(note, Fault))


def test_marks_between_label_and_picture_are_no_part_of_them(tmp_path: Path) -> None:
    touch(tmp_path, "im/a.png", "im/b.png")
    for text in ("happy: im/a.png\nsad: im/b.png\n", "im/a.png: happy\nim/b.png: sad\n"):
        (tmp_path / "list.txt").write_text(text)
        manifest = read_any(tmp_path)
        assert manifest.column("label") == ["happy", "sad"]
        assert manifest.column("image") == ["im/a.png", "im/b.png"]


def test_lists_as_of_expw_are_read_when_their_columns_are_named(tmp_path: Path) -> None:
    """Name, id of the face, top, left, right, bottom, confidence, label."""
    touch(tmp_path, *(f"image/origin/f{i}.jpg" for i in range(8)))
    lines = [f"f{i}.jpg 0 {5 + i} {9 + i} {80 + i} {86 + i} 45.5 {i % 2}" for i in range(8)]
    (tmp_path / "label").mkdir()
    (tmp_path / "label" / "label.lst").write_text("\n".join(lines))
    with pytest.raises(UnreadLabelsError, match="Name it: --columns 'label=column"):
        read_any(tmp_path)
    manifest = read_any(
        tmp_path,
        columns={"label": "column 8", "box": ("column 4", "column 3", "column 5", "column 6")},
        box="xyxy",
        labels={"0": "anger", "1": "disgust"},
    )
    assert manifest.column("label")[:2] == ["anger", "disgust"]
    assert manifest.column("box")[0] == [9, 5, 80, 86]


def test_names_that_fit_several_pictures_are_a_fault(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{folder}/{i}.png" for folder in ("raw", "aligned") for i in range(2)))
    text = "image,label\n0.png,happy\n1.png,sad\n"
    (tmp_path / "labels.csv").write_text(text)
    (fault,) = [note for note in read_any(tmp_path).notes if isinstance(note, Fault)]
    assert "2 of these names fit several pictures, 0.png fits aligned/0.png, raw/0.png" in fault
    (tmp_path / "raw" / "labels.csv").write_text(text)
    assert read_any(tmp_path / "raw" / "labels.csv").column("image") == ["0.png", "1.png"]


def test_lists_without_suffixes_and_a_line_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "im/00007.jpg", "im/00012.jpg")
    (tmp_path / "labels.tsv").write_text("00007\thappy\n00012\tsad\n")
    manifest = read_any(tmp_path)
    assert manifest.column("image") == ["im/00007.jpg", "im/00012.jpg"]
    assert manifest.column("label") == ["happy", "sad"]


def test_addresses_stand_for_the_pictures_of_their_name(tmp_path: Path) -> None:
    touch(tmp_path, "images/a 1.jpg", "images/b.jpg")
    rows = "https://x.org/y/a%201.jpg?size=2,happy\nhttps://x.org/y/b.jpg?size=2,sad\n"
    (tmp_path / "labels.csv").write_text(f"url,emotion\n{rows}")
    assert read_any(tmp_path).column("image") == ["images/a 1.jpg", "images/b.jpg"]


def test_four_columns_of_numbers_in_a_list_may_be_boxes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.jpg" for i in range(4)))
    lines = "".join(f"{i}.jpg {3 + i} {4 - i}.5 70 8{i} {('happy', 'sad')[i % 2]}\n" for i in range(4))
    (tmp_path / "list.txt").write_text(lines)
    (note,) = [note for note in read_any(tmp_path).notes if isinstance(note, LeftOut)]
    four = "column 2,column 3,column 4,column 5"
    assert f"--columns 'box={four}' --box xywh" in note
    named = read_any(tmp_path, columns={"box": four.split(",")}, box="xywh")
    assert named.column("box")[0] == [
        3,
        4.5,
        73,
        84.5,
    ]


def test_labels_of_the_test_pictures_in_a_table_beside_class_folders_have_a_way(tmp_path: Path) -> None:
    touch(tmp_path, "train/happy/1.png", "train/sad/2.png", "test/3.png", "test/4.png")
    (tmp_path / "test_labels.csv").write_text("image,label\n3.png,happy\n4.png,sad\n")
    (note,) = [note for note in read_any(tmp_path).notes if "lie beside" in note]
    assert f"`halfsmile data import {tmp_path} {tmp_path / 'test_labels.csv'} --out list.parquet`" in note
    whole = import_labels(read_any(tmp_path), tmp_path / "test_labels.csv")
    assert whole.column("label") == ["happy", "sad", "happy", "sad"]
    assert whole.column("split") == ["test", "test", "train", "train"]


def test_valence_in_json_is_told_of(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    rows = [{"image": f"{i}.png", "valence": i / 10} for i in (1, 2)]
    (tmp_path / "va.json").write_text(json.dumps(rows))
    assert any("va.json has valence and no classes" in note for note in read_any(tmp_path).notes)


def test_a_table_of_all_and_one_of_a_folder_are_not_one_data_set(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/2.png", "b/3.png")
    (tmp_path / "labels.csv").write_text("image,label\na/1.png,happy\na/2.png,sad\nb/3.png,sad\n")
    (tmp_path / "a" / "labels.csv").write_text("image,label\n1.png,happy\n2.png,sad\n")
    with pytest.raises(ValueError, match=r"several tables of faces: labels\.csv, a/labels\.csv"):
        read_any(tmp_path)


@pytest.mark.parametrize(("in_table", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_that_macos_takes_apart(tmp_path: Path, in_table: Form, on_disk: Form) -> None:
    for name in ("Jürgen.png", "wütend/é.png"):
        touch(tmp_path, normalize(on_disk, name))
    rows = f"{normalize(in_table, 'Jürgen')}.png,happy\n{normalize(in_table, 'wütend/é')}.png,sad\n"
    (tmp_path / "labels.csv").write_text(f"image,label\n{rows}")
    manifest = read_any(tmp_path / "labels.csv")
    assert sorted(manifest.column("image")) == sorted(
        normalize(on_disk, name) for name in ("Jürgen.png", "wütend/é.png")
    )


def test_several_columns_are_joined_to_the_path_of_a_picture(tmp_path: Path) -> None:
    """Names that lie in several folders are told with what to type, which works."""
    rows = [("S0", "1.png", "fear"), ("S1", "1.png", "anger"), ("S0", "2.png", "anger")]
    touch(tmp_path, *(f"{folder}/{name}" for folder, name, _ in rows))
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["folder,file,label", *map(",".join, rows)]))
    assert any("--columns image=FOLDER,FILE joins two columns" in note for note in read(path).notes)
    found = read(path, columns={"image": ["folder", "file"]})
    assert found.column("image") == ["S0/1.png", "S1/1.png", "S0/2.png"]
    assert found.column("label") == ["fear", "anger", "anger"]
    assert not [note for note in found.notes if isinstance(note, Fault)]
