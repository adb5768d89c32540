"""The convolution sees as far as it says, and no further."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from halfsmile.models.temporal.convolution import TemporalConvolution, make_network
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalEncoder

CONFIG = TemporalConfig(kind="convolution", width=8, depth=2, heads=1, dropout=0.0)
FRAMES = 30


def network(config: TemporalConfig) -> TemporalConvolution:
    torch.manual_seed(0)
    return TemporalConvolution(config, features=4, classes=3).eval()


@pytest.mark.parametrize(
    ("depth", "delay"), [(0, None), (0, 0), (1, None), (1, 2), (2, 0), (2, 5), (3, None), (3, 0), (3, 9)]
)
def test_logits_change_within_the_context_and_nowhere_else(depth: int, delay: int | None) -> None:
    model = network(replace(CONFIG, depth=depth, delay=delay))
    past, future = model.context
    reach = 2**depth - 1
    features = torch.randn(1, FRAMES, 4, generator=torch.Generator().manual_seed(1))
    times, present = torch.arange(FRAMES)[None] / 25, torch.ones(1, FRAMES, dtype=torch.bool)
    other = features.clone()
    other[:, 10] += 1
    change = (model(other, times, present) - model(features, times, present)).abs().sum(dim=(0, 2))
    found = torch.nonzero(change).flatten().tolist()
    if delay is None:
        assert (min(found), max(found)) == (10 - reach, 10 + reach)
    else:
        assert (min(found), max(found)) == (10 - delay, 10 - delay + 2 * reach)
    assert all(-future <= frame - 10 <= past for frame in found)


def test_a_delay_beyond_the_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="would leave out the frame itself"):
        network(replace(CONFIG, depth=1, delay=3))


def test_a_block_is_the_convolution_of_its_neighbors() -> None:
    model = network(replace(CONFIG, depth=1))
    features = torch.randn(1, 3, 4)
    x = model.input(features)
    block = model.blocks[0]
    assert isinstance(block, nn.Conv1d)
    taps = block.weight
    left, middle, right = model.norms[0](x)[0]
    inner = taps[:, :, 0] @ left + taps[:, :, 1] @ middle + taps[:, :, 2] @ right + block.bias
    expected = model.classify(x[0, 1] + nn.functional.gelu(inner))
    found = model(features, torch.arange(3)[None] / 25, torch.ones(1, 3, dtype=torch.bool))[0, 1]
    torch.testing.assert_close(found, expected)


def test_the_configuration_names_the_network() -> None:
    assert isinstance(make_network(CONFIG, features=4, classes=3), TemporalConvolution)
    kind = replace(CONFIG, kind="transformer")
    assert isinstance(make_network(kind, features=4, classes=3), TemporalEncoder)
