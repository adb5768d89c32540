"""Temporal convolution: the baseline of the Temporal Encoder, with the same interface.

Residual blocks of a dilated convolution of three frames, the dilation doubling from block to block (Bai et
al. 2018, arXiv 1803.01271). It counts frames, not seconds. Offline a block sees as many earlier as later
frames; online all blocks look back only, and the logits of a frame are read ``delay`` frames later.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.temporal.encoder import TemporalConfig, TemporalEncoder, TemporalNetwork

KERNEL = 3


class TemporalConvolution(TemporalNetwork):
    """Dilated convolutions over frames.

    Args:
        config: Shape; ``depth`` blocks see ``2 ** depth - 1`` frames each way, online twice that back.
        features: Number of features F of a frame.
        classes: Number of classes.

    Raises:
        ValueError: If the delay is so long that a frame would not see itself.
    """

    def __init__(self, config: TemporalConfig, *, features: int, classes: int) -> None:
        if (config.delay or 0) > 2 * (2**config.depth - 1):
            raise ValueError(
                f"{config.depth} blocks look {2 * (2**config.depth - 1)} frames back, so a delay of "
                f"{config.delay} would leave out the frame itself. Shorten the delay or add blocks."
            )
        super().__init__(config, features=features, classes=classes)
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.depth))
        self.blocks = nn.ModuleList(
            nn.Conv1d(config.width, config.width, KERNEL, dilation=2**i) for i in range(config.depth)
        )

    @property
    def context(self) -> tuple[int, int]:
        """Earlier and later frames that a logit can depend on."""
        reach = 2**self.config.depth - 1
        if self.config.delay is None:
            return reach, reach
        return 2 * reach - self.config.delay, self.config.delay

    def forward(self, features: Tensor, times: Tensor, present: Tensor) -> Tensor:
        """See :meth:`TemporalNetwork.forward`; times are not used, and tokens outside the window are 0."""
        delay = self.config.delay or 0
        x_BTD = F.pad(self.embed(features, present), (0, 0, 0, delay))  # noqa: N806
        for i, (norm, convolution) in enumerate(zip(self.norms, self.blocks, strict=True)):
            reach = 2**i
            sides = (2 * reach, 0) if self.config.online else (reach, reach)
            inner = convolution(F.pad(norm(x_BTD).transpose(1, 2), sides)).transpose(1, 2)
            x_BTD = x_BTD + self.dropout(F.gelu(inner))  # noqa: N806
        return self.classify(x_BTD[:, delay:])


def make_network(config: TemporalConfig, *, features: int, classes: int) -> TemporalNetwork:
    """The network that a configuration names, with new weights.

    Args:
        config: Shape.
        features: Number of features F of a frame.
        classes: Number of classes.

    Returns:
        A network from features (B, T, F), times (B, T) in seconds and presence (B, T) bool to logits
        (B, T, classes).
    """
    made = {"transformer": TemporalEncoder, "convolution": TemporalConvolution}[config.kind]
    return made(config, features=features, classes=classes)
