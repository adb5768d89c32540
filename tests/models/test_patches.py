from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.patches import ConvStem, patchify, sincos_positions, unpatchify
from halfsmile.models.vit_config import VitConfig

TINY = VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=4)
STEM = replace(TINY, stem=(4, 8))


def test_positions_follow_the_formula() -> None:
    table = sincos_positions(16, 3)[0]
    assert table.shape == (10, 16)
    assert table[0].abs().max() == 0
    for row in range(3):
        for column in range(3):
            expected = []
            for position in (column, row):
                angles = [position / 10000 ** (i / 4) for i in range(4)]
                expected += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            torch.testing.assert_close(table[1 + 3 * row + column], torch.tensor(expected))


def channel_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
    scaled = (x - mean) / (variance + norm.eps).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def test_stem_computes_its_convolutions() -> None:
    torch.manual_seed(0)
    stem: Any = ConvStem(STEM)
    with torch.no_grad():
        for parameter in stem.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    images = torch.rand(3, STEM.channels, STEM.image_size, STEM.image_size)
    x = F.conv2d(images, stem.first.weight, stem.first.bias, stride=2, padding=1)
    for unit, down in zip(stem.units, stem.down, strict=True):
        hidden = unit.conv1(channel_norm(x, unit.norm1).relu())
        x = down((x + unit.conv2(channel_norm(hidden, unit.norm2).relu())).relu())
    torch.testing.assert_close(stem(images), x.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5)


@given(
    patch=st.sampled_from([1, 2, 3, 8]),
    grid=st.integers(1, 4),
    channels=st.sampled_from([1, 3]),
    batch=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_patchify_round_trip(patch: int, grid: int, channels: int, batch: int) -> None:
    side = patch * grid
    images = torch.arange(batch * channels * side * side).float().view(batch, channels, side, side)
    patches = patchify(images, patch)
    assert patches.shape == (batch, grid * grid, patch * patch * channels)
    assert torch.equal(unpatchify(patches, patch, channels), images)
    last = patches[0, -1].view(patch, patch, channels).permute(2, 0, 1)
    assert torch.equal(last, images[0, :, side - patch :, side - patch :])
    assert torch.equal(patchify(images, patch, channels_first=True)[0, -1].view(channels, patch, patch), last)
