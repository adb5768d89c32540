"""Optimizer and learning-rate schedule, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from halfsmile.utils.ranges import require_positive, require_shares


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Optimizer and schedule.

    Args:
        learning_rate: Peak rate of the topmost layer.
        first_learning_rate: Rate that the warm-up starts above.
        final_learning_rate: Rate at the end of the cosine, and after it.
        warmup: Share of all steps in which the rate rises linearly.
        decay_until: Share of all steps at which the cosine ends.
        weight_decay: Decoupled decay; not applied to biases, norms, tokens and positions, but to the Temporal
            Encoder's curves over time.
        betas: AdamW's moments (arXiv 1711.05101).
        layer_decay: Rate of layer i of L is multiplied by ``layer_decay ** (L + 1 − i)``, layer 0 being the
            embedding and L + 1 the head (BEiT, arXiv 2106.08254; used by MAE). 1 treats all layers alike.
        clip: Largest norm of the gradient; None does not clip.
    """

    learning_rate: float
    first_learning_rate: float = 0.0
    final_learning_rate: float = 0.0
    warmup: float = 0.05
    decay_until: float = 1.0
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    layer_decay: float = 1.0
    clip: float | None = None

    def __post_init__(self) -> None:
        require_shares(warmup=self.warmup, decay_until=self.decay_until)
        require_shares(**{f"betas[{i}]": beta for i, beta in enumerate(self.betas)})
        require_positive(layer_decay=self.layer_decay, clip=1.0 if self.clip is None else self.clip)
        if not 0 <= self.learning_rate < math.inf or self.weight_decay < 0:
            raise ValueError(
                "learning_rate must be finite and at least 0, and so must weight_decay, found "
                f"{self.learning_rate} and {self.weight_decay}."
            )
