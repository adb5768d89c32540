"""Drawing whole groups of rows (a person's, a video's) so that every class gets about the number wanted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def draw_groups(counts: Rows, targets: Rows, order: Rows) -> Rows:
    """Choose groups whose faces add up to about the wanted numbers.

    Groups are visited in the order given, and one is taken if it brings the numbers closer: if the sum over
    the classes of the squared relative distance to the target falls. So rare classes weigh as much as common
    ones.

    Args:
        counts: Faces of each class in each group, (groups, classes).
        targets: Faces wanted of each class, (classes,).
        order: Groups to visit, in this order.

    Returns:
        The groups taken, in the order of the visit.
    """
    scale = 1.0 / np.maximum(targets, 1)
    missing = targets * scale
    taken = []
    for group in order.tolist():
        gain = counts[group] * scale
        if gain.any() and ((missing - gain) ** 2).sum() < (missing**2).sum():
            missing = missing - gain
            taken.append(group)
    return np.array(taken, np.int64)


def group_counts(groups: list[str | None], classes: Rows, num_classes: int) -> tuple[Rows, Rows]:
    """Group number of every row, and faces of each class in each group.

    Args:
        groups: Name of each row's group; a row without one is a group of its own.
        classes: Class of each row, −1 for none.
        num_classes: Number of classes.

    Returns:
        (rows,) and (groups, classes).
    """
    numbers: dict[str | int, int] = {}
    of_row = np.array(
        [numbers.setdefault(row if name is None else name, len(numbers)) for row, name in enumerate(groups)],
        np.int64,
    )
    counts = np.zeros((len(numbers), num_classes), np.int64)
    labeled = classes >= 0
    np.add.at(counts, (of_row[labeled], classes[labeled]), 1)
    return of_row, counts
