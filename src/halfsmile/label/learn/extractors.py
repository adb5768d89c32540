"""Where features come from: the face network, or an exported model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.label.learn.features import Extractor
from halfsmile.label.learn.head import Head
from halfsmile.predict.model import ExpressionModel

SIZE = 99
"""Side in pixels of the faces that the face network looks at."""
BLOCK = 9
"""Of the face network, counted from 0: the last before its maps shrink to 2 x 2."""

LEAST = 1e-7
"""Probabilities below count as this."""

Floats = npt.NDArray[np.float32]


class FaceNetworkFeatures:
    """The map of the face network's tenth block, pooled to 3 x 3; needs torch.

    Who somebody is says little about what the face shows, and the network forgets the latter on its way up: a
    head on its last map names fewer faces right than one on this map (docs/experiments.md). The blocks behind
    it are not computed.
    """

    name = f"face network, {SIZE} px, block {BLOCK} in 3 x 3"
    shape = (SIZE, 3)
    width = 128 * 3 * 3

    def __init__(self) -> None:
        from halfsmile.models.face_network import FaceNetwork, FaceNetworkConfig
        from halfsmile.models.pretrained import load_pretrained
        from halfsmile.models.weight_files import FACE

        self._encoder: Any = FaceNetwork(FaceNetworkConfig(image_size=SIZE, channels=3)).eval()
        load_pretrained(self._encoder, FACE)
        del self._encoder.blocks[BLOCK + 1 :]

    def __call__(self, images: Image) -> Floats:
        """Features (B, 1152) of faces (B, 99, 99, 3), uint8."""
        import torch
        from torch.nn import functional as F

        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
            pooled = F.adaptive_avg_pool2d(self._encoder.maps(pixels)[BLOCK], 3)
            return np.asarray(pooled.flatten(1).numpy(), np.float32)


class ModelFeatures:
    """What the last layer of an exported model sees; no torch.

    Args:
        model: An exported file or run folder; None for the model in the box.
    """

    def __init__(self, model: Path | None = None) -> None:
        self.model = ExpressionModel.load(model, threads=1)
        crop = self.model.preprocessing
        self.shape = (crop.size, crop.channels)
        self.width = self.model.width
        self.name = f"model {self.model.name} {self.model.sha256}"

    def __call__(self, images: Image) -> Floats:
        """Features (B, D) of faces (B, S, S, C), uint8."""
        return self.model.predict(images).features


class RecipeFeatures(ModelFeatures):
    """What the last layer of a recipe's model sees, and the logarithms of its probabilities behind.

    So the model's own answers are a head on them: :func:`own_head`.
    """

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        self.classes = self.model.labels
        self.width = self.model.width + len(self.classes)
        self.name = f"recipe {self.model.sha256}"

    def __call__(self, images: Image) -> Floats:
        """Features (B, D + K) of faces (B, S, S, C), uint8."""
        said = self.model.predict(images)
        logs = np.log(np.maximum(said.probabilities, LEAST))
        return np.concatenate([said.features, logs], axis=1).astype(np.float32)


def own_head(classes: tuple[str, ...], width: int, temperature: float = 1.0) -> Head:
    """The head that gives the answers of a recipe's model, from its features (D + K numbers: ``width``)."""
    weight = np.zeros((width, len(classes)), np.float32)
    weight[-len(classes) :] = np.eye(len(classes))
    return Head(weight, np.zeros(len(classes), np.float32), temperature, 0.0, classes)


def choose_extractor(model: Path | None = None) -> Extractor:
    """The named model's features; else the face network's, or without torch those of the model in the box."""
    if model is None and find_spec("torch") is not None:
        return FaceNetworkFeatures()
    return ModelFeatures(model)
