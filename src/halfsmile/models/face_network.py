"""dlib's face-recognition network as an encoder: it has seen three million faces, their expressions aside.

King 2017, "High Quality Face Recognition with Deep Metric Learning" (``dnn_face_recognition_ex`` of dlib): a
residual network (He et al. 2015, arXiv 1512.03385) of 29 convolutions that tells people apart. Its author
released the weights into the public domain; the package brings them (``files/face_network.md``). The scales
and biases that stand in the place of batch norm are folded into the convolutions, so small batches train well
and a step costs no norm.

Shape suffixes: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.winograd import Conv3x3
from halfsmile.utils.ranges import require_positive, require_shares

MEAN = (122.782, 117.001, 104.298)
"""Red, green and blue of the mean face that the network learned with, in 0 to 255."""

WIDTHS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
"""Channels of the blocks; the first of each width beyond the first width halves the resolution, and so does
the last block of all."""

HALVES = (3, 7, 10, 13)
"""The blocks that halve the resolution."""

SIZE = 150
"""Side in pixels of the faces that it learned from."""

_SMALLEST = 67


@dataclass(frozen=True, kw_only=True)
class FaceNetworkConfig:
    """Shape of the face network.

    Args:
        image_size: Side of the square input in pixels, at least 67. Maps fit each other without a border of
            zeros at 67 and 99 px.
        channels: 3 for RGB, or 1 for gray: the first convolution's weights are then the sum over its colors,
            which is exact for a gray picture repeated in all of them.
        last_block: Whether the last block, of :data:`HALVES`, is there. It sums up who somebody is; on faces
            below 150 px it has almost nothing left to see.
        drop_path: Stochastic-depth rate of the last block; rises linearly from 0 (arXiv 1603.09382).

    Raises:
        ValueError: If a number is out of its range.
    """

    image_size: int = 99
    channels: int = 3
    last_block: bool = False
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        require_shares(drop_path=self.drop_path)
        require_positive(image_size=self.image_size)
        if self.channels not in (1, 3):
            raise ValueError(f"channels is 1 (gray) or 3 (RGB), got {self.channels}.")
        if self.image_size < _SMALLEST:
            raise ValueError(
                f"The face network takes faces of {_SMALLEST} px and more, found image_size "
                f"{self.image_size}."
            )

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(WIDTHS) if self.last_block else len(WIDTHS) - 1

    @property
    def width(self) -> int:
        """Dimension of the feature."""
        return WIDTHS[-1]

    @property
    def mean(self) -> tuple[float, ...]:
        """Per-channel mean that is subtracted from images in [0, 1]."""
        return tuple(value / 255 for value in MEAN) if self.channels == 3 else (sum(MEAN) / 3 / 255,)

    @property
    def std(self) -> tuple[float, ...]:
        """What they are divided by then: 256 gray levels, not their deviation."""
        return (256 / 255,) * self.channels


class Block(nn.Module):
    """Two 3 × 3 convolutions and a shortcut.

    Where the resolution is halved, the first convolution has a stride of 2 and no padding, and the shortcut
    takes means of 2 × 2. What is smaller then, in height, width or channels, is filled up with zeros at the
    right, at the bottom and at the end, as in dlib's ``add_prev``.

    Args:
        width: Channels of the input.
        wide: Channels of the output, no fewer.
        halves: Whether the resolution is halved.
        drop_path: Chance in training that a face skips the convolutions.
    """

    def __init__(self, width: int, wide: int, *, halves: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        self.halves = halves
        self.drop_path = drop_path
        self.conv1 = nn.Conv2d(width, wide, 3, stride=2) if halves else Conv3x3(width, wide, bias=True)
        self.conv2 = Conv3x3(wide, wide, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, wide, H', W')."""
        y = self.conv2(F.relu(self.conv1(x), inplace=True))
        if self.drop_path and self.training:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop_path
            y = y * kept / (1 - self.drop_path)
        if self.halves:
            x = F.avg_pool2d(x, 2)
        height, width = max(x.shape[2], y.shape[2]), max(x.shape[3], y.shape[3])
        return F.relu(_filled(y, y.shape[1], height, width) + _filled(x, y.shape[1], height, width))


def _filled(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Maps with zeros at the end of each of the last three dimensions."""
    missing = (0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1])
    return F.pad(x, missing) if any(missing) else x


class FaceNetwork(nn.Module):
    """Encoder that has learned to tell people apart.

    Args:
        config: Its shape.

    Example:
        >>> FaceNetwork(FaceNetworkConfig(image_size=67, channels=1))(torch.rand(2, 1, 67, 67)).shape
        torch.Size([2, 256])
    """

    def __init__(self, config: FaceNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)
        self.patch_embed = nn.Conv2d(config.channels, WIDTHS[0], 7, stride=2)
        rates = torch.linspace(0, config.drop_path, config.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList()
        width = WIDTHS[0]
        for i in range(config.depth):
            block = Block(width, WIDTHS[i], halves=i in HALVES, drop_path=rates[i])
            self.blocks.append(block)
            width = WIDTHS[i]
        for name, parameter in self.named_parameters():
            if name.endswith(("bias", "conv2.weight")):  # a block is idle at first
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [0, 1], shape (B, C, H, W), less the mean face, in units of 256 gray levels.

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
        expected = (self.config.channels, self.config.image_size, self.config.image_size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"Images have shape {tuple(images.shape[1:])}, this encoder takes {expected}.")
        return (images - self.mean) / self.std  # type: ignore[operator]

    def maps(self, images: Tensor) -> list[Tensor]:
        """The map after each block, of images (B, C, H, W) in [0, 1]."""
        x = self.normalize(images).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.patch_embed(x), inplace=True), 3, stride=2)
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, 256) of images (B, C, H, W) in [0, 1].

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
        return self.maps(images)[-1].mean(dim=(2, 3))


class FaceEmbedding(nn.Module):
    """The whole network: faces to 128 numbers that are close for the same person.

    Two pictures show the same person when their distance is below 0.6 (its author's threshold, 99.38 % on
    LFW), for color faces of 150 px cut as dlib cuts them.

    Args:
        config: Its shape, with the last block.

    Raises:
        ValueError: If the last block is missing.
    """

    def __init__(self, config: FaceNetworkConfig | None = None) -> None:
        super().__init__()
        config = config or FaceNetworkConfig(image_size=SIZE, last_block=True)
        if not config.last_block:
            raise ValueError("Embeddings need the network's last block (last_block=True).")
        self.encoder = FaceNetwork(config)
        self.projection = nn.Linear(config.width, 128, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings (B, 128) of images (B, C, H, W) in [0, 1]."""
        return self.projection(self.encoder(images))  # type: ignore[no-any-return]
