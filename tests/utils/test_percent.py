"""One rule of rounding: the same share is the same text everywhere."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import halfsmile
from halfsmile.utils.percent import percent, percent_number

ROOMS = ("cli", "evaluation", "export", "report")
BY_HAND = re.compile(r"\{100 \* [^{}]*:\+?\.\d+f\}|:\.\d%\}")


@pytest.mark.parametrize("hits", range(81))
def test_how_a_share_was_computed_does_not_matter(hits: int) -> None:
    share = hits / 80
    ways = [share, float(np.float32(share)), 1 - (80 - hits) / 80, sum([1 / 80] * hits, 0.0)]
    expected = f"{(hits * 1000 + 40) // 80 / 10:.1f}"  # in whole numbers, halves up
    assert {percent_number(way) for way in ways} == {expected}


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.38749, 1, "38.7"), (0.38749, 2, "38.75"), (0.5, 0, "50"), (0.005, 0, "1"), (1, 1, "100.0")],
)
def test_digits(share: float, digits: int, text: str) -> None:
    assert percent_number(share, digits) == text
    assert percent(share, digits) == f"{text} %"


def test_differences_have_their_sign_and_what_is_no_number_is_said() -> None:
    assert percent_number(0.0125, sign=True) == "+1.3"
    assert percent_number(-0.0125, sign=True) == "-1.3"
    assert percent(math.nan) == "nan %"


def test_no_score_is_rounded_by_hand_where_results_are_shown() -> None:
    root = Path(halfsmile.__file__).parent
    found = [
        f"{path.relative_to(root)}:{number}"
        for room in ROOMS
        for path in (root / room).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BY_HAND.search(line)
    ]
    assert found == []
