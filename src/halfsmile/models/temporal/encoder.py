"""Temporal Encoder: the features of neighboring frames to one expression per frame.

After "Exploring Facial Expression Recognition through Semi-Supervised Pretraining and Temporal Modeling"
(arXiv 2403.11942), which says that a Temporal Encoder relates the features of neighboring frames, and not how
wide, deep or long it is. What follows is a reconstruction: frozen features → linear → Transformer encoder
over a window → a linear layer per frame.

* Position is time. A frame attends to another by their difference in seconds, through a learned curve per
  head, so that adding a constant to all times changes nothing, and frame rate, gaps and uneven time stamps
  are what they are.
* A frame without a face is nobody's key. It still is a query, so it gets its logits from its neighbors.
* Offline every frame of the window sees every other. Online the first block looks ``delay`` frames ahead and
  the others none, so that no logit depends on more than ``delay`` later frames, however deep the network.

Shape suffixes: B batch, T frames of a window, S frames attended to, F features, D width, K heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.vit import Mlp
from halfsmile.sequences.windowed import Flags, Floats, Times

TIME_UNIT = 0.04
"""Seconds around which the curves over time change from linear to logarithmic: one frame at 25 frames/s."""

TIME_REACH = 30.0
"""Seconds beyond which all time differences look the same."""

TIME_KNOTS = 33


@dataclass(frozen=True, kw_only=True)
class TemporalConfig:
    """Shape of a network over frames.

    Args:
        kind: ``transformer``, or ``convolution`` for the baseline of models/temporal/convolution.
        width: Token dimension D.
        depth: Number of blocks; none makes a network that sees each frame by itself.
        heads: Attention heads; divides ``width``. Unused by the convolution.
        mlp_ratio: Hidden width of a block's MLP over D. Unused by the convolution.
        dropout: Rate on features, branches and the input of the last layer.
        window: Frames that the network is trained on, and run on when it is offline, at a time.
        delay: Online: number of later frames that a frame waits for. None is offline, all frames of a window.
        history: Online: number of earlier frames that each block attends to. Unused by the convolution.

    Raises:
        ValueError: If the numbers do not fit together.
    """

    kind: Literal["transformer", "convolution"] = "transformer"
    width: int = 128
    depth: int = 2
    heads: int = 4
    mlp_ratio: float = 2.0
    dropout: float = 0.3
    window: int = 64
    delay: int | None = None
    history: int = 32

    def __post_init__(self) -> None:
        sizes = {"width": self.width, "heads": self.heads, "window": self.window}
        if min(sizes.values()) < 1 or self.depth < 0 or self.width % self.heads:
            raise ValueError(
                f"width, heads and window must be positive, depth at least 0, and heads divide width; found "
                f"{sizes} and depth {self.depth}."
            )
        if self.history < 0 or (self.delay is not None and self.delay < 0):
            raise ValueError(
                f"delay ({self.delay}) and history ({self.history}) count frames and can't be negative; "
                "a delay of None is offline."
            )

    @property
    def online(self) -> bool:
        """Whether a logit waits for a bounded number of later frames."""
        return self.delay is not None


class TemporalNetwork(nn.Module):
    """What all networks over frames share: the input, the last layer, and how frames without a face enter.

    Whole videos and live ones are read by :mod:`halfsmile.sequences.windowed`.

    Args:
        config: Shape.
        features: Number of features F of a frame.
        classes: Number of classes.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, config: TemporalConfig, *, features: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.features = features
        self.classes = classes
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_std", torch.ones(features))
        self.input = nn.Linear(features, config.width)
        self.missing = nn.Parameter(torch.zeros(config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, classes)

    @property
    def window(self) -> int:
        """Frames of a window, where the context is not bounded."""
        return self.config.window

    @property
    def context(self) -> tuple[int, int] | None:
        """Earlier and later frames that a logit can depend on; None where only the window bounds it."""
        raise NotImplementedError

    @torch.inference_mode()
    def window_logits(self, features: Floats, times: Times, present: Flags) -> Floats:
        """Logits (B, T, classes) of windows in evaluation mode, on the device of the weights.

        Args:
            features: (B, T, F).
            times: (B, T) seconds.
            present: (B, T), False where there is no face.
        """
        self.eval()
        device = self.feature_mean.device
        logits = self(*(torch.from_numpy(array).to(device) for array in (features, times, present)))
        return np.asarray(logits.float().cpu().numpy(), np.float32)

    @torch.no_grad()
    def standardize_as(self, features_NF: Tensor) -> None:  # noqa: N803
        """Standardize inputs from now on by the mean and deviation of these features (N, F) of seen faces.

        Raises:
            ValueError: If there is no row, or another number of features.
        """
        if features_NF.ndim != 2 or features_NF.shape[1] != self.features or not len(features_NF):
            raise ValueError(
                f"Expected features (frames, {self.features}) of at least one frame with a face, "
                f"found {tuple(features_NF.shape)}."
            )
        self.feature_mean.copy_(features_NF.mean(dim=0))
        spread = features_NF.std(dim=0, correction=0)
        self.feature_std.copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))

    def embed(self, features_BTF: Tensor, present_BT: Tensor) -> Tensor:  # noqa: N803
        """Tokens (B, T, D); the features of absent frames are never used and may be NaN.

        Raises:
            ValueError: If the features have another size than the network was made for.
        """
        if features_BTF.ndim != 3 or features_BTF.shape[2] != self.features:
            raise ValueError(
                f"Expected features (windows, frames, {self.features}), found {tuple(features_BTF.shape)}."
            )
        seen = present_BT.unsqueeze(-1)
        standardized = (features_BTF.float() - self.feature_mean) / self.feature_std
        tokens = self.input(self.dropout(torch.where(seen, standardized, 0.0)))
        return torch.where(seen, tokens, self.missing.to(tokens.dtype))

    def classify(self, x_BTD: Tensor) -> Tensor:  # noqa: N803
        """Logits (B, T, classes) of the last tokens."""
        return self.head(self.dropout(self.norm(x_BTD)))  # type: ignore[no-any-return]

    def forward(self, features: Tensor, times: Tensor, present: Tensor) -> Tensor:
        """Logits of every frame.

        Args:
            features: (B, T, F).
            times: (B, T) seconds, float64 unless they are counted from the window's start.
            present: (B, T) bool; False where there is no face, and for padding.

        Returns:
            (B, T, classes).
        """
        raise NotImplementedError


class TimeBias(nn.Module):
    """What is added to attention for a difference in time: a learned curve per head.

    The curve is piecewise linear over ``sign(Δt) · log(1 + |Δt| / TIME_UNIT)``, flat beyond ``TIME_REACH``.
    At first head k falls by a power law, (1 + |Δt| / TIME_UNIT) to the power of −k / (K − 1): the first head
    looks anywhere and the last one nearby, as with ALiBi's slopes (arXiv 2108.12409).

    Args:
        heads: K.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.reach = math.log1p(TIME_REACH / TIME_UNIT)
        distance = torch.linspace(-self.reach, self.reach, TIME_KNOTS).abs()
        self.curves = nn.Parameter(-distance[:, None] * torch.linspace(0, 1, heads)[None])  # (knots, K)

    def forward(self, times_BT: Tensor) -> Tensor:  # noqa: N803
        """Bias (B, K, T, S) for times (B, T) in seconds; row t, column s belongs to time s minus time t."""
        seconds = (times_BT[:, None, :] - times_BT[:, :, None]).float()
        place = seconds.sign() * (seconds.abs() / TIME_UNIT).log1p() / self.reach
        place = (place.clamp(-1, 1) + 1) * ((TIME_KNOTS - 1) / 2)
        below = place.floor().clamp(max=TIME_KNOTS - 2)
        share, index = (place - below).unsqueeze(-1), below.long()
        left, right = F.embedding(index, self.curves), F.embedding(index + 1, self.curves)
        return torch.lerp(left, right, share).permute(0, 3, 1, 2)


class TemporalBlock(nn.Module):
    """Pre-norm Transformer block whose attention takes an additive bias.

    Args:
        config: Its ``width``, ``heads``, ``mlp_ratio`` and ``dropout`` count.
    """

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, int(config.width * config.mlp_ratio))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor, bias_BKTS: Tensor) -> Tensor:  # noqa: N803
        """Shape (B, T, D) in and out.

        Args:
            x_BTD: Tokens.
            bias_BKTS: Added to the attention of frame T to frame S; minus infinity hides S.
        """
        B, T, D = x_BTD.shape  # noqa: N806
        qkv = self.qkv(self.norm1(x_BTD)).reshape(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias_BKTS
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        x_BTD = x_BTD + self.dropout(self.proj(mixed.transpose(1, 2).reshape(B, T, D)))  # noqa: N806
        return x_BTD + self.dropout(self.mlp(self.norm2(x_BTD)))  # type: ignore[no-any-return]


class TemporalEncoder(TemporalNetwork):
    """Transformer encoder over frames.

    Args:
        config: Shape.
        features: Number of features F of a frame.
        classes: Number of classes.

    Example:
        >>> encoder = TemporalEncoder(TemporalConfig(width=16, heads=2), features=8, classes=7)
        >>> times = torch.arange(5, dtype=torch.float64)[None] / 25
        >>> encoder(torch.rand(1, 5, 8), times, torch.ones(1, 5, dtype=torch.bool)).shape
        torch.Size([1, 5, 7])
    """

    def __init__(self, config: TemporalConfig, *, features: int, classes: int) -> None:
        super().__init__(config, features=features, classes=classes)
        self.time_bias = TimeBias(config.heads).requires_grad_(config.depth > 0)  # unused without blocks
        self.blocks = nn.ModuleList(TemporalBlock(config) for _ in range(config.depth))

    @property
    def context(self) -> tuple[int, int] | None:
        """Earlier and later frames that a logit can depend on; None for blocks that are offline."""
        if not self.blocks:
            return 0, 0
        if self.config.delay is None:
            return None
        return self.config.depth * self.config.history, self.config.delay

    def attended(self, present_BT: Tensor, *, ahead: int) -> Tensor:  # noqa: N803
        """Which frames S a frame T attends to, (B, T, S) bool: those with a face, in reach, and itself.

        Args:
            present_BT: (B, T) bool.
            ahead: Later frames in reach when online.
        """
        frames = torch.arange(present_BT.shape[1], device=present_BT.device)
        later = frames[None, :] - frames[:, None]
        seen = present_BT[:, None, :].expand(-1, present_BT.shape[1], -1)
        if self.config.online:
            seen = seen & ((later <= ahead) & (later >= -self.config.history))
        return seen | (later == 0)

    def forward(self, features: Tensor, times: Tensor, present: Tensor) -> Tensor:
        """See :meth:`TemporalNetwork.forward`."""
        x = self.embed(features, present)
        curves = self.time_bias(times)
        first = curves.masked_fill(~self.attended(present, ahead=self.config.delay or 0)[:, None], -math.inf)
        later = first
        if self.config.delay:
            later = curves.masked_fill(~self.attended(present, ahead=0)[:, None], -math.inf)
        for i, block in enumerate(self.blocks):
            x = block(x, first if i == 0 else later)
        return self.classify(x)
