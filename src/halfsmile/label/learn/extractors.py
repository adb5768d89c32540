"""Where features come from: the face network, or an exported model."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.label.learn.features import Extractor
from halfsmile.predict.model import ExpressionModel

SIZE = 99
"""Side in pixels of the faces that the face network looks at."""

Floats = npt.NDArray[np.float32]


class FaceNetworkFeatures:
    """Maps of the face network at several depths, each pooled to a few numbers; needs torch.

    Who somebody is says little about what the face shows: the network forgets expressions on its way up, so
    the maps halfway are read, too.
    """

    name = f"face network, {SIZE} px, blocks 9 and 12 in 2 x 2, 12 in 1"
    shape = (SIZE, 3)
    width = 128 * 4 + 256 * 4 + 256

    def __init__(self) -> None:
        from halfsmile.models.face_network import FaceNetwork, FaceNetworkConfig
        from halfsmile.models.pretrained import load_pretrained
        from halfsmile.models.weight_files import FACE

        self._encoder: Any = FaceNetwork(FaceNetworkConfig(image_size=SIZE, channels=3)).eval()
        load_pretrained(self._encoder, FACE)

    def __call__(self, images: Image) -> Floats:
        """Features (B, D) of faces (B, 99, 99, 3), uint8, with the mean of the mirror image."""
        import torch
        from torch.nn import functional as F

        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
            maps = self._encoder.maps(pixels)
            found = [
                F.adaptive_avg_pool2d(maps[9], 2).flatten(1),
                F.adaptive_avg_pool2d(maps[12], 2).flatten(1),
                maps[12].mean(dim=(2, 3)),
            ]
            return torch.cat(found, 1).numpy()  # type: ignore[no-any-return]


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


def choose_extractor(model: Path | None = None) -> Extractor:
    """The named model's features; else the face network's, or without torch those of the model in the box."""
    if model is None and find_spec("torch") is not None:
        return FaceNetworkFeatures()
    return ModelFeatures(model)
