"""Hyper-parameters of Stage IV, for recipes."""

from __future__ import annotations

from dataclasses import dataclass

from halfsmile.models.temporal import TemporalConfig
from halfsmile.training.optim import OptimConfig

_NETWORK = TemporalConfig()
_OPTIM = OptimConfig(learning_rate=3e-3, warmup=0.1, clip=1.0)


@dataclass(frozen=True, kw_only=True)
class TemporalStageConfig:
    """Stage IV: a network over the frozen features of neighboring frames.

    Args:
        network: Its shape.
        steps: Optimizer steps.
        batch_size: Windows of a step.
        hop: Frames from one training window to the next.
        optim: Optimizer and schedule.
        smoothing: Label smoothing.
        balance: Weigh classes by the inverse of their frequency among the training frames.
        hide: Chance of a training frame to be hidden from the network.
        noise: Standard deviation of the noise on standardized features.
        ema_decay: Of the averaged weights, which are what is evaluated and kept; None for no average.
        own_share: Share of the labeled people (or videos) whose frames train this stage and no other, in
            [0, 1). On frames that trained the per-frame network its features are better than they ever are
            again; 0 takes those frames all the same.

    Raises:
        ValueError: If ``own_share`` is out of its range.
    """

    network: TemporalConfig = _NETWORK
    steps: int = 600
    batch_size: int = 16
    hop: int = 16
    optim: OptimConfig = _OPTIM
    smoothing: float = 0.1
    balance: bool = True
    hide: float = 0.15
    noise: float = 0.3
    ema_decay: float | None = 0.99
    own_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.own_share < 1:
            raise ValueError(f"own_share must lie in [0, 1), found {self.own_share}.")
