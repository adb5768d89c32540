"""One row for each person, video and picture."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from halfsmile.predict.tables.people import PeopleTable, require_people_table

LABELS = ("calm", "joy")


def row(
    source: str,
    expression: str | None,
    *,
    time: float | None = None,
    track: int | None = None,
    p: float = 0.75,
    uncertain: bool | None = False,
    reason: str | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {"source": source, "time": time, "track": track, "reason": reason}
    found |= {"frame": None if time is None else round(25 * time)}
    if expression is not None:
        others = {label: (p if label == expression else 1 - p) for label in LABELS}
        found |= {"expression": expression, "confidence": p, "uncertain": uncertain}
        found |= {f"p_{label}": value for label, value in others.items()}
    return found


def table(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    people = PeopleTable(LABELS)
    for one in rows:
        people.add(one)
    return people.rows()


def test_a_person_is_in_view_shows_shares_and_begins_expressions() -> None:
    shown = ["calm"] * 5 + ["joy"] * 3 + ["calm"] * 2
    rows = [row("v.mp4", name, time=i / 25, track=4) for i, name in enumerate(shown)]
    rows += [row("v.mp4", "joy", time=4 + i / 25, track=4, p=1.0, uncertain=True) for i in range(10)]
    person, video = table(*rows)
    assert (person["kind"], person["source"], person["track"]) == ("person", "v.mp4", 4)
    assert (person["faces"], person["frames"]) == (20, 20)
    assert (person["first"], person["last"]) == (0.0, 4 + 9 / 25)
    assert person["seconds"] == pytest.approx(20 / 25)
    assert person["expression"] == "joy"
    assert (person["share_calm"], person["share_joy"]) == (7 / 20, 13 / 20)
    assert person["p_joy"] == pytest.approx((7 * 0.25 + 3 * 0.75 + 10) / 20)
    assert person["confidence"] == pytest.approx((10 * 0.75 + 10) / 20)
    assert person["uncertain"] == 0.5
    assert (person["onsets_calm"], person["onsets_joy"]) == (2, 2), "after an absence it begins anew"
    assert (person["first_calm"], person["first_joy"]) == (0.0, 5 / 25)
    assert (video["kind"], video["track"], video["faces"]) == ("video", None, 20)


def test_a_video_has_its_people_and_all_of_them() -> None:
    rows = [row("v.mp4", "calm", time=i / 10, track=track) for i in range(10) for track in (2, 1)]
    rows += [row("v.mp4", "joy", time=2 + i / 10, track=1) for i in range(5)]
    first, second, video = table(*rows)
    assert [first["track"], second["track"], video["track"]] == [1, 2, None]
    assert (first["seconds"], second["seconds"]) == (pytest.approx(1.5), pytest.approx(1.0))
    assert (video["faces"], video["frames"], video["onsets_joy"]) == (25, 15, 1)
    assert (video["first_joy"], video["first"], video["last"]) == (2.0, 0.0, 2.4)


def test_sampled_frames_stand_for_the_time_between_them() -> None:
    (person, _) = table(*[row("v.mp4", "calm", time=5.0 * i, track=1) for i in range(4)])
    assert (person["seconds"], person["onsets_calm"]) == (20.0, 1)


def test_pictures_have_a_row_each_even_without_a_face() -> None:
    found = table(
        row("a.jpg", "joy"),
        row("a.jpg", "calm"),
        row("b.jpg", None, reason="no face"),
        row("c.jpg", None, reason="cut short"),
        row("d.mp4", None, reason="no face in 1,000 frames"),
    )
    assert [(one["kind"], one["source"], one["faces"], one.get("reason")) for one in found] == [
        ("picture", "a.jpg", 2, None),
        ("picture", "b.jpg", 0, "no face"),
        ("picture", "c.jpg", 0, "cut short"),
        ("video", "d.mp4", 0, "no face in 1,000 frames"),
    ]
    assert found[0]["share_joy"] == 0.5
    assert found[0]["seconds"] is None
    assert "onsets_joy" not in found[0]


def test_nobody_knows_what_is_certain_without_a_threshold() -> None:
    assert table(row("a.jpg", "joy", uncertain=None))[0]["uncertain"] is None


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_has_the_same_rows(tmp_path: Path, suffix: str) -> None:
    people = PeopleTable(LABELS)
    for i in range(3):
        people.add(row("v.mp4", "joy", time=i / 10, track=1))
    people.add(row("a.jpg", "calm"))
    path = require_people_table(tmp_path / f"sub/people{suffix}")
    people.write(path)
    found: list[dict[str, Any]]
    if suffix == ".csv":
        with path.open(newline="") as file:
            found = [{k: v or None for k, v in line.items()} for line in csv.DictReader(file)]
    elif suffix == ".jsonl":
        found = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        found = pq.read_table(path).to_pylist()
    assert [list(one) for one in found] == [people.names] * 3
    assert [one["kind"] for one in found] == ["person", "video", "picture"]
    assert [float(one["share_joy"]) for one in found] == [1, 1, 0]
    assert [str(one["faces"]) for one in found] == ["3", "3", "1"]
    assert found[2]["seconds"] is None


@pytest.mark.parametrize("name", ["people", "people.txt"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="--summary"):
        require_people_table(tmp_path / name)
