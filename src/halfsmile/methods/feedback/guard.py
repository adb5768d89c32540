"""Out-of-distribution guard: unlabeled faces that the classifier does not recognize as such get no loss.

Labeled and unlabeled faces may come from different data sets. The score of a face, higher for what
resembles the labeled ones, is its largest probability (arXiv 1610.02136) or its negative free energy, the
log-sum-exp of its logits (arXiv 2010.03759, equation 4 at temperature 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from halfsmile.methods.semi import over_processes

Score = Literal["none", "confidence", "energy"]


@dataclass(frozen=True, kw_only=True)
class GuardConfig:
    """Which unlabeled faces are used.

    Args:
        score: ``confidence``, ``energy``, or ``none``, which accepts all.
        threshold: Least score of an accepted face; None follows the labeled faces instead.
        quantile: Share of the labeled faces that the followed threshold would reject. The network is trained
            on them, so their scores run high and more than this share of even similar faces is rejected.
        decay: Of the moving average over batches that the followed threshold is.

    Raises:
        ValueError: If a value is outside its range, or a threshold is given that nothing uses.
    """

    score: Score = "none"
    threshold: float | None = None
    quantile: float = 0.05
    decay: float = 0.99

    def __post_init__(self) -> None:
        if self.score not in get_args(Score):
            raise ValueError(f"Unknown guard score {self.score!r}; known are {list(get_args(Score))}.")
        if not 0 <= self.quantile <= 1 or not 0 <= self.decay < 1:
            raise ValueError(
                f"The guard's quantile must be in [0, 1] and its decay in [0, 1), found {self.quantile} and "
                f"{self.decay}."
            )
        if self.score == "none" and self.threshold is not None:
            raise ValueError(
                f"The guard has the threshold {self.threshold} and no score to compare with it. Choose the "
                "score confidence or energy, or leave the threshold out."
            )


ACCEPT_ALL = GuardConfig()
"""No guard."""


class OutOfDistributionGuard(nn.Module):
    """Accepts or rejects unlabeled faces by their logits, and counts.

    Args:
        config: Score and threshold.

    Attributes:
        threshold: Scalar, minus infinity before the first labeled batch.
        rejected: Scalar, number of rejected faces so far.
    """

    threshold: Tensor
    rejected: Tensor

    def __init__(self, config: GuardConfig) -> None:
        super().__init__()
        self.config = config
        start = -math.inf if config.threshold is None else config.threshold
        self.register_buffer("threshold", torch.tensor(start))
        self.register_buffer("rejected", torch.zeros((), dtype=torch.int64))

    def scores(self, logits: Tensor) -> Tensor:
        """Scores (M,) of logits (M, classes)."""
        if self.config.score == "energy":
            return logits.float().logsumexp(dim=1)
        return logits.float().softmax(dim=1).amax(dim=1)

    @torch.no_grad()
    def accept(self, logits: Tensor) -> Tensor:
        """(M,) bool, score at or above the threshold."""
        if self.config.score == "none":
            return torch.ones(len(logits), dtype=torch.bool, device=logits.device)
        return self.scores(logits) >= self.threshold

    def count(self, logits: Tensor) -> None:
        """Add to ``rejected`` the faces that are not accepted, of all processes."""
        self.rejected += (~over_processes(self.accept(logits))).sum()

    @torch.no_grad()
    def follow(self, labeled_logits: Tensor) -> None:
        """Move the threshold towards the quantile of labeled faces' scores; their logits are (B, classes).

        The first batch sets it, until then all faces are accepted; each part of a batch in parts counts as a
        batch. A threshold that was given stays.
        """
        if self.config.score == "none" or self.config.threshold is not None:
            return
        found = over_processes(self.scores(labeled_logits)).quantile(self.config.quantile)
        moved = self.config.decay * self.threshold + (1 - self.config.decay) * found
        self.threshold.copy_(torch.where(self.threshold.isinf(), found, moved))
