from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models import winograd
from halfsmile.models.winograd import Conv3x3, best_tile, transforms

sides = st.integers(1, 13)


@pytest.fixture
def narrow_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any machine passes for one with AVX2 and nothing wider."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


def answer_and_gradients(layer: nn.Conv2d, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = x.clone().requires_grad_()
    layer.weight.grad = None
    y = layer(x)
    y.backward(gradient)
    assert x.grad is not None
    assert layer.weight.grad is not None
    return y.detach(), x.grad, layer.weight.grad


def direct(layer: Conv3x3) -> nn.Conv2d:
    other = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1, bias=False)
    other.load_state_dict(layer.state_dict())
    return other.to(memory_format=torch.channels_last)


@pytest.mark.usefixtures("narrow_processor")
@given(batch=st.integers(1, 3), height=sides, width=sides, more=st.integers(0, 5), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_answers_and_gradients_are_those_of_a_direct_convolution(
    batch: int, height: int, width: int, more: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Conv3x3(64, 64 + more).to(memory_format=torch.channels_last)
    x = torch.randn(batch, 64, height, width).to(memory_format=torch.channels_last)
    gradient = torch.randn(batch, 64 + more, height, width)
    found = answer_and_gradients(layer, x, gradient)
    expected = answer_and_gradients(direct(layer), x, gradient)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert float((ours - theirs).abs().max()) <= 3e-5 * float(theirs.abs().max())


@pytest.mark.usefixtures("narrow_processor")
@pytest.mark.parametrize("at_once", [1, 2**12, 2**13])
def test_working_on_a_few_maps_at_once_changes_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = Conv3x3(64, 64).to(memory_format=torch.channels_last)
    x = torch.randn(5, 64, 3, 3).to(memory_format=torch.channels_last)
    whole = answer_and_gradients(layer, x, torch.ones_like(x))
    monkeypatch.setattr(winograd, "_AT_ONCE", at_once)
    parts = answer_and_gradients(layer, x, torch.ones_like(x))
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tile", [2, 3, 4])
def test_transforms_turn_a_correlation_into_products(tile: int) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(tile + 2, tile + 2), torch.randn(3, 3)
    of_input, of_weight, of_output = transforms(tile)
    found = of_output @ ((of_input @ x.flatten()) * (of_weight @ weight.flatten()))
    torch.testing.assert_close(
        found.view(tile, tile), F.conv2d(x[None, None], weight[None, None])[0, 0], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(("side", "tile"), [(2, 2), (3, 3), (4, 4), (6, 3), (8, 4), (12, 4), (16, 4)])
def test_tiles_waste_the_least(side: int, tile: int) -> None:
    assert best_tile(side, side) == tile


@pytest.mark.usefixtures("narrow_processor")
def test_results_lie_in_memory_as_the_next_layer_wants_them() -> None:
    layer = Conv3x3(64, 64).to(memory_format=torch.channels_last)
    for side in (3, 5, 12):
        x = torch.randn(2, 64, side, side).to(memory_format=torch.channels_last)
        y, of_x, of_weight = answer_and_gradients(layer, x, torch.ones(2, 64, side, side))
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert of_x.is_contiguous(memory_format=torch.channels_last)
        assert of_weight.stride() == layer.weight.stride()


@pytest.mark.usefixtures("narrow_processor")
def test_what_is_frozen_gets_no_gradient() -> None:
    layer = Conv3x3(64, 64)
    layer.weight.requires_grad_(False)
    x = torch.randn(1, 64, 6, 6, requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    layer.weight.requires_grad_(True)
    layer(x.detach()).sum().backward()
    assert layer.weight.grad is not None


def test_it_is_used_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[torch.Size] = []
    original = winograd.Winograd.apply

    def counted(x: Tensor, weight: Tensor) -> Tensor:
        used.append(x.shape)
        answer: Tensor = original(x, weight)
        return answer

    monkeypatch.setattr(winograd.Winograd, "apply", counted)
    wide, small, x = Conv3x3(64, 64), Conv3x3(32, 64), torch.randn(1, 64, 6, 6)
    for wider in ("AVX512", "AMX", "DEFAULT"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=wider: found)
        wide(x)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    small(x[:, :32])
    wide.eval()(x)
    wide.train()
    with torch.no_grad():
        wide(x)
    with torch.autocast("cpu", torch.bfloat16):
        wide(x)
    wide.double()(x.double())
    assert not used
    wide.float()(x)
    assert used == [x.shape]


def test_wide_layers_gain_with_wider_units_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    layer, x = Conv3x3(256, 256), torch.randn(2, 256, 3, 3)
    with mock.patch.object(winograd.Winograd, "apply", side_effect=winograd.Winograd.apply) as used:
        learned = layer(x)
        with torch.no_grad():
            direct = layer(x)
    assert used.call_count == 1
    torch.testing.assert_close(learned.detach(), direct, atol=1e-4, rtol=1e-4)
