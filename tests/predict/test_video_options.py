"""Numbers that no video can be processed with."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.predict.video_options import require_video_options


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"every": 0}, "every must be at least 1 frame, found 0"),
        ({"detect_every": -1}, "detect_every must be at least 1 frame, found -1"),
        ({"smoothing": 0.0}, "smoothing must be a positive number of seconds, found 0.0"),
        ({"smoothing": float("nan")}, "found nan"),
        ({"smoothing": float("inf")}, "found inf"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {"every": 1, "detect_every": 1, "smoothing": None}
    require_video_options(**right)
    require_video_options(**right | {"smoothing": 0.5})
    with pytest.raises(ValueError, match=message):
        require_video_options(**right | wrong)
