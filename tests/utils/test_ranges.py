"""Settings out of their range are refused by name."""

from __future__ import annotations

import math

import pytest

from halfsmile.utils.ranges import require_positive, require_shares


@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_what_is_not_above_zero_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"second must be above 0, found {value}"):
        require_positive(first=1, second=value)
    require_positive(first=1e-9, second=3)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_share_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"second must lie between 0 and 1, found {value}"):
        require_shares(first=0.5, second=value)
    require_shares(first=0, second=1, third=None)
