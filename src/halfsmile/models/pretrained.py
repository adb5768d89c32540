"""Published and own weights for the encoder, loaded by key.

| weights | layout | encoder: :func:`published_encoder` of |
|---|---|---|
| SSFER (``zhelishisongjie/SSFER``) | as MAE's | ``ssfer``: as :class:`VitConfig` is, 12 heads in every size |
| MAE (``facebookresearch/mae``) | ``model``: MAE's names, with or without decoder | ``mae`` |
| FaRL (``FacePerceiver/FaRL``) | ``state_dict``: CLIP's names below ``visual.`` | ``farl`` |
| timm's ``VisionTransformer`` | flat | ``augreg`` for those of that name; else its card says |
| ResNet-18 and -34 with torchvision's names | flat | ``resnet18``, ``resnet34`` |
| a halfsmile run | ``pretrain/model.safetensors`` | the same recipe's |
| dlib's face network | ``face`` (the package's), ``.dat``, face-api's manifest | ``FaceNetworkConfig`` |

The mean and std, and the number of heads, leave no trace in the weights: they must be set as in the training
that made them. Gray encoders get the sum of a color projection's weights over its channels, which is exact
for a gray picture repeated in all of them; color encoders get a third of a gray projection's in each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from halfsmile.models.encoder import Encoder, EncoderConfig
from halfsmile.models.face_network import MEAN, FaceNetwork
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.models.weight_files import read_weights

FARL: Mapping[str, Any] = {
    "pre_norm": True,
    "activation": "quick_gelu",
    "norm_epsilon": 1e-5,
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
"""What FaRL's encoders need: ``vit_config("base", **FARL)`` (arXiv 2112.03109; a CLIP vision tower)."""

PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "ssfer": {"mean": (0.588, 0.459, 0.402), "std": (0.228, 0.202, 0.190)},
    "mae": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "augreg": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
    "farl": FARL,
}
"""What a Vision Transformer of published weights needs besides its size."""

RESNETS: Mapping[str, tuple[int, ...]] = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
"""Blocks of each stage of the residual networks whose published weights can be loaded."""

_BLOCK = re.compile(r"layer(\d+)\.(\d+)\.")
_CLIP_NAMES = (
    (r"^visual\.class_embedding$", "cls_token"),
    (r"^visual\.positional_embedding$", "pos_embed"),
    (r"^visual\.conv1\.weight$", "patch_embed.proj.weight"),
    (r"^visual\.ln_pre\.", "norm_pre."),
    (r"^visual\.ln_post\.", "norm."),
    (r"^visual\.transformer\.resblocks\.(\d+)\.ln_([12])\.", r"blocks.\1.norm\2."),
    (r"^visual\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)$", r"blocks.\1.attn.qkv.\2"),
    (r"^visual\.transformer\.resblocks\.(\d+)\.attn\.out_proj\.", r"blocks.\1.attn.proj."),
    (r"^visual\.transformer\.resblocks\.(\d+)\.mlp\.c_fc\.", r"blocks.\1.mlp.fc1."),
    (r"^visual\.transformer\.resblocks\.(\d+)\.mlp\.c_proj\.", r"blocks.\1.mlp.fc2."),
)


@dataclass(frozen=True)
class LoadReport:
    """What became of the weights.

    Args:
        loaded: Parameters of the encoder that were set.
        missing: Parameters of the encoder that kept their values.
        unused: Keys of the source that have no place in the encoder.
        interpolated: Whether the position embeddings were resized to the encoder's grid.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    interpolated: bool

    def summary(self) -> str:
        """Text for people that names every missing and every unused key."""
        lines = [f"{len(self.loaded)} of {len(self.loaded) + len(self.missing)} encoder parameters loaded"]
        if self.interpolated:
            lines.append("position embeddings interpolated to the encoder's grid")
        for word, names in (("not in the weights", self.missing), ("unused", self.unused)):
            if names:
                lines.append(f"{word} ({len(names)}): {', '.join(names)}")
        return "\n".join(lines)


def published_encoder(config: EncoderConfig, name: str) -> EncoderConfig:
    """The same encoder with what published weights need that they can't say themselves.

    Args:
        config: Of a Vision Transformer for RGB; for one of :data:`RESNETS` any, of which the size of the
            pictures is kept as nearly as its stride of 32 px allows.
        name: One of :data:`PUBLISHED` or :data:`RESNETS`.

    Raises:
        ValueError: If the encoder is another network, gray, or the name unknown.
    """
    if name in RESNETS:
        return ResNetConfig(
            image_size=max(2, round(config.image_size / 32)) * 32,
            patch_size=32,
            channels=3,
            widths=(64, 128, 256, 512),
            depths=RESNETS[name],
            stem="published",
            **PUBLISHED["mae"],
        )
    if name not in PUBLISHED:
        known = ", ".join((*PUBLISHED, *RESNETS))
        raise ValueError(f"Unknown published network {name!r}; known are {known}.")
    if not isinstance(config, VitConfig) or config.channels != 3:
        raise ValueError(
            f"The weights of {name} are of a Vision Transformer for RGB; the recipe's encoder is a "
            f"{type(config).__name__} of {config.channels} channels. Choose the preset paper."
        )
    return replace(config, **PUBLISHED[name])


def load_pretrained(encoder: Encoder, source: str, *, cache: Path | None = None) -> LoadReport:
    """Set the encoder's weights from a file, a run folder or an address; see the module's table.

    Args:
        encoder: Changed in place, and not at all if an error is raised.
        source: ``face``, the package's face network; a ``.safetensors`` file; a ``.pth``, ``.pt``, ``.bin``
            or ``.ckpt`` file of tensors; a file of :mod:`~halfsmile.models.face_files`; a halfsmile run
            folder; or an ``http(s)`` address of a file, with ``#sha256=…`` to verify it.
        cache: Folder for downloads; ``~/.cache/halfsmile`` or ``$XDG_CACHE_HOME/halfsmile`` by default.

    Raises:
        ValueError: If the source can't be found or read, holds more than tensors, or does not fit: the blocks
            of the encoder must all be set and must compute what those of the source do.
    """
    weights = read_weights(source, cache=cache)
    counted = isinstance(encoder, ResNet) and "layer1.0.conv1.weight" in weights
    tensors = _by_block(weights) if counted else _by_encoder_name(weights)
    if isinstance(encoder, FaceNetwork):
        tensors = _with_stem_for(encoder, tensors)
    if not isinstance(encoder, VisionTransformer):
        return _load_whole(encoder, tensors, source)
    wanted = dict(encoder.named_parameters())
    found = {name: (key, value) for name, (key, value) in tensors.items() if name in wanted}
    unused = tuple(key for name, (key, _) in tensors.items() if name not in wanted)
    _require_same_network(encoder, tensors, source)

    values: dict[str, Tensor] = {}
    interpolated = False
    for name, (_, value) in found.items():
        if name == "pos_embed":
            values[name], interpolated = _fit_positions(value.float(), encoder, source)
        elif name == "cls_token":
            values[name] = value.reshape(1, 1, -1)
        elif name == "patch_embed.proj.weight":
            values[name] = _fit_patches(value, encoder, source)
        else:
            values[name] = value
    if "patch_embed.proj.weight" in values and "patch_embed.proj.bias" not in values:
        values["patch_embed.proj.bias"] = torch.zeros_like(wanted["patch_embed.proj.bias"])
    _require_shapes(values, wanted, source)
    with torch.no_grad():
        for name, value in values.items():
            wanted[name].copy_(value)
    loaded = tuple(name for name in wanted if name in values)
    return LoadReport(loaded, tuple(name for name in wanted if name not in values), unused, interpolated)


def _with_stem_for(
    encoder: FaceNetwork, tensors: dict[str, tuple[str, Tensor]]
) -> dict[str, tuple[str, Tensor]]:
    """The face network's tensors with a first convolution for the encoder's number of channels.

    That convolution has no padding, so the difference between a mean per color and one of gray is a constant
    for each of its outputs and goes into the bias.
    """
    if encoder.config.channels == 3 or "patch_embed.weight" not in tensors:
        return tensors
    (key, weight), (bias_key, bias) = tensors["patch_embed.weight"], tensors["patch_embed.bias"]
    if weight.shape[1] == 1:
        return tensors
    offsets = (encoder.config.mean[0] * 255 - torch.tensor(MEAN)) / 256
    bias = bias.float() + (weight.float().sum(dim=(2, 3)) * offsets).sum(dim=1)
    gray = weight.float().sum(dim=1, keepdim=True)
    return {**tensors, "patch_embed.weight": (key, gray), "patch_embed.bias": (bias_key, bias)}


def _load_whole(
    encoder: ResNet | FaceNetwork, tensors: dict[str, tuple[str, Tensor]], source: str
) -> LoadReport:
    """Set all weights and statistics of a convolutional encoder, or none."""
    wanted = encoder.state_dict()
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise ValueError(
            f"{source} has no weights for {len(missing)} of {len(wanted)} tensors of this convolutional "
            f"encoder ({_shape(encoder)}); the first is {missing[0]}. The source begins with "
            f"{_outline(tensors)}."
        )
    values = {name: tensors[name][1] for name in wanted}
    _require_shapes(values, wanted, source)
    encoder.load_state_dict(values)
    unused = tuple(key for name, (key, _) in tensors.items() if name not in wanted)
    return LoadReport(tuple(wanted), (), unused, interpolated=False)


def _shape(encoder: ResNet | FaceNetwork) -> str:
    if isinstance(encoder, FaceNetwork):
        return "the face network: give --init face"
    return f"widths {encoder.config.widths}, depths {encoder.config.depths}"


def _by_encoder_name(tensors: dict[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """Tensors with their keys, by the name that the encoder has for them (or would have)."""
    own = any(key.startswith("encoder.") for key in tensors)
    clip = any(key.startswith("visual.") for key in tensors)
    named = {}
    for key, value in tensors.items():
        name = key
        if own:
            name = key.removeprefix("encoder.") if key.startswith("encoder.") else f"outside: {key}"
        elif clip:
            name = next(
                (re.sub(old, new, key) for old, new in _CLIP_NAMES if re.match(old, key)), f"outside: {key}"
            )
        elif key.startswith("fc_norm.") and "norm.weight" not in tensors:
            name = key.removeprefix("fc_")
        named[name] = (key, value)
    return named


def _by_block(tensors: dict[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """Tensors of a residual network with torchvision's names, whose blocks are counted in each stage anew."""
    places = [tuple(map(int, found.groups())) for key in tensors if (found := _BLOCK.match(key))]
    before = {stage: len({place for place in places if place[0] < stage}) for stage, _ in places}
    named = {}
    for key, value in tensors.items():
        name = re.sub(r"^conv1\.", "patch_embed.0.", re.sub(r"^bn1\.", "patch_embed.1.", key))
        if found := _BLOCK.match(key):
            stage, block = map(int, found.groups())
            name = f"blocks.{before[stage] + block}.{key[found.end() :]}"
        named[name] = (key, value)
    return named


def _require_same_network(
    encoder: VisionTransformer, tensors: dict[str, tuple[str, Tensor]], source: str
) -> None:
    """Refuse weights whose network computes something else than the encoder, whatever the shapes."""
    config = encoder.config
    needed = {"pre_norm": "norm_pre.weight" in tensors}
    if "outside: visual.mask_token" in tensors:
        needed |= {name: FARL[name] for name in ("activation", "norm_epsilon")}
    wrong = [name for name, value in needed.items() if getattr(config, name) != value]
    if wrong:
        found = ", ".join(f"{name}={getattr(config, name)!r}" for name in wrong)
        expected = ", ".join(f"{name}={needed[name]!r}" for name in wrong)
        hint = " For FaRL: --init-network farl, or vit_config(..., **FARL)." if needed["pre_norm"] else ""
        raise ValueError(f"The encoder has {found}, but the weights of {source} need {expected}.{hint}")
    own = dict(encoder.named_parameters())
    ours = tuple(f"blocks.{i}." for i in range(config.depth))
    strange = [key for name, (key, _) in tensors.items() if name.startswith(ours) and name not in own]
    if strange:
        raise ValueError(
            f"The blocks of {source} compute more than this encoder's, which has no {', '.join(strange)}. "
            "Such networks can't be loaded."
        )
    missing = [name for name in own if name.startswith("blocks.") and name not in tensors]
    if missing:
        depth = len({m.group(1) for name in tensors if (m := re.match(r"blocks\.(\d+)\.", name))})
        raise ValueError(
            f"{source} has {depth} Transformer blocks, the encoder has {config.depth} (width "
            f"{config.width}); {len(missing)} parameters have no weights, the first is {missing[0]} "
            f"{tuple(own[missing[0]].shape)}. The source begins with {_outline(tensors)}."
        )


def _require_shapes(values: dict[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    wrong = [name for name, value in values.items() if value.shape != wanted[name].shape]
    if wrong:
        shown = "; ".join(f"{n} {tuple(values[n].shape)} for {tuple(wanted[n].shape)}" for n in wrong[:3])
        raise ValueError(
            f"{len(wrong)} tensors of {source} have another shape than the encoder's: {shown}. Choose "
            "the size (width, depth, mlp_ratio) that the weights were trained with."
        )


def _outline(tensors: dict[str, tuple[str, Tensor]]) -> str:
    first = [f"{key} {tuple(value.shape)}" for key, value in list(tensors.values())[:3]]
    return ", ".join(first) or "nothing"


def _fit_positions(value: Tensor, encoder: VisionTransformer, source: str) -> tuple[Tensor, bool]:
    """Position embeddings (1, 1 + grid², D) of the encoder from a table with or without a class row."""
    width, grid = value.shape[-1], encoder.config.grid
    rows = value.reshape(-1, width)
    if math.isqrt(len(rows) - 1) ** 2 == len(rows) - 1:
        token, patches = rows[:1], rows[1:]
    elif math.isqrt(len(rows)) ** 2 == len(rows):
        token, patches = torch.zeros(1, width), rows
    else:
        raise ValueError(
            f"{source} has {len(rows)} position embeddings, which is no square grid of patches with "
            "at most one class token. Networks with register or distillation tokens can't be loaded."
        )
    old = math.isqrt(len(patches))
    if old != grid:
        table = patches.T.reshape(1, width, old, old)
        table = F.interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
        patches = table.reshape(width, grid * grid).T
    return torch.cat([token, patches]).unsqueeze(0), old != grid


def _fit_patches(value: Tensor, encoder: VisionTransformer, source: str) -> Tensor:
    """Patch projection (D, C, p, p) with the encoder's number of channels."""
    patch, channels = encoder.config.patch_size, encoder.config.channels
    if value.ndim != 4 or value.shape[-2:] != (patch, patch):
        raise ValueError(
            f"The patch projection of {source} has shape {tuple(value.shape)}, the encoder's patches have "
            f"{patch} × {patch} pixels. Build the encoder with patch_size={value.shape[-1]} and an "
            "image_size that is a multiple of it."
        )
    if value.shape[1] == channels:
        return value
    if channels == 1:
        return value.sum(dim=1, keepdim=True)
    if value.shape[1] == 1:
        return value.expand(-1, channels, -1, -1) / channels
    raise ValueError(
        f"{source} has {value.shape[1]} image channels, the encoder {channels}; 1 and 3 are known."
    )
