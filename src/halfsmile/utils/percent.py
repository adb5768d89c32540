"""Shares as per cent, rounded by one rule wherever a person reads them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

_NOISE = 5  # decimals of per cent beyond which float32 numbers are noise


def percent_number(share: float, digits: int = 1, *, sign: bool = False) -> str:
    """A share in [0, 1], or a difference of shares, in per cent without the sign for it.

    Halves are rounded away from zero, and a half that floating point has missed is one: 31 of 80 are the same
    number whether they come as 0.3875, 0.38749999 (float32) or 0.38750000000000001.

    Args:
        share: The share.
        digits: Decimals.
        sign: Put a plus before what is not negative.

    Example:
        >>> percent_number(0.3875), percent_number(0.38749999), percent_number(-0.012, sign=True)
        ('38.8', '38.8', '-1.2')
    """
    value = 100 * float(share)
    if not math.isfinite(value):
        return str(value)
    rounded = Decimal(repr(round(value, _NOISE))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded:+f}" if sign else f"{rounded:f}"


def percent(share: float, digits: int = 1) -> str:
    """A share in [0, 1] as text.

    Example:
        >>> percent(0.5), percent(0.8437, 2)
        ('50.0 %', '84.37 %')
    """
    return f"{percent_number(share, digits)} %"
