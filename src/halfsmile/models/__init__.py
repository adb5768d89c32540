"""Networks as plain modules: encoders of faces, the classifier, networks over frames, published weights.

Images are float in [0, 1], (B, C, H, W), of the encoder's size and channels; normalization is part of every
encoder.

Example:
    >>> import torch
    >>> from halfsmile.models import Classifier, VitConfig, build_encoder
    >>> from halfsmile.taxonomy import RAFDB
    >>> encoder = build_encoder(VitConfig(image_size=32, patch_size=8, width=64, depth=2, heads=4))
    >>> faces = torch.rand(2, 3, 32, 32)
    >>> encoder(faces).shape
    torch.Size([2, 64])
    >>> Classifier(encoder, taxonomy=RAFDB)(faces).softmax(dim=1).shape
    torch.Size([2, 7])
"""

from __future__ import annotations

from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.encoder import Encoder, EncoderConfig, build_encoder
from halfsmile.models.patches import patchify, sincos_positions, unpatchify
from halfsmile.models.pretrained import LoadReport, load_pretrained, published_encoder
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.temporal.convolution import TemporalConvolution, make_network
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalEncoder, TemporalNetwork
from halfsmile.models.temporal.file import load_network, save_network
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VIT_SIZES, VitConfig

__all__ = [
    "VIT_SIZES",
    "Classifier",
    "Encoder",
    "EncoderConfig",
    "LoadReport",
    "MirroredClassifier",
    "ResNet",
    "ResNetConfig",
    "TemporalConfig",
    "TemporalConvolution",
    "TemporalEncoder",
    "TemporalNetwork",
    "VisionTransformer",
    "VitConfig",
    "build_encoder",
    "load_network",
    "load_pretrained",
    "make_network",
    "patchify",
    "published_encoder",
    "save_network",
    "sincos_positions",
    "unpatchify",
]
