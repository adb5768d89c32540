"""Limits that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.serve.limits import ServerLimits


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


def test_clients_learn_what_they_may_send() -> None:
    assert ServerLimits(files=7).public()["files"] == 7
