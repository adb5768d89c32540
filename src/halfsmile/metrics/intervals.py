"""The interval of a share: what 18 right of 20 say about the accuracy."""

from __future__ import annotations

import math

Z = 1.959964
"""Of 95 %."""


def wilson_interval(right: int, total: int, *, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927); sound for few cases and for shares near 0 and 1.

    Args:
        right: Number of successes.
        total: Number of cases; of none the interval is all of 0 to 1.
        z: Quantile of the normal distribution.

    Raises:
        ValueError: If ``right`` is not between 0 and ``total``.

    Example:
        >>> low, high = wilson_interval(18, 20)
        >>> f"{low:.3f} {high:.3f}"
        '0.699 0.972'
    """
    if not 0 <= right <= total:
        raise ValueError(f"{right} of {total} is no share: give 0 to {total} successes.")
    if total == 0:
        return 0.0, 1.0
    share, weight = right / total, z * z / total
    center = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    low = 0.0 if right == 0 else max(0.0, center - half)
    return low, 1.0 if right == total else min(1.0, center + half)
