"""Rows that say the same once more count once, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.data.manifest import LeftOut
from halfsmile.data.tables.repeats import without_repeats


def kept(*rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    notes: list[str] = []
    return without_repeats([dict(row) for row in rows], "t.csv", notes), notes


def test_a_row_that_is_repeated_counts_once_and_is_told() -> None:
    a, b = {"image": "a.png", "label": "fear"}, {"image": "b.png", "label": "anger"}
    found, (note,) = kept(a, b, a, a)
    assert found == [a, b]
    assert isinstance(note, LeftOut)
    assert note.startswith(
        "2 rows of t.csv say only what another one says and count once, first that of a.png"
    )
    assert kept(a, b) == ([a, b], [])


@pytest.mark.parametrize(
    ("part", "values"),
    [("label", ["fear", "anger", "fear"]), ("split", ["train", "test"]), ("person", ["1", None])],
)
def test_rows_that_contradict_each_other_are_all_kept(part: str, values: list[Any]) -> None:
    rows = [{"image": "a.png", "label": "fear", part: value} for value in values]
    assert kept(*rows) == (rows, [])


def test_faces_of_a_picture_are_told_by_their_boxes() -> None:
    left, right = ({"image": "a.png", "label": "fear", "box": [x, 0, x + 9, 9]} for x in (0, 20))
    other = {**right, "label": "anger"}
    found, (note,) = kept(left, right, left, other)
    assert found == [left, right, other]
    assert note.startswith("1 rows")
