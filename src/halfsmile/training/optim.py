"""AdamW with layer-wise decay, and the learning-rate schedule."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import nn

from halfsmile.recipes.optim import OptimConfig


def scheduled_rate(step: int, *, steps: int, config: OptimConfig) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine (arXiv 1608.03983), per step.

    Args:
        step: From 0 to ``steps`` − 1.
        steps: Length of the whole schedule.
        config: Rates and warm-up.
    """
    warmup = round(config.warmup * steps)
    if step < warmup:
        rise = config.learning_rate - config.first_learning_rate
        return config.first_learning_rate + rise * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, round(config.decay_until * steps) - warmup))
    span = config.learning_rate - config.final_learning_rate
    return config.final_learning_rate + span * 0.5 * (1 + math.cos(math.pi * progress))


def layer_of(name: str, depth: int) -> int:
    """Layer number of a parameter by its name: 0 embedding, i + 1 for block i, depth + 1 for all above.

    Example:
        >>> layer_of("model.encoder.blocks.3.attn.qkv.weight", 12)
        4
    """
    if re.search(r"(^|\.)(patch_embed|cls_token|pos_embed|norm_pre)(\.|$)", name):
        return 0
    if match := re.search(r"(?<!decoder_)blocks\.(\d+)\.", name):
        return int(match.group(1)) + 1
    return depth + 1


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict[str, Any]]:
    """Groups of parameters with ``scale`` (factor on the scheduled rate) and ``weight_decay``.

    Only parameters that require a gradient are taken. Their order is that of ``named_parameters``, so that
    equal models give equal groups.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    depth = max((layer_of(name, 0) for name, _ in named), default=0)
    depth = max(depth, 1)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in named:
        decayed = parameter.ndim > 1 and not re.search(r"(cls_token|mask_token|pos_embed)$", name)
        layer = layer_of(name, depth)
        group = groups.setdefault(
            (layer, decayed),
            {
                "params": [],
                "scale": config.layer_decay ** (depth + 1 - layer),
                "weight_decay": config.weight_decay if decayed else 0.0,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW over :func:`parameter_groups`, by torch's fused kernel."""
    return torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=config.betas, fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the scheduled rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
