"""Vision Transformer for faces, with the parameter names of MAE, index-aware for masked pre-training.

Notable choices:

* Any image size, patch size and number of channels; sizes from ``tiny`` to ``large``.
* ``patch_embed`` is a strided convolution (Dosovitskiy et al. 2020, arXiv 2010.11929) or, with ``stem``
  widths given, a small residual convolutional network of the same total stride (early convolutions: Xiao et
  al. 2021, arXiv 2106.14881; before a masked autoencoder: Gao et al. 2022, arXiv 2205.03892).
* ``keep`` selects the visible patches by index, so that a masked autoencoder's Transformer never computes
  hidden ones (He et al. 2021, arXiv 2111.06377). A convolutional stem sees hidden pixels as zeros.
* Images come in [0, 1]; the normalization is part of the network, so that every user of it agrees.
* Attention is the fused kernel, except when training on a CPU with the short sequences of small faces: there
  its backward pass is slower than that of the plain softmax(QKᵀ/√d)V.

Shape suffixes: B batch, C channels, H height, W width, N tokens, D width, K heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["gelu", "quick_gelu"]

SHORT_SEQUENCE = 64
"""Up to this many tokens the plain attention trains faster than the fused kernel on a CPU."""


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """Shape of a Vision Transformer.

    Args:
        image_size: Side of the square input in pixels; a multiple of ``patch_size``.
        patch_size: Side of a patch in pixels.
        channels: 1 for grey, 3 for RGB.
        width: Token dimension D.
        depth: Number of Transformer blocks.
        heads: Attention heads; divides ``width``.
        mlp_ratio: Hidden width of a block's MLP over D.
        stem: Widths of the convolutional stem, one a halving of the resolution; empty for plain patches.
            ``2 ** (len(stem) + 1)`` equals ``patch_size``.
        drop_path: Stochastic-depth rate of the last block; rises linearly from 0 (arXiv 1603.09382).
        pooling: ``token`` reads the class token, ``average`` the mean of the patch tokens.
        pre_norm: Normalize the tokens before the first block, as CLIP's encoders do.
        activation: Of the MLPs; ``quick_gelu`` is x · sigmoid(1.702 x), as in CLIP.
        norm_epsilon: Added to the variance by every layer normalization.
        mean: Per-channel mean that is subtracted from images in [0, 1].
        std: Per-channel standard deviation that they are divided by.

    Raises:
        ValueError: If the numbers do not fit together.
    """

    image_size: int = 224
    patch_size: int = 16
    channels: int = 3
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    stem: tuple[int, ...] = ()
    drop_path: float = 0.0
    pooling: Literal["token", "average"] = "token"
    pre_norm: bool = False
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-6
    mean: tuple[float, ...] = (0.588, 0.459, 0.402)
    std: tuple[float, ...] = (0.228, 0.202, 0.190)

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}; "
                f"the next one is {math.ceil(self.image_size / self.patch_size) * self.patch_size}."
            )
        if self.width % self.heads or self.width % 4:
            raise ValueError(
                f"width {self.width} must be a multiple of heads ({self.heads}) and of 4 (sin-cos positions)."
            )
        if self.stem and 2 ** (len(self.stem) + 1) != self.patch_size:
            raise ValueError(
                f"A stem of {len(self.stem)} widths has stride {2 ** (len(self.stem) + 1)}, "
                f"but patch_size is {self.patch_size}."
            )
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(
                f"mean and std need {self.channels} values each (channels), "
                f"found {len(self.mean)} and {len(self.std)}."
            )

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        """Patches of an image."""
        return self.grid**2


VIT_SIZES: dict[str, VitConfig] = {
    "tiny": VitConfig(width=192, depth=12, heads=3),
    "small": VitConfig(width=384, depth=12, heads=6),
    "base": VitConfig(width=768, depth=12, heads=12),
    "large": VitConfig(width=1024, depth=24, heads=16),
}


def vit_config(size: str, **changes: object) -> VitConfig:
    """A named size with some fields replaced.

    Raises:
        ValueError: If the size is unknown.

    Example:
        >>> vit_config("small", image_size=112).num_patches
        49
    """
    if size not in VIT_SIZES:
        raise ValueError(f"Unknown ViT size {size!r}; known are {list(VIT_SIZES)}.")
    return replace(VIT_SIZES[size], **changes)  # type: ignore[arg-type]


def sincos_positions(width: int, grid: int, *, class_token: bool = True) -> Tensor:
    """Fixed two-dimensional sine-cosine position embeddings as in MAE: half of the width for x, half for y.

    Returns:
        Shape (1, [1 +] grid², width); the class token's row, where asked for, is zero.
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


class DropPath(nn.Module):
    """Stochastic depth per sample (arXiv 1603.09382): a residual branch is dropped or scaled up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop whole samples of x, shape (B, ...), in training; do nothing in evaluation."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return x * (torch.rand(shape, device=x.device) < keep).to(x.dtype) / keep


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def _heads(self, x_BND: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: N803
        B, N, D = x_BND.shape  # noqa: N806
        q, k, v = self.qkv(x_BND).reshape(B, N, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def weights(self, x_BND: Tensor) -> Tensor:  # noqa: N803
        """Attention weights, shape (B, K, N, N); every row sums to 1."""
        q, k, _ = self._heads(x_BND)
        return ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1)  # type: ignore[no-any-return]

    def forward(self, x_BND: Tensor) -> Tensor:  # noqa: N803
        """Mix the tokens; shape (B, N, D) in and out."""
        q, k, v = self._heads(x_BND)
        if x_BND.device.type == "cpu" and torch.is_grad_enabled() and x_BND.shape[1] <= SHORT_SEQUENCE:
            mixed = ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(x_BND.shape))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    """Two linear layers with a GELU, or CLIP's approximation of it, between them."""

    def __init__(self, width: int, hidden: int, activation: Activation = "gelu") -> None:
        super().__init__()
        self.quick = activation == "quick_gelu"
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., D) in and out."""
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Pre-norm Transformer block."""

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        *,
        activation: Activation = "gelu",
        norm_epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_epsilon)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=norm_epsilon)
        self.mlp = Mlp(width, int(width * mlp_ratio), activation)
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BND: Tensor) -> Tensor:  # noqa: N803
        """Shape (B, N, D) in and out."""
        x_BND = x_BND + self.drop_path(self.attn(self.norm1(x_BND)))  # noqa: N806
        return x_BND + self.drop_path(self.mlp(self.norm2(x_BND)))  # type: ignore[no-any-return]


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each projected to a token."""

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
    """Pre-norm residual unit of two 3×3 convolutions."""

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


class VisionTransformer(nn.Module):
    """Encoder that all stages share.

    Args:
        config: Its shape.

    Example:
        >>> encoder = VisionTransformer(VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=2))
        >>> encoder(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 32])
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)
        self.patch_embed: nn.Module = ConvStem(config) if config.stem else PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(sincos_positions(config.width, config.grid))
        epsilon = config.norm_epsilon
        self.norm_pre = nn.LayerNorm(config.width, eps=epsilon) if config.pre_norm else nn.Identity()
        rates = torch.linspace(0, config.drop_path, config.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                config.heads,
                config.mlp_ratio,
                rate,
                activation=config.activation,
                norm_epsilon=epsilon,
            )
            for rate in rates
        )
        self.norm = nn.LayerNorm(config.width, eps=epsilon)
        self.apply(init_weights)
        nn.init.normal_(self.cls_token, std=0.02)

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [0, 1], shape (B, C, H, W), to zero mean and unit deviation per channel."""
        expected = (self.config.channels, self.config.image_size, self.config.image_size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"Images have shape {tuple(images.shape[1:])}, this encoder takes {expected}.")
        return (images - self.mean) / self.std  # type: ignore[operator]

    def embed(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """Tokens before the first block: class token and patches with their positions.

        Args:
            images: (B, C, H, W) in [0, 1].
            keep: (B, V) integer indices of the visible patches; None for all.

        Returns:
            (B, 1 + V, D).
        """
        x = self.normalize(images)
        if keep is not None and self.config.stem:
            x = x * _pixel_mask(keep, self.config).to(x.dtype)
        tokens = self.patch_embed(x) + self.pos_embed[:, 1:]
        if keep is not None:
            tokens = tokens.gather(1, keep.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(tokens.shape[0], -1, -1)
        return self.norm_pre(torch.cat([cls.to(tokens.dtype), tokens], dim=1))  # type: ignore[no-any-return]

    def tokens(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """Tokens after the last block, before the final norm; arguments and shape as :meth:`embed`."""
        x = self.embed(images, keep)
        for block in self.blocks:
            x = block(x)
        return x

    def pool(self, tokens: Tensor) -> Tensor:
        """Feature of an image from its tokens: (B, 1 + N, D) to (B, D), normalized after pooling."""
        pooled = tokens[:, 0] if self.config.pooling == "token" else tokens[:, 1:].mean(dim=1)
        return self.norm(pooled)  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W) in [0, 1].

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
        return self.pool(self.tokens(images))

    @torch.no_grad()
    def attention_maps(self, images: Tensor) -> Tensor:
        """Attention weights of every block, shape (depth, B, K, 1 + N, 1 + N); rows sum to 1."""
        x = self.embed(images)
        maps = []
        for block in self.blocks:
            maps.append(block.attn.weights(block.norm1(x)))  # type: ignore[union-attr, operator]
            x = block(x)
        return torch.stack(maps)


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
    """Inverse of :func:`patchify` with channels last: (B, N, p² · C) to (B, C, H, W), for square grids."""
    B, N, _ = patches.shape  # noqa: N806
    grid, p = math.isqrt(N), patch_size
    cut = patches.reshape(B, grid, grid, p, p, channels)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(B, channels, grid * p, grid * p)


def _pixel_mask(keep: Tensor, config: VitConfig) -> Tensor:
    visible = torch.zeros(keep.shape[0], config.num_patches, device=keep.device)
    visible.scatter_(1, keep, 1.0)
    grid = visible.view(-1, 1, config.grid, config.grid)
    return grid.repeat_interleave(config.patch_size, 2).repeat_interleave(config.patch_size, 3)


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
