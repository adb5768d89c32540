from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from timm.models.vision_transformer import _convert_openai_clip
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.pretrain.mae import MaskedAutoencoder
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import EncoderConfig, build_encoder
from halfsmile.models.pretrained import FARL, PUBLISHED, LoadReport, load_pretrained, published_encoder
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.taxonomy import FERPLUS

TINY = VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=4)


def trained(config: VitConfig = TINY, seed: int = 7) -> VisionTransformer:
    torch.manual_seed(seed)
    encoder = VisionTransformer(config).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


def autoencoder(encoder: VisionTransformer) -> MaskedAutoencoder:
    return MaskedAutoencoder(encoder, decoder_width=16, decoder_depth=1, decoder_heads=2)


def mae_weights(encoder: VisionTransformer) -> dict[str, Tensor]:
    """State dict in the layout of MAE's public checkpoints: encoder and decoder side by side."""
    return {key.removeprefix("encoder."): value for key, value in autoencoder(encoder).state_dict().items()}


def farl_weights(encoder: VisionTransformer) -> dict[str, Tensor]:
    """State dict in FaRL's layout: CLIP's names, the branch for masked images, and a text tower."""
    names = [
        (r"^cls_token$", "class_embedding"),
        (r"^pos_embed$", "positional_embedding"),
        (r"^patch_embed\.proj\.", "conv1."),
        (r"^norm_pre\.", "ln_pre."),
        (r"^norm\.", "ln_post."),
        (r"^blocks\.(\d+)\.norm", r"transformer.resblocks.\1.ln_"),
        (r"^blocks\.(\d+)\.attn\.qkv\.", r"transformer.resblocks.\1.attn.in_proj_"),
        (r"^blocks\.(\d+)\.attn\.proj\.", r"transformer.resblocks.\1.attn.out_proj."),
        (r"^blocks\.(\d+)\.mlp\.fc1\.", r"transformer.resblocks.\1.mlp.c_fc."),
        (r"^blocks\.(\d+)\.mlp\.fc2\.", r"transformer.resblocks.\1.mlp.c_proj."),
    ]
    found = {}
    for key, value in encoder.state_dict().items():
        if key == "patch_embed.proj.bias":
            continue
        for old, new in names:
            key = re.sub(old, new, key)
        flat = {"class_embedding": (-1,), "positional_embedding": (-1, value.shape[-1])}
        found[f"visual.{key}"] = value.reshape(flat.get(key, value.shape)).clone()
    return found | {
        "visual.proj": torch.randn(32, 16),
        "visual.mask_token": torch.randn(32),
        "visual.lm_transformer.resblocks.0.ln_1.weight": torch.randn(32),
        "transformer.resblocks.0.ln_1.weight": torch.randn(16),
        "positional_embedding": torch.randn(77, 16),
        "logit_scale": torch.tensor(1.0),
    }


def same(first: VisionTransformer, second: VisionTransformer) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("wrapper", ["model", "state_dict", None])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_mae_checkpoints_load_by_key(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    encoder = trained()
    weights: Any = {prefix + key: value for key, value in mae_weights(encoder).items()}
    if wrapper is not None:
        weights = {wrapper: weights, "epoch": 600, "args": argparse.Namespace(lr=1e-3)}
    torch.save(weights, tmp_path / "mae.pth")
    other = VisionTransformer(TINY)
    report = load_pretrained(other, str(tmp_path / "mae.pth"))
    assert same(other, encoder)
    assert report.missing == ()
    assert not report.interpolated
    assert set(report.unused) == {k for k in mae_weights(encoder) if k.startswith(("decoder", "mask_token"))}


def test_run_folders_load(tmp_path: Path) -> None:
    encoder = trained()
    (tmp_path / "pretrain").mkdir()
    save_file(autoencoder(encoder).state_dict(), tmp_path / "pretrain" / "model.safetensors")
    other = VisionTransformer(TINY)
    report = load_pretrained(other, str(tmp_path))
    assert same(other, encoder)
    assert report.missing == ()
    assert all("decoder" in key or key == "mask_token" for key in report.unused)


@pytest.mark.parametrize("config", [TINY, ResNetConfig(image_size=32, widths=(8, 16, 16), depths=(1, 1, 1))])
def test_the_weights_of_a_later_stage_load_with_all_they_know(tmp_path: Path, config: EncoderConfig) -> None:
    trained_one = Classifier(build_encoder(config), taxonomy=FERPLUS)
    with torch.no_grad():
        for value in (*trained_one.parameters(), *trained_one.buffers()):
            if value.is_floating_point():
                value.add_(torch.rand_like(value))
    save_file(trained_one.state_dict(), tmp_path / "model.safetensors")
    other = build_encoder(config)
    report = load_pretrained(other, str(tmp_path / "model.safetensors"))
    assert report.missing == ()
    assert not any(key.startswith("encoder.") for key in report.unused)
    for name, value in other.state_dict().items():
        assert torch.equal(value, trained_one.encoder.state_dict()[name]), name


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_encoders_differ_from_the_recipes_in_what_weights_do_not_say(name: str) -> None:
    config = published_encoder(TINY, name)
    changed = {
        field.name for field in fields(config) if getattr(config, field.name) != getattr(TINY, field.name)
    }
    assert changed <= {"mean", "std", "pre_norm", "activation", "norm_epsilon"}
    assert (config == TINY) is (name == "ssfer")
    assert isinstance(config, VitConfig)
    assert config.pre_norm is (name == "farl")


def test_published_networks_are_transformers_for_rgb() -> None:
    with pytest.raises(ValueError, match="preset paper"):
        published_encoder(ResNetConfig(), "mae")
    with pytest.raises(ValueError, match="preset paper"):
        published_encoder(replace(TINY, channels=1, mean=(0.5,), std=(0.2,)), "mae")
    with pytest.raises(ValueError, match="ssfer, mae"):
        published_encoder(TINY, "clip")


def test_farl_loads_exactly(tmp_path: Path, timm_vit: Callable[..., Any]) -> None:
    config = replace(TINY, **FARL)
    weights = farl_weights(trained(config))
    torch.save({"state_dict": weights}, tmp_path / "farl.pth")
    ours = VisionTransformer(config).eval()
    report = load_pretrained(ours, str(tmp_path / "farl.pth"))
    assert report.missing == ()
    assert set(report.unused) == {
        key for key in weights if not key.startswith("visual.") or re.search(r"lm_|mask_token|\.proj$", key)
    }
    theirs = timm_vit(clip=True, num_classes=16)
    visual = {key: value for key, value in weights.items() if not re.search(r"lm_|mask_token", key)}
    converted = _convert_openai_clip(visual, theirs)
    converted["pos_embed"] = converted["pos_embed"].reshape(1, -1, 32)
    theirs.load_state_dict(converted)
    images = torch.rand(3, 3, 32, 32)
    by_timm = theirs(ours.normalize(images))
    torch.testing.assert_close(ours(images) @ weights["visual.proj"], by_timm, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TINY, r"pre_norm=False, activation='gelu', norm_epsilon=1e-06.*FARL"),
        (replace(TINY, pre_norm=True), "activation='gelu', norm_epsilon=1e-06, but the weights"),
    ],
)
def test_farl_needs_a_clip_encoder(tmp_path: Path, config: VitConfig, message: str) -> None:
    torch.save({"state_dict": farl_weights(trained(replace(TINY, **FARL)))}, tmp_path / "farl.pth")
    with pytest.raises(ValueError, match=message):
        load_pretrained(VisionTransformer(config), str(tmp_path / "farl.pth"))


def test_weights_without_a_first_norm_need_a_plain_encoder(tmp_path: Path) -> None:
    torch.save(mae_weights(trained()), tmp_path / "mae.pth")
    with pytest.raises(ValueError, match=r"pre_norm=True, but the weights of .* need pre_norm=False"):
        load_pretrained(VisionTransformer(replace(TINY, pre_norm=True)), str(tmp_path / "mae.pth"))


@pytest.mark.parametrize("class_row", [True, False])
def test_positions_follow_the_grid(tmp_path: Path, class_row: bool) -> None:
    encoder = trained()
    weights = mae_weights(encoder)
    if not class_row:
        weights["pos_embed"] = weights["pos_embed"][:, 1:]
    torch.save(weights, tmp_path / "mae.pth")
    larger = VisionTransformer(replace(TINY, image_size=48))
    report = load_pretrained(larger, str(tmp_path / "mae.pth"))
    assert report.interpolated
    assert "interpolated" in report.summary()
    table = encoder.pos_embed[0, 1:].reshape(4, 4, 32).permute(2, 0, 1)
    expected = F.interpolate(table[None], (6, 6), mode="bicubic")[0].flatten(1).T
    torch.testing.assert_close(larger.pos_embed[0, 1:], expected)
    token = encoder.pos_embed[0, 0] if class_row else torch.zeros(32)
    assert torch.equal(larger.pos_embed[0, 0], token)


def test_constant_positions_stay_constant(tmp_path: Path) -> None:
    weights = mae_weights(trained())
    weights["pos_embed"] = torch.full_like(weights["pos_embed"], 0.25)
    torch.save(weights, tmp_path / "mae.pth")
    larger = VisionTransformer(replace(TINY, image_size=48))
    load_pretrained(larger, str(tmp_path / "mae.pth"))
    torch.testing.assert_close(larger.pos_embed.detach(), torch.full((1, 37, 32), 0.25))


def test_gray_and_color_see_the_same_in_gray_pictures(tmp_path: Path) -> None:
    gray = torch.rand(2, 1, 32, 32)
    color_config = replace(TINY, mean=(0.5,) * 3, std=(0.25,) * 3)
    gray_config = replace(TINY, channels=1, mean=(0.5,), std=(0.25,))
    for source, target in ((color_config, gray_config), (gray_config, color_config)):
        first, second = trained(source), VisionTransformer(target).eval()
        torch.save(mae_weights(first), tmp_path / "mae.pth")
        load_pretrained(second, str(tmp_path / "mae.pth"))
        seen = [e(gray.expand(-1, e.config.channels, -1, -1)) for e in (first, second)]
        torch.testing.assert_close(seen[0], seen[1], rtol=1e-4, atol=1e-5)


def test_a_stem_keeps_its_own_weights(tmp_path: Path) -> None:
    torch.save(mae_weights(trained()), tmp_path / "mae.pth")
    report = load_pretrained(VisionTransformer(replace(TINY, stem=(4, 8))), str(tmp_path / "mae.pth"))
    assert "patch_embed.first.weight" in report.missing
    assert "patch_embed.proj.weight" in report.unused
    for name in (*report.missing, *report.unused):
        assert name in report.summary()


def test_register_tokens_are_named(tmp_path: Path, timm_vit: Callable[..., Any]) -> None:
    save_file(timm_vit(reg_tokens=2, no_embed_class=True).state_dict(), tmp_path / "timm.safetensors")
    report = load_pretrained(VisionTransformer(TINY), str(tmp_path / "timm.safetensors"))
    assert "reg_token" in report.unused


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(TINY, patch_size=4), r"32, 3, 8, 8.*patches have 4 × 4 pixels.*patch_size=8"),
        (replace(TINY, width=64), r"cls_token \(1, 1, 32\) for \(1, 1, 64\)"),
        (replace(TINY, mlp_ratio=2.0), r"mlp.fc1.weight \(128, 32\) for \(64, 32\)"),
        (
            replace(TINY, depth=3),
            r"has 2 Transformer blocks, the encoder has 3 .*blocks.2.norm1.weight \(32,\)",
        ),
    ],
)
def test_misfits_are_refused_and_change_nothing(tmp_path: Path, config: VitConfig, message: str) -> None:
    torch.save(mae_weights(trained()), tmp_path / "mae.pth")
    encoder = VisionTransformer(config)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_pretrained(encoder, str(tmp_path / "mae.pth"))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_other_networks_are_refused(tmp_path: Path, timm_vit: Callable[..., Any]) -> None:
    save_file({"layer1.0.conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet.safetensors")
    with pytest.raises(ValueError, match=r"0 Transformer blocks.*layer1\.0\.conv1\.weight \(64, 3, 7, 7\)"):
        load_pretrained(VisionTransformer(TINY), str(tmp_path / "resnet.safetensors"))
    save_file(timm_vit(init_values=0.1).state_dict(), tmp_path / "scaled.safetensors")
    with pytest.raises(ValueError, match=r"compute more than this encoder's, which has no .*ls1\.gamma"):
        load_pretrained(VisionTransformer(TINY), str(tmp_path / "scaled.safetensors"))
    save_file(timm_vit(reg_tokens=2).state_dict(), tmp_path / "registers.safetensors")
    with pytest.raises(ValueError, match="19 position embeddings"):
        load_pretrained(VisionTransformer(TINY), str(tmp_path / "registers.safetensors"))


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("attacked"),))


def test_pickles_that_run_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": mae_weights(trained()), "extra": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=r"bad\.pth was refused: .*could run code"):
        load_pretrained(VisionTransformer(TINY), "bad.pth")
    assert not Path("attacked").exists()


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_damaged_files_are_named(tmp_path: Path, name: str) -> None:
    weights = mae_weights(trained())
    if name.endswith("pth"):
        torch.save(weights, tmp_path / name)
    else:
        save_file(weights, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in (0, 5, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(ValueError, match=name):
            load_pretrained(VisionTransformer(TINY), str(tmp_path / name))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.pth", "does not exist"),
        ("notes.txt", r"must end in \.safetensors"),
        ("empty", r"has no pretrain/model\.safetensors"),
        ("list.pt", "holds a list, expected a dictionary"),
    ],
)
def test_wrong_sources_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").touch()
    Path("empty").mkdir()
    torch.save([torch.zeros(1)], "list.pt")
    with pytest.raises(ValueError, match=message):
        load_pretrained(VisionTransformer(TINY), source)


def test_summary_counts() -> None:
    report = LoadReport(("a", "b"), ("c",), ("x", "y"), False)
    assert report.summary().splitlines() == [
        "2 of 3 encoder parameters loaded",
        "not in the weights (1): c",
        "unused (2): x, y",
    ]


@pytest.mark.parametrize(("name", "wrap"), [("resnet18", False), ("resnet18", True), ("resnet34", False)])
def test_residual_networks_with_names_of_torchvision_give_its_features(
    name: str, wrap: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(num_classes=10).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
    tensors = theirs.state_dict()
    kept = {"state_dict": {f"module.{key}": value for key, value in tensors.items()}} if wrap else tensors
    torch.save(kept, tmp_path / "network.pth")

    config = published_encoder(ResNetConfig(image_size=48), name)
    assert config.image_size == 64
    encoder = build_encoder(config).eval()
    report = load_pretrained(encoder, str(tmp_path / "network.pth"))
    assert report.unused == ("fc.weight", "fc.bias")
    assert not report.missing
    images = torch.rand(2, 3, 64, 64)
    theirs.fc = nn.Identity()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    with torch.inference_mode():
        torch.testing.assert_close(encoder(images), theirs((images - mean) / std), atol=1e-4, rtol=1e-4)


def test_a_residual_network_of_another_depth_is_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "network.pth")
    encoder = build_encoder(published_encoder(ResNetConfig(), "resnet34"))
    with pytest.raises(ValueError, match=r"no weights for \d+ of \d+ tensors.*depths \(3, 4, 6, 3\)"):
        load_pretrained(encoder, str(tmp_path / "network.pth"))
