"""Expressions as facial action units: which muscles a face uses to show what.

The Facial Action Coding System (Ekman, Friesen, Hager 2002) describes a face by numbered action units (AU).
Emotions are combinations of them (EMFACS; Matsumoto & Ekman 2008, "Facial expression analysis"). The table
:data:`EXPRESSIONS` is the whole link between a label and a generated picture; ``rig.py`` says what an action
unit moves. A prefix ``R`` or ``L`` makes an action one-sided; it is the *subject's* right or left as in FACS,
so ``R`` is at image left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

ACTION_UNITS: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    25: "lips part",
    26: "jaw drop",
    43: "eyes closed",
}
ROW = {unit: row for row, unit in enumerate(ACTION_UNITS)}
SIDES = ("R", "L")


@dataclass(frozen=True)
class Expression:
    """The action units of one expression at full intensity.

    Args:
        units: AU (``"12"`` on both sides, ``"R12"`` or ``"L12"`` on one) to intensity in [0, 1].
        sometimes: AU to (probability, intensity): units that accompany the expression in some pictures.
        one_sided: True if left and right are swapped in half of the pictures.
    """

    units: Mapping[str, float]
    sometimes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    one_sided: bool = False


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression({}),
    "happiness": Expression({"6": 0.9, "12": 1.0}, {"25": (0.65, 0.9), "26": (0.2, 0.35)}),
    "surprise": Expression({"1": 1.0, "2": 1.0, "5": 0.9, "26": 1.0}, {"25": (0.4, 0.4)}),
    "sadness": Expression({"1": 1.0, "4": 0.55, "15": 1.0}, {"17": (0.6, 0.7), "43": (0.6, 0.35)}),
    "anger": Expression({"4": 1.0, "5": 0.4, "7": 0.8, "23": 1.0}, {"17": (0.4, 0.4), "10": (0.15, 0.3)}),
    "disgust": Expression(
        {"9": 1.0, "15": 0.6, "16": 0.75}, {"10": (0.7, 0.8), "25": (0.4, 0.4), "7": (0.4, 0.4)}
    ),
    "fear": Expression(
        {"1": 1.0, "2": 0.5, "4": 0.7, "5": 1.0, "20": 1.0, "26": 0.45}, {"25": (0.5, 0.4), "16": (0.3, 0.4)}
    ),
    "contempt": Expression({"R12": 0.9, "R14": 1.0}, {"7": (0.3, 0.35), "43": (0.3, 0.2)}, one_sided=True),
}


def activation(units: Mapping[str, float]) -> Array:
    """Turn named action units into the array that the rig takes.

    Args:
        units: ``"12"``, ``"R12"`` or ``"L12"`` to intensity, 0 (relaxed) to 1 (maximum).

    Returns:
        Intensities in the order of :data:`ACTION_UNITS`, subject's right and left. Shape (units, 2).

    Raises:
        ValueError: If an action unit is not in :data:`ACTION_UNITS`.

    Example:
        >>> activation({"R12": 0.5})[ROW[12]].tolist()
        [0.5, 0.0]
    """
    result = np.zeros((len(ROW), 2), np.float32)
    for name, value in units.items():
        side = name[:1] if name[:1] in SIDES else ""
        number = name[len(side) :]
        if not number.isdigit() or int(number) not in ROW:
            raise ValueError(
                f"Action unit {name!r} is unknown; known are {list(ROW)}, "
                "alone, or after 'R' or 'L' for one side."
            )
        columns = slice(None) if not side else slice(SIDES.index(side), SIDES.index(side) + 1)
        result[ROW[int(number)], columns] += value
    return result


_BASE = {label: activation(expression.units) for label, expression in EXPRESSIONS.items()}
_SOMETIMES = {
    label: [
        (activation({unit: 1.0}) * value, chance) for unit, (chance, value) in expression.sometimes.items()
    ]
    for label, expression in EXPRESSIONS.items()
}


def sample_activation(label: str, rng: np.random.Generator, variation: float = 1.0) -> Array:
    """One person's way of showing an expression at full intensity.

    The units of :data:`EXPRESSIONS` vary in strength (10 % standard deviation, plus 6 % between the sides),
    accompanying units come and go, and every other unit twitches a little.

    Args:
        label: A key of :data:`EXPRESSIONS`.
        rng: Source of the variation; the same number of values is drawn whatever the label.
        variation: 0 gives the table's values, 1 the natural variation.

    Returns:
        Intensities, shape (units, 2), as :func:`activation` gives them.
    """
    chances = rng.random(6)
    noise = rng.standard_normal((2, len(ROW), 2)).astype(np.float32)
    result = _BASE[label].copy()
    for (extra, probability), u in zip(_SOMETIMES[label], chances[1:], strict=False):
        if variation > 0 and u < probability:
            np.maximum(result, extra, out=result)
    if EXPRESSIONS[label].one_sided and chances[0] < 0.5:
        result = result[:, ::-1]
    common = noise[0, :, :1] * 0.10 + noise[0, :, 1:] * np.array([[-0.06, 0.06]], np.float32)
    twitch = np.maximum(noise[1], 0) * 0.05
    varied: Array = np.clip(result * (1 + variation * common) + variation * twitch, 0, 1.15)
    return varied
