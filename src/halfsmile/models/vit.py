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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.patches import ConvStem, PatchEmbed, init_weights, pixel_mask, sincos_positions
from halfsmile.models.vit_config import Activation, VitConfig

SHORT_SEQUENCE = 64
"""Up to this many tokens the plain attention trains faster than the fused kernel on a CPU."""


class DropPath(nn.Module):
    """Stochastic depth per sample (arXiv 1603.09382): a residual branch is dropped or scaled up.

    Args:
        rate: Chance that a sample's branch is dropped in training, in [0, 1).
    """

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
    """Multi-head self-attention.

    Args:
        width: Token dimension D.
        heads: K, divides ``width``.
    """

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
    """Two linear layers with a GELU, or CLIP's approximation of it, between them.

    Args:
        width: Token dimension D.
        hidden: Dimension between the layers.
        activation: See :class:`VitConfig`.
    """

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
    """Pre-norm Transformer block.

    Args:
        width: Token dimension D.
        heads: Attention heads, divides ``width``.
        mlp_ratio: Hidden width of the MLP over D.
        drop_path: Stochastic-depth rate of both branches, in [0, 1).
        activation: See :class:`VitConfig`.
        norm_epsilon: Added to the variance by both layer normalizations.
    """

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
        """Images in [0, 1], shape (B, C, H, W), to zero mean and unit deviation per channel.

        Raises:
            ValueError: If the images do not have the configured size and channels.
        """
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
            x = x * pixel_mask(keep, self.config).to(x.dtype)
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
