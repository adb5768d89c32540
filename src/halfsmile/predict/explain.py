"""Where a model looks: how much of an answer is lost when a part of the face is covered.

Occlusion sensitivity (Zeiler & Fergus 2014, arXiv 1311.2901): a flat patch slides over the crop, and each
place is charged with the mean loss of probability of the patches that cover it. It needs nothing but the
model's answers, so it works on any exported file and without torch, at the price of some eighty answers per
face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.predict.face import Face

WARM, COLD = (255, 120, 0), (0, 90, 255)
"""Where the face speaks for the answer, and where it speaks against it."""

FAINT = 0.01
"""Loss of probability that colors are scaled to where none is larger, so that noise stays pale."""


class Answers(Protocol):
    """What is needed of a model."""

    def predict(self, crops: npt.NDArray[np.uint8]) -> Any:
        """Something with ``probabilities`` (N, K) for crops (N, S, S, C)."""
        ...


def occlusion_map(
    model: Answers, crop: Image, label: int, *, patch: float = 0.25, steps: int = 9
) -> npt.NDArray[np.float32]:
    """Loss of a label's probability when each place of a face is covered.

    Args:
        model: Names expressions.
        crop: (S, S, C) uint8, as the model takes it.
        label: Index of the label that is explained.
        patch: Side of the cover, as a share of the crop's.
        steps: Places of the cover along each side.

    Returns:
        (S, S), about −1 to 1; positive where the face speaks for the label, negative where it speaks against.

    Raises:
        ValueError: If ``patch`` is not in (0, 1) or ``steps`` is below 2.
    """
    if not 0 < patch < 1 or steps < 2:
        raise ValueError(
            f"patch must lie between 0 and 1 and steps be at least 2, found {patch} and {steps}."
        )
    size = crop.shape[0]
    side = max(1, round(patch * size))
    starts = np.unique(np.round(np.linspace(0, size - side, steps)).astype(int))
    places = [(top, left) for top in starts for left in starts]
    covered = np.repeat(crop[None], len(places) + 1, axis=0)
    mean = crop.reshape(-1, crop.shape[-1]).mean(axis=0).round().astype(np.uint8)
    for i, (top, left) in enumerate(places):
        covered[i, top : top + side, left : left + side] = mean
    probability = np.asarray(model.predict(covered).probabilities)[:, label]
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for (top, left), value in zip(places, probability[:-1], strict=True):
        total[top : top + side, left : left + side] += probability[-1] - value
        count[top : top + side, left : left + side] += 1
    return np.asarray(total / np.maximum(count, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Explanation:
    """What an answer of the model rests on.

    Args:
        face: The face, with the expression that is explained.
        crop: (S, S, C) uint8, what the model saw of it.
        probability: Of the expression, of this crop alone; smoothing does not enter.
        importance: (S, S), see :func:`occlusion_map`.
    """

    face: Face
    crop: Image
    probability: float
    importance: npt.NDArray[np.float32]

    @property
    def loss(self) -> float:
        """Largest loss of probability where something is covered; 0 where there is none."""
        return max(0.0, float(self.importance.max()))

    @property
    def gain(self) -> float:
        """Largest gain of probability where something is covered; 0 where there is none."""
        return max(0.0, -float(self.importance.min()))

    def overlay(self) -> Image:
        """The crop with the map laid over, RGB (S, S, 3) uint8, see :func:`heat`."""
        return heat(self.crop, self.importance)


def explain_answer(model: Answers, face: Face, crop: Image) -> Explanation:
    """Explain the expression of a face.

    Args:
        model: The one that named it.
        face: The answer.
        crop: (S, S, C) uint8, the face as the model takes it.
    """
    label = list(face.probabilities).index(face.expression)
    probability = float(np.asarray(model.predict(crop[None]).probabilities)[0, label])
    return Explanation(face, crop, probability, occlusion_map(model, crop, label))


def heat(crop: Image, importance: npt.NDArray[np.float32], *, strength: float = 0.6) -> Image:
    """A picture of a crop with its map laid over: orange speaks for the answer, blue against it.

    Args:
        crop: (S, S, C) uint8.
        importance: (S, S), see :func:`occlusion_map`.
        strength: Opacity where the map is largest, 0 to 1.

    Returns:
        RGB (S, S, 3), uint8.
    """
    base = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop
    level = importance / max(float(np.abs(importance).max()), FAINT)
    smooth = np.asarray(cv2.GaussianBlur(level, (0, 0), max(1.0, crop.shape[0] / 32)), np.float32)
    tint = np.where(smooth[..., None] >= 0, np.array(WARM, np.float64), np.array(COLD, np.float64))
    share = (strength * np.abs(smooth)).clip(0, 1)[..., None]
    return np.asarray((base * (1 - share) + tint * share).round().clip(0, 255), np.uint8)
