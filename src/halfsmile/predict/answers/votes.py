"""How many annotators of ten would name each expression: the logits of the answer at another temperature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from halfsmile.predict.model_facts import ModelFacts


def vote_shares(probabilities: npt.NDArray[np.floating], facts: ModelFacts) -> npt.NDArray[np.float64] | None:
    """Shares of votes (classes,), which sum to 1; None where the model never saw votes.

    Args:
        probabilities: (classes,), of the winning label, at the model's own temperature.
        facts: The model's.
    """
    if facts.vote_temperature is None:
        return None
    shares = np.asarray(probabilities, np.float64).clip(1e-12) ** (facts.temperature / facts.vote_temperature)
    return np.asarray(shares / shares.sum(), np.float64)
