"""From pixels to tokens: patches, their embedding by one convolution or a stem of several, their positions.

Shape suffixes: B batch, C channels, H height, W width, N tokens, D width.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.vit_config import VitConfig


def sincos_positions(width: int, grid: int, *, class_token: bool = True) -> Tensor:
    """Fixed two-dimensional sine-cosine position embeddings as in MAE: half of the width for x, half for y.

    Args:
        width: Token dimension D, a multiple of 4.
        grid: Patches along a side.
        class_token: Put a row of zeros first.

    Returns:
        Shape (1, [1 +] grid², width), in [−1, 1].
    """
    omega = 1.0 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    steps = torch.arange(grid, dtype=torch.float64)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    parts = []
    for positions in (columns, rows):
        angles = positions.reshape(-1, 1) * omega
        parts += [angles.sin(), angles.cos()]
    table = torch.cat(parts, dim=1).float()  # (grid², width)
    if class_token:
        table = torch.cat([torch.zeros(1, width), table])
    return table.unsqueeze(0)


def patchify(images: Tensor, patch_size: int, *, channels_first: bool = False) -> Tensor:
    """Cut images into patches: (B, C, H, W) to (B, N, patch_size² · C), row by row.

    Args:
        images: H and W are multiples of ``patch_size``.
        patch_size: Side of a patch.
        channels_first: Order of a patch's pixels: (C, p, p) as in convolutions, else MAE's (p, p, C).
    """
    B, C, H, W = images.shape  # noqa: N806
    p = patch_size
    cut = images.reshape(B, C, H // p, p, W // p, p)
    order = (0, 2, 4, 1, 3, 5) if channels_first else (0, 2, 4, 3, 5, 1)
    return cut.permute(*order).reshape(B, (H // p) * (W // p), p * p * C)


def unpatchify(patches: Tensor, patch_size: int, channels: int) -> Tensor:
    """Inverse of :func:`patchify` with channels last: (B, N, p² · C) to (B, C, H, W), for square grids.

    Example:
        >>> images = torch.rand(2, 3, 32, 32)
        >>> patches = patchify(images, 8)
        >>> patches.shape, torch.equal(unpatchify(patches, 8, 3), images)
        (torch.Size([2, 16, 192]), True)
    """
    B, N, _ = patches.shape  # noqa: N806
    grid, p = math.isqrt(N), patch_size
    cut = patches.reshape(B, grid, grid, p, p, channels)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(B, channels, grid * p, grid * p)


def pixel_mask(keep: Tensor, config: VitConfig) -> Tensor:
    """(B, 1, H, W), 1 on the pixels of the patches in ``keep`` (B, V), 0 on hidden ones."""
    visible = torch.zeros(keep.shape[0], config.num_patches, device=keep.device)
    visible.scatter_(1, keep, 1.0)
    grid = visible.view(-1, 1, config.grid, config.grid)
    return grid.repeat_interleave(config.patch_size, 2).repeat_interleave(config.patch_size, 3)


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each projected to a token.

    Args:
        config: Its ``channels``, ``patch_size`` and ``width`` count.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.proj = nn.Conv2d(config.channels, config.width, config.patch_size, stride=config.patch_size)

    def forward(self, images_BCHW: Tensor) -> Tensor:  # noqa: N803
        """Shape (B, C, H, W) to (B, N, D).

        The strided convolution is computed as a matrix product, which needs no copy into a blocked layout.
        """
        patches = patchify(images_BCHW, self.patch_size, channels_first=True)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel: hidden pixels never change the statistics of others."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W) in and out; a view and no copy in the channels-last layout."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResidualConv(nn.Module):
    """Pre-norm residual unit of two 3×3 convolutions.

    Args:
        width: Channels C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(width, eps=1e-6)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = ChannelNorm(width, eps=1e-6)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W) in and out."""
        hidden = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(hidden)))  # type: ignore[no-any-return]


class ConvStem(nn.Module):
    """Residual convolutions that halve the resolution down to the patch grid.

    Stride-2 convolution to the first width, then for each width a residual unit and a stride-2 convolution to
    the next one (the last one to the token width).

    Args:
        config: Its ``channels``, ``stem`` and ``width`` count.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        widths = (*config.stem, config.width)
        self.first = nn.Conv2d(config.channels, widths[0], 3, stride=2, padding=1)
        self.units = nn.ModuleList(ResidualConv(width) for width in config.stem)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))

    def _halve(self, images_BCHW: Tensor) -> Tensor:  # noqa: N803
        """The first convolution as a matrix product: fast for few channels, channels-last at once."""
        B, _, H, W = images_BCHW.shape  # noqa: N806
        windows = F.unfold(images_BCHW, 3, padding=1, stride=2).transpose(1, 2)
        x = F.linear(windows, self.first.weight.flatten(1), self.first.bias)
        return x.view(B, H // 2, W // 2, -1).permute(0, 3, 1, 2)

    def forward(self, images_BCHW: Tensor) -> Tensor:  # noqa: N803
        """Shape (B, C, H, W) to (B, N, D)."""
        x = self._halve(images_BCHW)
        for unit, down in zip(self.units, self.down, strict=True):
            x = down(F.relu(unit(x)))
        return x.flatten(2).transpose(1, 2)


def init_weights(module: nn.Module) -> None:
    """Initialize as MAE does: Xavier-uniform linear layers and patch projection, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, PatchEmbed):
        nn.init.xavier_uniform_(module.proj.weight.view(module.proj.weight.shape[0], -1))
    elif isinstance(module, ConvStem):
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
