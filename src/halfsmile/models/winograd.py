"""3×3 convolutions with a third of the multiplications, for training on processors without matrix units.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308): a tile of t × t
outputs takes (t + 2)² products for each pair of channels instead of 9t². The matrices come from Toom and
Cook's polynomial products, transposed. In float32 the outcome differs from a direct sum by a few millionths
of its largest value. oneDNN has only direct sums on x86, which is why this is here.

Shape suffixes: B batch, C channels in, O channels out, H height, W width, N tiles, K (t + 2)² products.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_LEAST_CHANNELS = {"AVX2": 64, "AVX512": 256}
"""By what the processor computes with. Below, cutting and joining tiles costs more than the products saved;
with wider units direct sums are faster, but for the small maps that wide layers have."""

_AT_ONCE = 2**19
"""Transformed numbers that are worked on at once: 2 MiB, which a core's cache can hold."""

_POINTS = {2: (0.0, 1.0, -1.0), 3: (0.0, 1.0, -1.0, 2.0), 4: (0.0, 1.0, -1.0, 2.0, -2.0)}
"""Where the polynomials are evaluated, for each side of a tile; infinity is one more point."""


@cache
def transforms(tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices that take a tile of the input, the weights, and the products to where they are needed.

    With input patches x ((t + 2)², ·), weights w (9, ·) and outputs y (t², ·), both cut row by row:
    ``y = output @ ((input @ x) * (weight @ w))``.

    Args:
        tile: Side t of a tile of the output: 2, 3 or 4.

    Returns:
        ``input`` (K, K), ``weight`` (K, 9) and ``output`` (t², K), float32.
    """
    size = tile + 2
    points = torch.tensor(_POINTS[tile], dtype=torch.float64)

    def values(terms: int) -> Tensor:
        """Powers of each point, and of infinity: what a polynomial of so many terms is there."""
        powers = points[:, None] ** torch.arange(terms)
        return torch.cat([powers, F.one_hot(torch.tensor([terms - 1]), terms)])

    one_sided = torch.linalg.inv(values(size)).T, values(3), values(tile).T
    both = [torch.kron(matrix, matrix).float() for matrix in one_sided]
    return both[0], both[1], both[2]


def best_tile(height: int, width: int) -> int:
    """Side of the tiles that cover a map with the fewest products."""
    return min(_POINTS, key=lambda t: -(-height // t) * -(-width // t) * (t + 2) ** 2)


class Winograd(torch.autograd.Function):
    """Outputs (B, O, H, W) of inputs (B, C, H, W) and weights (O, C, 3, 3), zeros around, channels last."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Cut into patches, transform, multiply, transform back; both factors are kept for the gradients."""
        (B, C, H, W), O = x.shape, len(weight)  # noqa: N806, E741
        t = best_tile(H, W)
        rows, columns = -(-H // t), -(-W // t)
        to_input, to_weight, to_output = transforms(t)
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1 + columns * t - W, 1, 1 + rows * t - H))
        patches = padded.unfold(1, t + 2, t).unfold(2, t + 2, t).permute(4, 5, 0, 1, 2, 3)
        weights_KOC = (to_weight @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(-1, O, C)  # noqa: N806
        y = x.new_empty(B, rows * t, columns * t, O)
        ctx.maps = max(1, _AT_ONCE // (rows * columns * (t + 2) ** 2 * max(C, O)))
        inputs = []
        for cut, out in zip(torch.split(patches, ctx.maps, dim=2), torch.split(y, ctx.maps), strict=True):
            inputs_KNC = (to_input @ cut.reshape((t + 2) ** 2, -1)).view((t + 2) ** 2, -1, C)  # noqa: N806
            products = torch.bmm(inputs_KNC, weights_KOC.transpose(1, 2))
            tiles = (to_output @ products.view(len(products), -1)).view(t, t, -1, rows, columns, O)
            out.view(-1, rows, t, columns, t, O).copy_(tiles.permute(2, 3, 0, 4, 1, 5))
            inputs.append(inputs_KNC)
        ctx.save_for_backward(weights_KOC, *inputs)
        ctx.shape = (B, C, H, W)
        return y[:, :H, :W].contiguous().permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The same way back: every transform turned around, products with the other factor."""
        weights_KOC, *inputs = ctx.saved_tensors  # noqa: N806
        (B, C, H, W), O = ctx.shape, gradient.shape[1]  # noqa: N806, E741
        t = best_tile(H, W)
        rows, columns = -(-H // t), -(-W // t)
        to_input, to_weight, to_output = transforms(t)
        padded = F.pad(gradient.permute(0, 2, 3, 1), (0, 0, 0, columns * t - W, 0, rows * t - H))
        tiles = padded.reshape(B, rows, t, columns, t, O).permute(2, 4, 0, 1, 3, 5)
        sums = torch.zeros_like(weights_KOC)
        maps = gradient.new_zeros(B, rows + 1, t, columns + 1, t, C)
        cuts, outs = torch.split(tiles, ctx.maps, dim=2), torch.split(maps, ctx.maps)
        for inputs_KNC, cut, out in zip(inputs, cuts, outs, strict=True):  # noqa: N806
            products = (to_output.T @ cut.reshape(t * t, -1)).view((t + 2) ** 2, -1, O)
            if ctx.needs_input_grad[1]:
                sums.baddbmm_(products.transpose(1, 2), inputs_KNC)
            if ctx.needs_input_grad[0]:
                patches = to_input.T @ torch.bmm(products, weights_KOC).view(len(products), -1)
                _add_patches(patches.view(t + 2, t + 2, -1, rows, columns, C), out)
        of_weight = of_input = None
        if ctx.needs_input_grad[1]:
            of_weight = (to_weight.T @ sums.view(len(sums), -1)).view(3, 3, O, C).permute(2, 3, 0, 1)
        if ctx.needs_input_grad[0]:
            of_input = maps.view(B, (rows + 1) * t, (columns + 1) * t, C)[:, 1 : H + 1, 1 : W + 1]
            of_input = of_input.contiguous().permute(0, 3, 1, 2)
        return of_input, of_weight


def _add_patches(patches: Tensor, maps: Tensor) -> None:
    """Add patches (t + 2, t + 2, B, rows, columns, C) to maps (B, rows + 1, t, columns + 1, t, C) of tiles.

    A patch covers its tile and the first two rows and columns of the next ones.
    """
    t = len(patches) - 2
    patches = patches.permute(2, 3, 0, 4, 1, 5)
    maps[:, :-1, :, :-1] += patches[:, :, :t, :, :t]
    maps[:, 1:, :2, :-1] += patches[:, :, t:, :, :t]
    maps[:, :-1, :, 1:, :2] += patches[:, :, :t, :, t:]
    maps[:, 1:, :2, 1:, :2] += patches[:, :, t:, :, t:]


class Conv3x3(nn.Conv2d):
    """A 3×3 convolution, zeros around: trained by Winograd's products where they are faster.

    That is in float32, on a processor with AVX2 and nothing wider from 64 channels on, and with AVX-512 from
    256: 1.2 to 2 times as fast there (``benchmarks/convolutions.py``). Everywhere else, and where nothing is
    learned, it is torch's.

    Args:
        channels_in: Channels C of the input.
        channels_out: Channels O of the output.
        bias: Whether each channel of the output has one.
    """

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool = False) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, C, H, W) to (B, O, H, W)."""
        learns = self.training and torch.is_grad_enabled()
        if learns and _is_plain(x) and min(self.weight.shape[:2]) >= _least_channels():
            y: Tensor = Winograd.apply(x, self.weight)
            return y if self.bias is None else y + self.bias[:, None, None]
        return super().forward(x)


def _is_plain(x: Tensor) -> bool:
    """Whether numbers of 32 bits are computed on the processor, where no matrix units help torch."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _least_channels() -> float:
    return _LEAST_CHANNELS.get(torch.backends.cpu.get_cpu_capability(), math.inf)
