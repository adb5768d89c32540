"""When the recipe pays: a rule from measurement, said on the page and never acted upon.

On FERPlus, with one answer a face as the page gives, Stage II was trained on the labels of the sessions that
the head was measured in: what it had right beyond the head's share is :data:`MEASURED` (docs/experiments.md,
"Which gain does the page promise of the recipe?"). It takes minutes, and so do labels: it pays when it is
expected to bring more than the next hundred of them, which the curve of the heads tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from halfsmile.label.learn.curve import NEXT, Point, expected_gain

MEASURED: tuple[tuple[int, float], ...] = (
    (85, 0.056),
    (340, 0.045),
    (1020, 0.041),
    (1275, 0.050),
    (1615, 0.046),
    (2295, 0.054),
)
"""Labels that were learned from, and accuracy of Stage II less that of the head on frozen features.

85, 340 and 2,295 by chance, the others asked by the default rule; one session up to 340,
the mean of two beyond.
"""
AGAIN = 1.5
"""A recipe that was trained pays again when labels have grown by this."""


def recipe_gain(labels: int) -> float:
    """What Stage II brought over the head with so many labels, a share.

    Between the counts that were measured a line over their logarithm, outside the value at the nearest one.
    """
    counts, gains = zip(*MEASURED, strict=True)
    return float(np.interp(math.log(max(labels, 1)), np.log(counts), gains))


def recipe_advice(points: Sequence[Point]) -> dict[str, Any]:
    """Whether to train the recipe now, and why, in a sentence.

    Args:
        points: All models, oldest first.
    """
    if not points:
        return {"advised": False, "reason": "The recipe pays later: there is no model yet."}
    now = points[-1].labels
    trained = [point.labels for point in points if point.what != "head"]
    if trained and now < AGAIN * trained[-1]:
        return {
            "advised": False,
            "reason": f"The recipe has learned from {trained[-1]:,} labels; it pays again from "
            f"{math.ceil(AGAIN * trained[-1]):,}.",
        }
    least, most = MEASURED[0][0], MEASURED[-1][0]
    if now < least:
        return {
            "advised": False,
            "reason": f"The recipe pays later: it was measured with {least} labels and more, here are {now}.",
        }
    gain, ahead = recipe_gain(now), expected_gain(points)
    brought = f"{100 * gain:.1f} points of accuracy over the quick model on FERPlus"
    told = f"with {min(now, most):,} labels it brought {brought}"
    if ahead is None:
        return {
            "advised": False,
            "reason": f"Too early to tell whether the recipe pays: {told}, and what the next {NEXT} labels "
            "bring is not known yet.",
        }
    pays = gain > ahead.value
    return {
        "advised": pays,
        "reason": f"The recipe pays {'now' if pays else 'later'}: {told}; the next {NEXT} labels are "
        f"expected to bring {100 * ahead.value:.1f}.",
    }
