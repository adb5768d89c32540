"""Why an answer is uncertain, in words: the model is not sure, or the face is not as it knows faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.faces.any_angle import STANDS

if TYPE_CHECKING:
    from halfsmile.predict.model import Prediction

UNSURE = "low confidence"
TURNED = "may not stand upright"
UNLIKE = "unlike the faces it learned from"


def strangeness(features: npt.NDArray[np.floating], is_turned: bool, least: float | None) -> list[str]:
    """What is strange about a face, whatever is answered: of :data:`TURNED` and :data:`UNLIKE`.

    Args:
        features: (F,) of the model.
        is_turned: Whether it may not stand upright.
        least: Norm of the features below which a face is unlike those of the training; None where unknown.
    """
    is_unlike = least is not None and float(np.linalg.norm(features)) < least
    return [TURNED] * is_turned + [UNLIKE] * is_unlike


def strange_in(doubt: str | None) -> list[str]:
    """The same of a doubt that is told already.

    Example:
        >>> strange_in("low confidence; may not stand upright")
        ['may not stand upright']
    """
    return [reason for reason in (TURNED, UNLIKE) if reason in (doubt or "")]


def weighed(prediction: Prediction, upright: npt.NDArray[np.float32]) -> Prediction:
    """Probabilities of faces that more likely stand on their head or lie on a side, without their certainty.

    Of those the model's answer holds as often as they stand upright; otherwise each label is as likely.

    Args:
        prediction: Of N faces.
        upright: (N,) how likely each stands upright, 0 to 1.
    """
    doubtful = upright < STANDS
    if not doubtful.any():
        return prediction
    chances = upright[doubtful, None]
    probabilities = prediction.probabilities.copy()
    probabilities[doubtful] = chances * probabilities[doubtful] + (1 - chances) / probabilities.shape[1]
    return replace(prediction, probabilities=probabilities, turned=doubtful)
