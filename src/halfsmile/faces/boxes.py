"""Arithmetic of boxes: left, top, right, bottom, in pixels or any other unit."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.floating]


def side(box: Boxes) -> float:
    """Side of the square that is as large as a box (4,)."""
    return math.sqrt(float(box[2] - box[0]) * float(box[3] - box[1]))


def clipped(box: Boxes, size: tuple[int, int]) -> Boxes:
    """A box (4,) cut off at the edges of a picture of this width and height; one wholly outside stays."""
    within = np.clip(box, 0, np.tile(size, 2))
    return within if (within[:2] < within[2:]).all() else box


def overlaps(boxes: Boxes, others: Boxes, *, of_smaller: bool = False) -> npt.NDArray[np.float64]:
    """Intersection over union of every box with every other one.

    Args:
        boxes: (N, 4), none of them empty.
        others: (M, 4) likewise.
        of_smaller: Divide by the area of the smaller box instead of the union.

    Returns:
        (N, M), 0 to 1.

    Example:
        >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
        [[0.333, 0.0]]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    others = np.asarray(others, np.float64).reshape(-1, 4)
    shared = np.ones((len(boxes), len(others)))
    for axis in range(2):
        right = np.minimum.outer(boxes[:, axis + 2], others[:, axis + 2])
        left = np.maximum.outer(boxes[:, axis], others[:, axis])
        shared *= np.maximum(right - left, 0)
    area, other = ((group[:, 2:] - group[:, :2]).prod(1) for group in (boxes, others))
    whole = np.minimum.outer(area, other) if of_smaller else np.add.outer(area, other) - shared
    return np.asarray(shared / whole, np.float64)


def suppress(
    boxes: Boxes, scores: Boxes, threshold: float, *, of_smaller: bool = False
) -> npt.NDArray[np.intp]:
    """Non-maximum suppression: drop a box that overlaps a better, kept one by more than ``threshold``.

    Args:
        boxes: (N, 4), none of them empty.
        scores: (N,); of equal ones the last counts as best.
        threshold: Largest overlap that is kept, 0 to 1.
        of_smaller: Overlap is the shared part of the smaller box, not of the union.

    Returns:
        Rows that are kept, the best first.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    kept = []
    while len(order):
        kept.append(order[0])
        shares = overlaps(boxes[order[:1]], boxes[order[1:]], of_smaller=of_smaller)[0]
        order = order[1:][shares <= threshold]
    return np.array(kept, np.intp)
