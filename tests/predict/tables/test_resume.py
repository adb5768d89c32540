"""What an earlier run left: what is done, what is processed again, and which bytes stay."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from halfsmile.predict.face import NoFace
from halfsmile.predict.tables import resume as module
from halfsmile.predict.tables.columns import column_names, flat_row
from halfsmile.predict.tables.resume import Begun, find_begun, keep
from halfsmile.predict.tables.row_formats import CsvRows

ROWS = CsvRows(column_names(["calm", "joy"]), lambda result, _: flat_row(result))
REASONS = [("a", "cut short"), ("b", "no face"), ("c", "no face in 5 frames"), ("d", "gone"), ("e", "gone")]


def line(source: str, reason: str) -> bytes:
    return ROWS.row(NoFace(source=source, reason=reason), 0)


def table(*sources: str) -> bytes:
    return ROWS.head() + b"".join(line(source, reason) for source, reason in REASONS if source in sources)


def found(again: str, *, is_finished: bool) -> Begun:
    return find_begun(io.BytesIO(table(*"abcde")), ROWS, again, is_finished=is_finished)


def test_only_what_could_not_be_read_and_the_last_of_an_unfinished_table_is_done_again() -> None:
    assert found("abcde", is_finished=True).done == {"b", "c"}
    assert found("abcde", is_finished=False).done == {"b", "c"}
    assert found("", is_finished=True).done == set("abcde")
    assert found("", is_finished=False).done == set("abcd")
    empty = find_begun(io.BytesIO(ROWS.head()), ROWS, "", is_finished=False)
    assert empty == Begun(frozenset(), (), len(ROWS.head()))


def test_all_other_bytes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    monkeypatch.setattr(module, "_BYTES", 7)
    for again, is_finished, left in (
        ("abcde", True, "bc"),
        ("abcde", False, "bc"),
        ("d", True, "abce"),
        ("d", False, "abc"),
        ("", True, "abcde"),
        ("", False, "abcd"),
    ):
        path.write_bytes(table(*"abcde"))
        keep(path, found(again, is_finished=is_finished))
        assert path.read_bytes() == table(*left)
    assert list(tmp_path.iterdir()) == [path]
