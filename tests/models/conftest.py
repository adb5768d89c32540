"""Tiny networks of timm's as oracles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from timm.layers.activations import QuickGELU
from timm.models.vision_transformer import VisionTransformer as TimmViT
from torch import nn

SHAPE: dict[str, Any] = {
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 4,
    "num_classes": 5,
}


@pytest.fixture
def timm_vit() -> Callable[..., TimmViT]:
    """Builder of a tiny timm ViT in evaluation mode with random values in every parameter."""

    def build(*, clip: bool = False, seed: int = 0, **changes: Any) -> TimmViT:
        if clip:
            changes |= {
                "pre_norm": True,
                "act_layer": QuickGELU,
                "norm_layer": partial(nn.LayerNorm, eps=1e-5),
            }
        model = TimmViT(**(SHAPE | changes)).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        return model

    return build
