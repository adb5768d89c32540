from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.face_network import (
    HALVES,
    SIZE,
    Block,
    FaceEmbedding,
    FaceNetwork,
    FaceNetworkConfig,
)
from halfsmile.models.pretrained import load_pretrained
from halfsmile.models.weight_files import FACE, FACE_FILE, read_weights
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.optim import parameter_groups

DESCRIPTORS = Path(__file__).with_name("dlib_descriptors.npy")
"""What dlib 20.0.1 makes of :func:`pictures` with its own file of weights."""


def pictures() -> Tensor:
    """Ten pictures (10, 3, 150, 150) of colored squares, in 0 to 255."""
    squares = np.random.default_rng(0).integers(0, 256, (10, 15, 15, 3), dtype=np.uint8)
    return torch.from_numpy(squares.repeat(10, 1).repeat(10, 2)).permute(0, 3, 1, 2)


def pretrained(config: FaceNetworkConfig) -> FaceNetwork:
    network = FaceNetwork(config).eval()
    load_pretrained(network, FACE)
    return network


def test_embeddings_are_those_of_dlib() -> None:
    network = FaceEmbedding().eval()
    network.load_state_dict(read_weights(FACE))
    with torch.inference_mode():
        found = network(pictures().float() / 255).numpy()
    expected = np.load(DESCRIPTORS)
    np.testing.assert_allclose(found, expected, atol=5e-4)  # the package's weights have 16 bits
    others = np.linalg.norm(expected[:, None] - expected[None], axis=2)[np.triu_indices(10, 1)]
    assert others.min() > 100 * np.abs(found - expected).max()


@pytest.mark.parametrize("size", [67, 68, 80, 96, 99, 112, 150, 224])
def test_any_size_gives_features(size: int) -> None:
    network = pretrained(FaceNetworkConfig(image_size=size, channels=1))
    with torch.inference_mode():
        features = network(torch.rand(2, 1, size, size))
    assert features.shape == (2, 256)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("size", [67, 99])
def test_no_map_is_filled_up_at_the_sizes_that_fit(size: int) -> None:
    maps = FaceNetwork(FaceNetworkConfig(image_size=size)).eval().maps(torch.rand(1, 3, size, size))
    sides = [maps[0].shape[2], *(maps[i].shape[2] for i in HALVES[:-1])]
    assert all(below % 2 == 1 and above == (below - 1) // 2 for below, above in pairwise(sides))


def test_a_gray_picture_gets_the_features_of_its_colors() -> None:
    gray = torch.rand(3, 1, 99, 99)
    with torch.inference_mode():
        one = pretrained(FaceNetworkConfig(channels=1))(gray)
        three = pretrained(FaceNetworkConfig(channels=3))(gray.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one, three, atol=2e-5, rtol=1e-4)


def test_a_halving_block_fills_up_with_zeros_at_the_end() -> None:
    block = Block(1, 2, halves=True)
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            parameter.copy_(torch.tensor([1.0, 2.0]) if name == "conv2.bias" else 0 * parameter)
    x = torch.ones(1, 1, 8, 8)  # the convolution leaves 3 × 3, the shortcut 4 × 4
    found = block(x)[0]
    assert found[0].tolist() == [[2, 2, 2, 1], [2, 2, 2, 1], [2, 2, 2, 1], [1, 1, 1, 1]]
    assert found[1].tolist() == [[2, 2, 2, 0], [2, 2, 2, 0], [2, 2, 2, 0], [0, 0, 0, 0]]


def test_training_takes_the_same_path_as_evaluation() -> None:
    network = pretrained(FaceNetworkConfig(channels=1))
    faces = torch.rand(2, 1, 99, 99)
    with torch.inference_mode():
        expected = network(faces)
    torch.testing.assert_close(network.train()(faces), expected, atol=1e-4, rtol=1e-3)


def test_faces_skip_blocks_at_the_rate_of_drop_path() -> None:
    torch.manual_seed(0)
    network = build_encoder(FaceNetworkConfig(image_size=67, channels=1), drop_path=0.5)
    load_pretrained(network, FACE)
    faces = torch.rand(1, 1, 67, 67).expand(8, -1, -1, -1)
    assert network.train()(faces).std(dim=0).mean() > 0
    assert network.eval()(faces).std(dim=0).max() < 1e-5


def test_what_is_not_used_of_the_weights_is_named() -> None:
    report = load_pretrained(FaceNetwork(FaceNetworkConfig()), FACE)
    assert not report.missing
    last = len(HALVES) and max(HALVES)
    assert report.unused == (
        *(
            f"encoder.blocks.{last}.{name}"
            for name in ("conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight")
        ),
        "projection.weight",
    )
    whole = load_pretrained(FaceNetwork(FaceNetworkConfig(image_size=SIZE, last_block=True)), FACE)
    assert whole.unused == ("projection.weight",)


def test_the_first_convolution_learns_slowest() -> None:
    model = Classifier(FaceNetwork(FaceNetworkConfig()), taxonomy=FERPLUS)
    groups = parameter_groups(model, OptimConfig(learning_rate=1e-3, layer_decay=0.5))
    scales = sorted({group["scale"] for group in groups})
    assert scales == [0.5**power for power in range(14, -1, -1)]
    stem = next(
        group for group in groups if any(p is model.encoder.patch_embed.weight for p in group["params"])
    )
    assert stem["scale"] == 0.5**14


def test_the_weights_travel_with_the_package() -> None:
    assert FACE_FILE.is_file()
    assert FACE_FILE.with_suffix(".md").is_file()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "67 px and more, found image_size 48"),
        ({"channels": 2}, "1 .gray. or 3 .RGB., got 2"),
        ({"drop_path": 1.5}, "drop_path"),
    ],
)
def test_shapes_that_cannot_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaceNetworkConfig(**settings)  # type: ignore[arg-type]


def test_wrong_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 99, 99\).*takes \(1, 99, 99\)"):
        FaceNetwork(FaceNetworkConfig(channels=1))(torch.rand(1, 3, 99, 99))
    with pytest.raises(ValueError, match="last block"):
        FaceEmbedding(FaceNetworkConfig())
