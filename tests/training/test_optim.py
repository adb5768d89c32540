from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from halfsmile.methods.pretrain.mae import MaskedAutoencoder
from halfsmile.models.classifier import Classifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import RAFDB
from halfsmile.training.optim import (
    layer_of,
    make_optimizer,
    parameter_groups,
    scheduled_rate,
    set_rate,
)

CONFIG = VitConfig(image_size=32, patch_size=8, width=16, depth=3, heads=2)
STEM = VitConfig(image_size=32, patch_size=8, width=16, depth=3, heads=2, stem=(4, 8))


def classifier(config: VitConfig) -> Classifier:
    return Classifier(VisionTransformer(config), taxonomy=RAFDB)


def autoencoder(config: VitConfig) -> MaskedAutoencoder:
    return MaskedAutoencoder(VisionTransformer(config), decoder_width=16, decoder_depth=2, decoder_heads=2)


@pytest.mark.parametrize("config", [CONFIG, STEM], ids=["patches", "stem"])
@pytest.mark.parametrize("build", [classifier, autoencoder])
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_groups_hold_each_trained_parameter_once(
    config: VitConfig, build: type[nn.Module], layer_decay: float
) -> None:
    model = build(config)
    groups = parameter_groups(model, OptimConfig(learning_rate=1.0, layer_decay=layer_decay))
    grouped = [id(p) for group in groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters() if p.requires_grad}


@pytest.mark.parametrize("build", [classifier, autoencoder])
def test_biases_norms_tokens_and_positions_do_not_decay(build: type[nn.Module]) -> None:
    model = build(STEM)
    groups = parameter_groups(model, OptimConfig(learning_rate=1.0, weight_decay=0.1))
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = re.search(r"bias$|norm|_token$|pos_embed$", name)
            assert decay[id(parameter)] == (0.0 if spared else 0.1), name


@pytest.mark.parametrize("config", [CONFIG, STEM], ids=["patches", "stem"])
def test_rates_fall_towards_the_embedding(config: VitConfig) -> None:
    model = classifier(config)
    groups = parameter_groups(model, OptimConfig(learning_rate=1.0, layer_decay=0.5))
    scale = {id(p): group["scale"] for group in groups for p in group["params"]}
    found: dict[str, set[float]] = {}
    for name, parameter in model.named_parameters():
        block = re.search(r"blocks\.\d", name)
        part = block.group() if block else "top" if re.match(r"head|encoder\.norm\.", name) else "embedding"
        found.setdefault(part, set()).add(scale[id(parameter)])
    assert found == {
        "embedding": {0.5**4},
        "blocks.0": {0.5**3},
        "blocks.1": {0.5**2},
        "blocks.2": {0.5},
        "top": {1.0},
    }


def test_decoder_blocks_are_above_the_encoder() -> None:
    assert layer_of("decoder_blocks.0.attn.qkv.weight", 3) == 4
    assert layer_of("encoder.blocks.0.attn.qkv.weight", 3) == 1
    assert layer_of("encoder.patch_embed.units.1.conv1.weight", 3) == 0


def test_the_schedule_has_the_asked_for_ends() -> None:
    config = OptimConfig(
        learning_rate=1.0, first_learning_rate=0.2, final_learning_rate=0.1, warmup=0.1, decay_until=0.5
    )
    rates = [scheduled_rate(step, steps=100, config=config) for step in range(100)]
    assert rates[0] == pytest.approx(0.2 + 0.8 / 10)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[20] == pytest.approx(0.1 + 0.9 * (0.5 + math.sqrt(0.125)))
    assert rates[30] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[50:] == pytest.approx([0.1] * 50)


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0.0, 0.5),
    decay_until=st.floats(0.5, 1.0),
    final=st.floats(0.0, 0.5),
)
def test_rates_rise_then_fall_within_their_bounds(
    steps: int, warmup: float, decay_until: float, final: float
) -> None:
    config = OptimConfig(learning_rate=1.0, final_learning_rate=final, warmup=warmup, decay_until=decay_until)
    rates = [scheduled_rate(step, steps=steps, config=config) for step in range(steps)]
    turn = round(warmup * steps)
    assert all(a < b for a, b in pairwise(rates[:turn]))
    assert all(a >= b for a, b in pairwise(rates[turn:]))
    assert all(0.0 < rate <= 1.0 or math.isclose(rate, final) for rate in rates)


def test_every_group_gets_its_share_of_the_rate() -> None:
    optimizer = make_optimizer(classifier(CONFIG), OptimConfig(learning_rate=1.0, layer_decay=0.5))
    set_rate(optimizer, 0.8)
    assert {group["lr"] for group in optimizer.param_groups} == {0.8 * 0.5**i for i in range(5)}


def test_every_group_has_the_moments_that_were_asked_for() -> None:
    optimizer = make_optimizer(classifier(CONFIG), OptimConfig(learning_rate=1.0, betas=(0.8, 0.7)))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.7)}


def test_decayed_weights_shrink_and_spared_ones_stay_without_gradient() -> None:
    model = classifier(CONFIG)
    optimizer = make_optimizer(model, OptimConfig(learning_rate=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = dict(model.named_parameters())
    torch.testing.assert_close(after["head.weight"], 0.95 * before["head.weight"])
    assert torch.equal(after["encoder.cls_token"], before["encoder.cls_token"])
    assert torch.equal(after["encoder.norm.weight"], before["encoder.norm.weight"])
