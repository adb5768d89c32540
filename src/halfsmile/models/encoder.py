"""Which network belongs to which configuration."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.models.face_network import FaceNetwork, FaceNetworkConfig
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig

Encoder = VisionTransformer | ResNet | FaceNetwork
EncoderConfig = VitConfig | ResNetConfig | FaceNetworkConfig


def build_encoder(config: EncoderConfig, *, drop_path: float | None = None) -> Encoder:
    """A new encoder, its weights drawn from torch's global generator.

    Args:
        config: Its shape.
        drop_path: Takes the place of the configuration's rate, in [0, 1).

    Returns:
        A network from images (B, C, H, W) in [0, 1] to features (B, ``config.width``).
    """
    if drop_path is not None:
        config = replace(config, drop_path=drop_path)
    if isinstance(config, FaceNetworkConfig):
        return FaceNetwork(config)
    return ResNet(config) if isinstance(config, ResNetConfig) else VisionTransformer(config)
