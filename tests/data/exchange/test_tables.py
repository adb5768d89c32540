"""Tables of labels are read whatever else stands in them, and cells without a label are none."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.exchange.answers import Answer
from halfsmile.data.exchange.tables import read_table
from halfsmile.taxonomy import from_names

LABELS = from_names(["happy", "sad"])
BOTH = [Answer("1.jpg", ("happy",)), Answer("2.jpg", ("sad",))]


def is_label(text: str) -> bool:
    return text.casefold() in LABELS.labels


@pytest.mark.parametrize(
    "others",
    [
        datetime.datetime(2026, 1, 2, 3, 4, 5, 678, datetime.UTC),
        datetime.date(2026, 1, 2),
        datetime.timedelta(seconds=1.5),
        decimal.Decimal("0.25"),
        [datetime.date(2026, 1, 2)],
        0.5,
    ],
)
def test_columns_of_any_kind_stand_beside_names_and_labels(tmp_path: Path, others: object) -> None:
    path = tmp_path / "labels.parquet"
    pq.write_table(
        pa.table({"file": ["1.jpg", "2.jpg"], "about": [others] * 2, "label": ["happy", "sad"]}), path
    )
    assert read_table(path, LABELS, is_label) == BOTH


@pytest.mark.parametrize("about", ["0.5", "2026-01-02 03:04:05.678", "2026-01-02T03:04:05.678Z", "1.5e-3"])
def test_numbers_and_times_are_no_names_of_pictures(tmp_path: Path, about: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"file,about,label\n1.jpg,{about},happy\n2.jpg,{about},sad\n")
    assert read_table(path, LABELS, is_label) == BOTH


def test_rows_without_the_keys_of_votes_have_none(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows: list[dict[str, object]] = [
        {"image": "1.jpg", "label": "happy", "votes_happy": 3, "votes_sad": 1},
        {"image": "2.jpg", "label": "sad"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [answer.votes for answer in read_table(path, LABELS, is_label)] == [(0.75, 0.25), None]
    path.write_text("\n".join(map(json.dumps, [rows[0], {**rows[1], "votes_sad": 1}])))
    with pytest.raises(ValueError, match=r"votes are numbers, found \['', '1'\]"):
        read_table(path, LABELS, is_label)


def test_blanks_around_a_label_are_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image, label\n1.jpg, happy\n2.jpg, sad \n3.jpg, \n")
    assert read_table(path, None, is_label) == [*BOTH, Answer("3.jpg")]


def test_people_who_left_faces_out_are_offered_with_the_others(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,a,b,c,note\n1.jpg,happy,happy,-,dark\n2.jpg,sad,sad,sad,\n")
    with pytest.raises(ValueError, match=r"c \(sad\)\. Name it: .*: --field a,b,c\.$"):
        read_table(path, LABELS, is_label)
    assert read_table(path, LABELS, is_label, "a,b,c")[0] == Answer("1.jpg", ("happy", "happy"))
    path.write_text("image,note,a\n1.jpg,?,happy\n2.jpg,n/a,-\n")
    assert read_table(path, LABELS, is_label) == [Answer("1.jpg", ("happy",)), Answer("2.jpg")]
