"""Small networks and their exported files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from halfsmile.evaluation.inference import network_logits
from halfsmile.metrics.calibration import Temperature
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import EncoderConfig, build_encoder
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.vit_config import VitConfig
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.taxonomy import FERPLUS

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

TEMPERATURE = 1.7
RESNET = ResNetConfig(image_size=32, widths=(8, 12, 16, 24), depths=(1, 1, 2, 1))
ENCODERS: dict[str, EncoderConfig] = {
    "resnet": RESNET,
    "vit": VitConfig(image_size=32, patch_size=8, channels=3, width=32, depth=2, heads=2),
    "vit-stem": VitConfig(
        image_size=32,
        patch_size=8,
        channels=1,
        width=24,
        depth=1,
        heads=2,
        stem=(8, 16),
        pooling="average",
        mean=(0.5,),
        std=(0.25,),
    ),
}


@dataclass(frozen=True, eq=False)
class Network:
    """A network with what is needed to export and to check it."""

    model: Classifier
    facts: ModelFacts

    @property
    def shape(self) -> tuple[int, int, int]:
        crop = self.facts.preprocessing
        return crop.size, crop.size, crop.channels

    def images(self, count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
        """Blurred noise: pixels that a convolution reacts to differently from face to face."""
        size, _, channels = self.shape
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (count, size // 8, size // 8, channels))
        smooth = coarse.repeat(8, axis=1).repeat(8, axis=2) + rng.normal(0, 20, (count, *self.shape))
        return np.asarray(smooth.clip(0, 255), np.uint8)

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        return Temperature(self.facts.temperature)(network_logits(self.model, images))


def network(name: str) -> Network:
    """Random weights with running statistics that are not those of a new network, and clear answers."""
    torch.manual_seed(0)
    config = ENCODERS[name]
    model = Classifier(build_encoder(config), taxonomy=FERPLUS, standardize=True)
    facts = ModelFacts(
        name=name,
        labels=FERPLUS.labels,
        taxonomy="ferplus",
        preprocessing=Preprocessing(size=config.image_size, channels=config.channels),
        temperature=TEMPERATURE,
        threshold=0.6,
        target_error=0.1,
        recipe_sha256="0" * 64,
        card="A test.",
    )
    made = Network(model, facts)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0, 0.2)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    torch.nn.init.zeros_(model.head.bias)
    with torch.no_grad():
        for seed in range(40):
            pixels = torch.from_numpy(made.images(64, seed)).permute(0, 3, 1, 2).float() / 255
            model.train()(pixels)
    model.eval()
    return made


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Network, Path]]:
    """A function that exports a network of :data:`ENCODERS` once and gives it with its file."""
    from halfsmile.export.onnx import export_onnx

    made: dict[str, tuple[Network, Path]] = {}

    def export(name: str) -> tuple[Network, Path]:
        if name not in made:
            path = tmp_path_factory.mktemp(name) / "model.onnx"
            source = network(name)
            export_onnx(source.model, source.facts, path)
            made[name] = source, path
        return made[name]

    return export
