"""Nobody is asked twice, no two at once, and what is kept apart to measure is a plain random sample."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.label.asking import HELD_SECONDS, LEASE_SECONDS, Asking


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def drain(asking: Asking, annotator: str = "me", *, answers: bool = True) -> list[int]:
    rows = []
    while picked := asking.next(annotator, 1):
        rows.append(picked[0][0])
        if answers:
            asking.mark(rows[-1], is_answered=True)
    return rows


def test_every_face_is_asked_once() -> None:
    assert sorted(drain(Asking(50))) == list(range(50))


def test_two_people_never_hold_one_face() -> None:
    clock = Clock()
    asking = Asking(40, clock=clock)
    first = [row for row, _ in asking.next("a", 25)]
    second = [row for row, _ in asking.next("b", 25)]
    assert len(first) == 25
    assert len(second) == 15
    assert not set(first) & set(second)
    clock.now = LEASE_SECONDS + 1
    assert {row for row, _ in asking.next("b", 40)} == set(range(40))


def test_who_asks_again_and_again_gets_the_last_faces_once_more() -> None:
    clock = Clock()
    asking = Asking(10, clock=clock)
    rows = [row for row, _ in asking.next("a", 8)]
    asking.mark(rows[0], is_answered=True)
    assert len(asking.next("a", 8)) == 2  # nothing is handed out twice while others are left
    clock.now = HELD_SECONDS
    assert asking.next("b", 8) == []
    again = [row for row, _ in asking.next("a", 20)]
    assert len(again) == 9
    assert set(again) == set(range(10)) - {rows[0]}
    assert asking.next("a", 20) == []
    assert [row for row in again if asking.is_random(row)] == [row for row in again if row in asking.reserve]


def test_the_share_is_kept_apart_from_the_beginning_on() -> None:
    asking = Asking(400, seed=5, share=0.15)
    asking.rank([(row, "ranked") for row in range(400)])
    rows = drain(asking)[:100]
    kept = [row for row in rows if asking.is_random(row)]
    assert len(kept) == 15
    assert kept == [row for row in asking.order.tolist() if row in set(kept)]
    assert set(kept) == set(asking.order[:15].tolist())
    assert next(row for row in rows if not asking.is_random(row)) not in asking.reserve


def test_a_rule_gets_nothing_of_the_reserve() -> None:
    asking = Asking(100, share=0.2)
    assert len(asking.open_rows()) == 80
    assert not set(asking.open_rows().tolist()) & asking.reserve


def test_the_ranking_is_followed() -> None:
    asking = Asking(100, share=0.0)
    asking.rank([(7, "best"), (3, "next"), (7, "again")])
    assert asking.next("me", 2) == [(7, "best"), (3, "next")]


def test_released_faces_come_back_as_they_were_ranked() -> None:
    asking = Asking(100, share=0.0)
    asking.rank([(5, "best"), (6, "next"), (7, "last")])
    assert asking.next("me", 2) == [(5, "best"), (6, "next")]
    assert all(asking.release(row, "me") for row in (5, 6))
    assert asking.next("ann", 3) == [(5, "best"), (6, "next"), (7, "last")]


def test_a_newer_ranking_says_where_released_faces_come() -> None:
    asking = Asking(100, share=0.0)
    asking.rank([(5, "best"), (6, "next")])
    assert [row for row, _ in asking.next("me", 2)] == [5, 6]
    asking.rank([(8, "new"), (6, "new")])
    assert all(asking.release(row, "me") for row in (5, 6))
    assert asking.next("ann", 2) == [(8, "new"), (6, "new")]
    assert asking.next("ann", 1)[0][1] == "picked by chance"


def test_what_measures_is_released_and_still_measures() -> None:
    asking = Asking(10, share=0.5)
    rows = [row for row, _ in asking.next("me", 10)]
    assert all(asking.release(row, "me") for row in rows)
    again = asking.next("ann", 10)
    assert {row for row, why in again if "measure" in why} == asking.reserve


def test_only_who_holds_a_face_releases_it() -> None:
    asking = Asking(10, share=0.0)
    (row, _), *_ = asking.next("me", 1)
    assert not asking.release(row, "ann")
    assert not asking.release((row + 1) % 10, "")  # held by nobody
    assert asking.release(row, "me")
    assert not asking.release(row, "me")


def test_near_copies_are_one_question() -> None:
    asking = Asking(6, share=0.0)
    asking.set_groups(np.array([0, 0, 0, 3, 3, 5]))
    assert len(drain(asking, answers=False)) == 3
    assert len(asking.open_rows()) == 3


def test_copies_of_a_face_that_measures_are_asked_by_no_rule() -> None:
    asking = Asking(10, share=0.1)
    twin = int(asking.order[0])
    groups = np.arange(10)
    groups[(twin + 1) % 10] = twin
    asking.set_groups(groups)
    assert (twin + 1) % 10 in asking.reserve
    assert len(asking.open_rows()) == 8


def test_skipped_faces_come_last_for_who_skipped_them() -> None:
    asking = Asking(10, share=0.0)
    row = asking.next("me", 1)[0][0]
    asking.mark_skipped(row, "me")
    rows = [picked for picked, _ in asking.next("me", 10)]
    assert rows[-1] == row
    assert len(rows) == 10


def test_an_undone_face_is_open_again() -> None:
    asking = Asking(5, share=0.0)
    rows = drain(asking)
    asking.mark(rows[2], is_answered=False)
    assert [row for row, _ in asking.next("me", 3)] == [rows[2]]


def test_pictures_that_cannot_be_read_are_not_asked() -> None:
    asking = Asking(5)
    asking.unreadable = {0, 4}
    assert sorted(drain(asking)) == [1, 2, 3]


def test_one_face_is_asked() -> None:
    assert drain(Asking(1)) == [0]
    assert drain(Asking(0)) == []


def test_the_share_is_half_at_most() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.5, found 0\.9"):
        Asking(5, share=0.9)
