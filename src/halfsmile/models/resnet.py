"""Convolutional encoder for small faces: a residual network with a light stem, pre-trained by masking too.

He et al. 2015, "Deep Residual Learning" (arXiv 1512.03385), in the shape that suits pictures of 40 to 112 px:
one 3×3 convolution of stride 2 in place of the 7×7 one and its pooling, then stages of basic blocks (timm's),
each halving the resolution but the first. From few labels it learns several times as fast as a Transformer of
the same cost. The last norm of a block starts at one: at zero (arXiv 1706.02677), blocks are idle at first,
which short schedules never make up for.

In Stage I the hidden patches are zero in the input and in every map at or above the patch grid's resolution,
so that nothing of them passes a border (after SparK, arXiv 2301.03580, and SimMIM, arXiv 2111.09886).

Shape suffixes: B batch, C channels, H height, W width, D width of the last stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from halfsmile.models.winograd import Conv3x3
from halfsmile.utils.ranges import require_positive, require_shares


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """Shape of a residual network.

    Args:
        image_size: Side of the square input in pixels.
        patch_size: Side in pixels of the patches that Stage I hides; a power of two that divides
            ``image_size``, at most the network's total stride.
        channels: 1 for gray, 3 for RGB.
        widths: Channels of each stage.
        depths: Basic blocks of each stage.
        stem: ``light`` is one 3×3 convolution of stride 2; ``published`` the 7×7 one and its pooling, as in
            the paper and in torchvision, whose weights then fit.
        drop_path: Stochastic-depth rate of the last block; rises linearly from 0 (arXiv 1603.09382).
        mean: Per-channel mean that is subtracted from images in [0, 1].
        std: Per-channel standard deviation that they are divided by.

    Raises:
        ValueError: If the numbers do not fit together.
    """

    image_size: int = 48
    patch_size: int = 8
    channels: int = 1
    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (1, 2, 2, 2)
    stem: Literal["light", "published"] = "light"
    drop_path: float = 0.0
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)

    def __post_init__(self) -> None:
        require_positive(image_size=self.image_size, channels=self.channels)
        require_positive(**{f"widths[{i}]": width for i, width in enumerate(self.widths)})
        require_shares(drop_path=self.drop_path)
        if not self.widths or len(self.widths) != len(self.depths) or min(self.depths) < 1:
            raise ValueError(
                f"widths {self.widths} and depths {self.depths} need one positive number a stage each."
            )
        if self.patch_size & (self.patch_size - 1) or not 2 <= self.patch_size <= self.stride:
            raise ValueError(
                f"patch_size {self.patch_size} must be a power of two from 2 to the total stride "
                f"{self.stride}."
            )
        if self.image_size % self.stride:
            below = self.image_size // self.stride * self.stride
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of the total stride {self.stride}; "
                f"the next ones are {below} and {below + self.stride}."
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(
                f"mean and std need {self.channels} values each (channels), "
                f"found {len(self.mean)} and {len(self.std)}."
            )

    @property
    def stride(self) -> int:
        """Pixels of a side of the input for one of the last map."""
        return int(2 ** (len(self.widths) + (self.stem == "published")))

    @property
    def width(self) -> int:
        """Dimension D of the feature."""
        return self.widths[-1]

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        """Patches of an image."""
        return self.grid**2


class ResNet(nn.Module):
    """Encoder that all stages share, in place of a Transformer.

    Args:
        config: Its shape.

    Example:
        >>> encoder = ResNet(ResNetConfig(image_size=32, widths=(8, 16, 16), depths=(1, 1, 1)))
        >>> encoder(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 16])
    """

    def __init__(self, config: ResNetConfig) -> None:
        # Not above: it takes longer to import than torch, and Transformers do without.
        from timm.layers.drop import DropPath
        from timm.models.resnet import BasicBlock, downsample_conv

        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)
        first = config.widths[0]
        side = 3 if config.stem == "light" else 7
        self.patch_embed = nn.Sequential(
            nn.Conv2d(config.channels, first, side, stride=2, padding=side // 2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        if config.stem == "published":
            self.patch_embed.append(nn.MaxPool2d(3, stride=2, padding=1))
        rates = iter(torch.linspace(0, config.drop_path, sum(config.depths), device="cpu").tolist())
        self.blocks = nn.ModuleList()
        width = first
        for stage, (wide, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            for i in range(depth):
                stride = 2 if stage and not i else 1
                shortcut = None
                if stride > 1 or width != wide:
                    shortcut = downsample_conv(width, wide, kernel_size=1, stride=stride)
                rate = next(rates)
                drop_path = DropPath(rate) if rate else None
                block = BasicBlock(width, wide, stride=stride, downsample=shortcut, drop_path=drop_path)
                if stride == 1:
                    block.conv1 = Conv3x3(width, wide)
                block.conv2 = Conv3x3(wide, wide)
                self.blocks.append(block)
                width = wide
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [0, 1], shape (B, C, H, W), to zero mean and unit deviation per channel.

        In training mode smaller ones may be shown, whose side is a multiple of the total stride.

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
        expected = (self.config.channels, self.config.image_size, self.config.image_size)
        channels, height, width = images.shape[1:]
        smaller = (
            self.training and height == width < self.config.image_size and not width % self.config.stride
        )
        if tuple(images.shape[1:]) != expected and not (smaller and channels == self.config.channels):
            raise ValueError(f"Images have shape {tuple(images.shape[1:])}, this encoder takes {expected}.")
        return (images - self.mean) / self.std  # type: ignore[operator]

    def maps(self, images: Tensor, visible: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Feature maps of images (B, C, H, W) in [0, 1].

        Args:
            images: Faces.
            visible: (B, grid, grid), 1 for the patches that may be seen and 0 for hidden ones; None for all.

        Returns:
            The last map at the patch grid's resolution and the last one of all, (B, D', grid, grid) and
            (B, D, H / stride, W / stride).
        """
        x = self.normalize(images).contiguous(memory_format=torch.channels_last)
        if visible is not None:
            x = hide(x, visible)
        x = self.patch_embed(x)
        at_grid = x
        for block in self.blocks:
            if visible is not None:
                x = hide(x, visible)
            x = block(x)
            if x.shape[-1] == self.config.grid:
                at_grid = x
        return at_grid, x

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W) in [0, 1].

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
        return self.maps(images)[1].mean(dim=(2, 3))


def hide(x: Tensor, visible: Tensor) -> Tensor:
    """Zero the hidden patches of maps (B, C, H, W), where H is a multiple of the grid; leave coarser maps.

    Args:
        x: The maps.
        visible: (B, grid, grid), 1 for visible patches and 0 for hidden ones.
    """
    grid = visible.shape[-1]
    if x.shape[-1] < grid:
        return x
    mask = visible.to(x.dtype).unsqueeze(1)
    factor = math.ceil(x.shape[-1] / grid)
    return x * mask.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
