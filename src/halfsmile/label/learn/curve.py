"""The curve: accuracy on the faces that were picked by chance, against the number of labels; when to stop.

Every model is judged on the same faces, all those of the random share that have a label by now, so that two
models differ by pairs: what the later one has right and the earlier one wrong, less the other way round. The
gain from twice the labels is taken to go on for the next hundred as labels grow by their logarithm (learning
curves are near to straight over it in so short a piece; Mukherjee et al. 2003, "Estimating dataset size
requirements", fit a power law over the whole).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.intervals import Z, wilson_interval

NEXT = 100
"""Labels ahead for which the gain is told."""
STOP_GAIN = 0.005
"""Asking more is advised against when the next hundred labels add less, by the upper end of the interval."""
LEAST_TESTED = 40
LEAST_POINTS = 4


@dataclass(frozen=True, eq=False)
class Point:
    """One model on the curve.

    Args:
        number: Of the training.
        answers: Faces answered when it was trained.
        labels: Labels that it learned from.
        right: (T,), whether it is right about each tested face.
        what: ``head``, or the recipe that it came from.
        name: Of the features that it reads; models on the same ones are a series.
    """

    number: int
    answers: int
    labels: int
    right: npt.NDArray[np.bool_]
    what: str = "head"
    name: str = ""

    def told(self) -> dict[str, Any]:
        """The point for people."""
        count, total = int(self.right.sum()), len(self.right)
        return {
            "number": self.number,
            "what": self.what,
            "answers": self.answers,
            "labels": self.labels,
            "accuracy": count / total if total else None,
            "interval": list(wilson_interval(count, total)) if total else None,
            "tested": total,
        }


@dataclass(frozen=True)
class Gain:
    """What the next hundred labels are expected to add to the accuracy.

    Args:
        value: Expected, as a share.
        high: Upper end of the 95 % interval.
    """

    value: float
    high: float


def expected_gain(points: Sequence[Point]) -> Gain | None:
    """By the newest model against the one of about half its labels; None while too little is known.

    Both differences, of tested faces, are those of pairs: mean d and standard error s of right − right_before
    (s at least that of one face more or less), divided by the doublings between both models and multiplied by
    those that a hundred labels are.
    """
    points = [point for point in points if point.name == points[-1].name]
    if len(points) < LEAST_POINTS or len(points[-1].right) < LEAST_TESTED:
        return None
    now = points[-1]
    before = min(points[:-1], key=lambda point: abs(math.log(max(point.labels, 1) * 2 / now.labels)))
    if before.labels >= now.labels or before.labels < 1:
        return None
    difference = now.right.astype(float) - before.right.astype(float)
    mean = float(difference.mean())
    error = max(float(difference.std(ddof=1)), 1 / math.sqrt(len(difference))) / math.sqrt(len(difference))
    doublings = math.log2(now.labels / before.labels)
    ahead = math.log2((now.labels + NEXT) / now.labels)
    return Gain(max(0.0, mean) / doublings * ahead, max(0.0, mean + Z * error) / doublings * ahead)


def stop_advice(points: Sequence[Point], *, left: int) -> dict[str, Any]:
    """Whether to stop, and why, in a sentence.

    Args:
        points: Oldest first.
        left: Faces that can still be asked.
    """
    if left == 0:
        return {"advised": True, "reason": "Every face has been asked."}
    gain = expected_gain(points)
    if gain is None:
        tested = len(points[-1].right) if points else 0
        lacking = "there are too few models to compare yet"
        if not points:
            lacking = "there is no model yet"
        elif tested < LEAST_TESTED:
            lacking = f"{tested} faces measure the accuracy so far, {LEAST_TESTED} are needed"
        return {"advised": False, "reason": f"Too early to tell: {lacking}."}
    told = (
        f"the next {NEXT} labels are expected to add {100 * gain.value:.1f} points of accuracy, "
        f"at most {100 * gain.high:.1f} (95 %)"
    )
    if gain.high < STOP_GAIN:
        return {"advised": True, "reason": f"You can stop here: {told}."}
    return {"advised": False, "reason": told[0].upper() + told[1:] + "."}
