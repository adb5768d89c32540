"""Scores that do not depend on where the line between two classes is drawn."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


def area_under_curve(scores: npt.ArrayLike, is_positive: npt.ArrayLike) -> float:
    """Probability that a positive scores above a negative; ties count half.

    The area under the receiver operating characteristic, by ranks (Mann and Whitney 1947).

    Args:
        scores: (N,) numbers.
        is_positive: (N,) of bool.

    Returns:
        From 0 to 1; nan where there is no positive or no negative.

    Example:
        >>> area_under_curve([0.1, 0.4, 0.4, 0.8], [False, False, True, True])
        0.875
    """
    chosen = np.asarray(is_positive, bool)
    positives, negatives = int(chosen.sum()), int((~chosen).sum())
    if not positives or not negatives:
        return math.nan
    ranks = rankdata(np.asarray(scores, np.float64))
    above = ranks[chosen].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))
