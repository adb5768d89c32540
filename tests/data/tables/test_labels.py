"""Labels of tables: numbers, votes, renames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halfsmile.data.manifest import UnreadLabelsError
from halfsmile.data.tables.labels import Classes, settle
from halfsmile.taxonomy import RAFDB, Taxonomy

PLACE = Path("t.csv")


def settled(rows: list[dict[str, Any]], **classes: Any) -> tuple[list[Any], Taxonomy | None, list[str]]:
    notes: list[str] = []
    given = Classes(**{"votes": {}, "taxonomy": None, "renames": {}, **classes})
    kept, taxonomy = settle(PLACE, Path(), rows, given, notes)
    return [row.get("label") for row in kept], taxonomy, notes


def test_numbers_with_and_without_a_point_are_the_same() -> None:
    rows = [
        {"image": "a.png", "label": "1.0"},
        {"image": "b.png", "label": "1"},
        {"image": "c.png", "label": "2"},
    ]
    labels, taxonomy, _ = settled(rows, renames={"1": "fear", "2": "anger"})
    assert labels == ["fear", "fear", "anger"]
    assert taxonomy == Taxonomy("custom", ("anger", "fear"))


def test_numbers_without_names_are_asked_about_and_the_faces_kept() -> None:
    rows = [{"image": "a.png", "label": "0", "split": "train"}, {"image": "b.png", "label": "3"}]
    with pytest.raises(
        UnreadLabelsError, match=r"labels 0, 3 are numbers.*--label-names 0=neutral …"
    ) as caught:
        settled(rows)
    assert caught.value.faces.column("split") == ["train", None]
    assert caught.value.faces.taxonomy is None


def test_numbers_of_rafdb_are_known_by_the_names_of_its_pictures() -> None:
    rows = [
        {"image": f"{s}_0000{n}_aligned.jpg", "label": str(n)} for s in ("train", "test") for n in range(1, 8)
    ]
    labels, taxonomy, notes = settled(rows)
    assert taxonomy == RAFDB
    assert labels == [*RAFDB.labels, *RAFDB.labels]
    assert [row["split"] for row in rows] == ["train"] * 7 + ["test"] * 7
    assert any("numbered as RAF-DB's" in note for note in notes)


def test_a_rename_of_no_label_is_told() -> None:
    rows = [{"image": "a.png", "label": "joy"}, {"image": "b.png", "label": "fear"}]
    with pytest.raises(ValueError, match="has no label happy; it has fear, joy"):
        settled(rows, renames={"happy": "happiness"})
    assert settled(rows, renames={"joy": "happiness", "9": None})[0] == ["happiness", "fear"]


def test_votes_tell_the_label_where_there_is_no_column_of_labels() -> None:
    votes = {"votes_anger": "anger", "votes_fear": "fear"}
    rows = [{"image": "a", "votes": [1.0, 3.0]}, {"image": "b", "votes": [2.0, 2.0]}]
    assert settled([dict(row) for row in rows], votes=votes, has_labels=False)[0] == ["fear", None]
    assert settled([dict(row) for row in rows], votes=votes)[0] == [None, None]
