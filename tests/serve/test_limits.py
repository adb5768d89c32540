"""Limits that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.serve.limits import ServerLimits, limits_of


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"body_bytes": 0}, "body_bytes"),
        ({"keep_seconds": -1.0}, "keep_seconds"),
        ({"request_seconds": float("nan")}, "request_seconds"),
        ({"pixels": 10**9}, "queue_pixels"),
        ({"queue": 5}, "queue is 5"),
    ],
)
def test_impossible_limits(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ServerLimits(**given)


def test_limits_are_named_on_the_command_line() -> None:
    found = limits_of(
        ["video_seconds=90min", "files=7", "body_bytes=64MiB", "keep_seconds=2 h", "frames=1_000"]
    )
    assert (found.video_seconds, found.files, found.body_bytes) == (5400.0, 7, 64 * 2**20)
    assert (found.keep_seconds, found.frames) == (7200.0, 1000)
    assert isinstance(found.body_bytes, int)
    assert limits_of([]) == ServerLimits()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("minutes=3", "no limit; there are body_bytes"),
        ("files", "NUMBER"),
        ("files=many", "NUMBER"),
        ("files=0", "files"),
    ],
)
def test_limits_that_are_none_are_refused(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        limits_of([given])


def test_a_lesson_of_45_minutes_is_taken() -> None:
    assert ServerLimits().video_seconds >= 45 * 60
    assert ServerLimits().frames >= 45 * 60 * 30


def test_clients_learn_what_they_may_send() -> None:
    assert ServerLimits(files=7).public()["files"] == 7
