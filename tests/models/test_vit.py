from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from halfsmile.models.patches import patchify, unpatchify
from halfsmile.models.pretrained import FARL, load_pretrained
from halfsmile.models.vit import SHORT_SEQUENCE, Attention, DropPath, VisionTransformer
from halfsmile.models.vit_config import VitConfig, vit_config

TINY = VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=4)
STEM = replace(TINY, stem=(4, 8))


def random_encoder(config: VitConfig, seed: int = 0) -> VisionTransformer:
    torch.manual_seed(seed)
    encoder = VisionTransformer(config).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


def images_of(config: VitConfig, batch: int = 3, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, config.channels, config.image_size, config.image_size, generator=generator)


@pytest.mark.parametrize(("pooling", "timm_pooling"), [("token", "token"), ("average", "avg")])
@pytest.mark.parametrize("training", [True, False], ids=["plain", "fused"])
def test_features_and_logits_agree_with_timm(
    timm_vit: Callable[..., Any],
    tmp_path: Path,
    pooling: Literal["token", "average"],
    timm_pooling: str,
    training: bool,
) -> None:
    theirs = timm_vit(global_pool=timm_pooling)
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = VisionTransformer(replace(TINY, pooling=pooling)).eval()
    report = load_pretrained(ours, str(tmp_path / "timm.safetensors"))
    assert report.missing == ()
    assert set(report.unused) == {"head.weight", "head.bias"}
    images = images_of(TINY)
    with torch.set_grad_enabled(training):
        feature = ours(images)
        tokens = theirs.forward_features(ours.normalize(images))
        torch.testing.assert_close(feature, theirs.forward_head(tokens, pre_logits=True), rtol=0, atol=1e-5)
        logits = F.linear(feature, theirs.head.weight, theirs.head.bias)
        torch.testing.assert_close(logits, theirs(ours.normalize(images)), rtol=0, atol=1e-5)


def test_clip_variant_agrees_with_timm(timm_vit: Callable[..., Any], tmp_path: Path) -> None:
    theirs = timm_vit(clip=True)
    save_file(theirs.state_dict(), tmp_path / "clip.safetensors")
    ours = VisionTransformer(replace(TINY, **FARL)).eval()
    assert load_pretrained(ours, str(tmp_path / "clip.safetensors")).missing == ()
    images = images_of(TINY)
    expected = theirs.forward_head(theirs.forward_features(ours.normalize(images)), pre_logits=True)
    torch.testing.assert_close(ours(images), expected, rtol=0, atol=1e-5)


def test_gradients_agree_with_timm(timm_vit: Callable[..., Any], tmp_path: Path) -> None:
    theirs = timm_vit()
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    ours = VisionTransformer(TINY)
    load_pretrained(ours, str(tmp_path / "timm.safetensors"))
    images = images_of(TINY)
    ours(images).square().mean().backward()
    theirs.forward_features(ours.normalize(images))[:, 0].square().mean().backward()
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, rtol=1e-4, atol=1e-6)


def test_base_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        ours = sum(p.numel() for p in VisionTransformer(vit_config("base")).parameters())
        theirs = timm.create_model("vit_base_patch16_224", num_classes=0)
    assert ours == sum(p.numel() for p in theirs.parameters())
    assert ours / 1e6 == pytest.approx(85.8, abs=0.05)


@pytest.mark.parametrize("config", [TINY, STEM], ids=["patches", "stem"])
def test_keeping_all_patches_changes_nothing(config: VitConfig) -> None:
    encoder, images = random_encoder(config), images_of(config)
    everything = torch.arange(config.num_patches).expand(len(images), -1)
    torch.testing.assert_close(encoder.tokens(images, everything), encoder.tokens(images))


@pytest.mark.parametrize("config", [TINY, STEM], ids=["patches", "stem"])
def test_order_of_kept_patches_only_orders_tokens(config: VitConfig) -> None:
    encoder, images = random_encoder(config), images_of(config)
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(len(images), config.num_patches, generator=generator).argsort(1)[:, :5]
    order = torch.tensor([3, 0, 4, 1, 2])
    tokens, permuted = encoder.tokens(images, keep), encoder.tokens(images, keep[:, order])
    torch.testing.assert_close(permuted[:, 0], tokens[:, 0])
    torch.testing.assert_close(permuted[:, 1:], tokens[:, 1:][:, order])


@pytest.mark.parametrize("config", [TINY, STEM], ids=["patches", "stem"])
def test_hidden_pixels_have_no_influence(config: VitConfig) -> None:
    encoder, images = random_encoder(config), images_of(config)
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(len(images), config.num_patches, generator=generator).argsort(1)[:, :5]
    patches = patchify(images, config.patch_size)
    hidden = torch.ones(len(images), config.num_patches, 1).scatter(1, keep.unsqueeze(-1), 0.0)
    other = unpatchify(patches * (1 - hidden) + torch.rand_like(patches) * hidden, config.patch_size, 3)
    assert not torch.equal(other, images)
    assert torch.equal(encoder.tokens(other, keep), encoder.tokens(images, keep))


def test_drop_path_keeps_the_mean_and_drops_whole_samples() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.3)
    ones = torch.ones(20_000, 2, 3)
    dropped = layer.train()(ones)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert torch.equal(dropped.amax(dim=(1, 2)), dropped.amin(dim=(1, 2)))
    assert torch.equal(layer.eval()(ones), ones)


def test_drop_path_rises_with_depth() -> None:
    encoder = VisionTransformer(replace(TINY, depth=5, drop_path=0.4))
    rates = [block.drop_path.rate for block in encoder.blocks]  # type: ignore[union-attr]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_attention_maps_are_distributions() -> None:
    maps = random_encoder(TINY).attention_maps(images_of(TINY))
    assert maps.shape == (2, 3, 4, 17, 17)
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3, 4, 17))


@pytest.mark.parametrize("length", [5, SHORT_SEQUENCE, SHORT_SEQUENCE + 1])
def test_plain_and_fused_attention_agree(length: int) -> None:
    torch.manual_seed(0)
    attention, x = Attention(32, 4), torch.randn(2, length, 32)
    plain_or_fused = attention(x)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), plain_or_fused, rtol=1e-4, atol=1e-6)
        mixed = attention.weights(x) @ attention._heads(x)[2]
        by_weights = attention.proj(mixed.transpose(1, 2).reshape(x.shape))
    torch.testing.assert_close(by_weights, plain_or_fused, rtol=1e-4, atol=1e-6)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 40, 40\), this encoder takes \(3, 32, 32\)"):
        VisionTransformer(TINY)(torch.rand(1, 3, 40, 40))
