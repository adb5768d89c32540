"""Shape of a Vision Transformer: a frozen dataclass, and the field's named sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from halfsmile.utils.ranges import require_positive, require_shares

Activation = Literal["gelu", "quick_gelu"]


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """Shape of a Vision Transformer.

    Args:
        image_size: Side of the square input in pixels; a multiple of ``patch_size``.
        patch_size: Side of a patch in pixels.
        channels: 1 for gray, 3 for RGB.
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
        require_positive(image_size=self.image_size, patch_size=self.patch_size, channels=self.channels)
        require_positive(width=self.width, depth=self.depth, heads=self.heads, mlp_ratio=self.mlp_ratio)
        require_shares(drop_path=self.drop_path)
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
