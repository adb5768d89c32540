"""Numbers, splits and boxes out of any cell."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.data.tables.values import EmptyBoxError, is_number, parse_row

CHOSEN = {"image": ("i",), "box": ("b",), "split": ("s",)}


def parsed(box: Any, *, form: Any = "xyxy", comma: bool = True, split: str = "") -> dict[str, Any]:
    return parse_row({"i": "a.png", "b": box, "s": split}, CHOSEN, form, is_comma_decimal=comma)


@pytest.mark.parametrize(
    "cell",
    ["1,5 2 30 40", "(1,5; 2; 30; 40)", "[1.5, 2, 30, 40]", "1.5 2 30 40", [1.5, 2, 30, 40], "1.5;2;30;40"],
)
def test_four_numbers_in_a_cell(cell: Any) -> None:
    assert parsed(cell)["box"] == [1.5, 2, 30, 40]


def test_a_comma_separates_where_it_is_not_decimal() -> None:
    assert parsed("1,2,30,40", comma=False)["box"] == parsed("1,2,30,40")["box"] == [1, 2, 30, 40]
    columns = {"image": ("i",), "box": ("a", "b", "c", "d")}
    cells = {"i": "a.png", "a": "1,5", "b": "2", "c": "30,25", "d": "40"}
    assert parse_row(cells, columns, "xyxy", is_comma_decimal=True)["box"] == [1.5, 2, 30.25, 40]
    with pytest.raises(ValueError, match="box needs 4 numbers"):
        parse_row(cells, columns, "xyxy", is_comma_decimal=False)


def test_corners_and_sizes() -> None:
    assert parsed("10 20 30 40")["box"] == [10, 20, 30, 40]
    assert parsed("10 20 30 40", form="xywh")["box"] == [10, 20, 40, 60]
    assert parsed("90 90 20 20", form="xywh")["box"] == [90, 90, 110, 110]
    with pytest.raises(EmptyBoxError):
        parsed("90 90 20 20")
    with pytest.raises(EmptyBoxError):
        parsed("1 1 0 5", form="xywh")
    assert parsed("")["box"] is None


@pytest.mark.parametrize(
    ("text", "split"), [("Train", "train"), ("PublicTest", "valid"), ("Test set", "test")]
)
def test_splits_in_cells(text: str, split: str) -> None:
    assert parsed("", split=text)["split"] == split


def test_numbers_as_text() -> None:
    assert [text for text in ("1", "1.5", "-2", "1e3", "x", "", "1,5") if is_number(text)] == [
        "1",
        "1.5",
        "-2",
        "1e3",
    ]


@pytest.mark.parametrize(
    ("folder", "file", "image"),
    [("a", "1.png", "a/1.png"), ("a/", "1.png", "a/1.png"), ("a", "/1.png", "a/1.png"),
     ("a\\", "1.png", "a/1.png"),
     ("/x/a/", "b/1.png", "/x/a/b/1.png"),
     ("https://x/a/", "1.png", "https://x/a/1.png"), (3.0, "1.png", "3/1.png")],
)  # fmt: skip
def test_a_folder_and_a_file_are_a_path(folder: Any, file: str, image: str) -> None:
    assert parse_row({"d": folder, "f": file}, {"image": ("d", "f")}, "xyxy")["image"] == image


@pytest.mark.parametrize("cells", [("b", ""), ("", "1.png"), ("b", None), ("b", "/"), (None, None)])
def test_a_path_needs_all_its_parts(cells: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="the image is empty"):
        parse_row(dict(zip("df", cells, strict=True)), {"image": ("d", "f")}, "xyxy")


@pytest.mark.parametrize(
    ("cells", "votes"),
    [
        (("12,5", "75,5", "12"), [12.5, 75.5, 12]),
        (("0,125", "0,875", "0"), [0.125, 0.875, 0]),
        (("12,5 %", "75.5%", "12%"), [12.5, 75.5, 12]),
    ],
)
def test_a_vote_in_a_cell_of_its_own_may_have_a_decimal_comma(
    cells: tuple[str, ...], votes: list[float]
) -> None:
    columns = {"image": ("i",), "votes": ("a", "b", "c")}
    row = parse_row({"i": "a.png", **dict(zip("abc", cells, strict=True))}, columns, "xyxy")
    assert row["votes"] == votes


def test_a_vote_that_may_be_a_thousand_is_told() -> None:
    columns = {"image": ("i",), "votes": ("a", "b")}
    with pytest.raises(ValueError, match=r"votes needs 2 numbers, found .*1,234"):
        parse_row({"i": "a.png", "a": "1,234", "b": "2"}, columns, "xyxy")
