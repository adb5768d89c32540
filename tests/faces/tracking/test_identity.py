"""The face network without torch is the one with torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.identity import _POINTS, SIDE, FaceIdentity

FILES = Path(__file__).parents[3] / "src/halfsmile/models/files"


@pytest.fixture(scope="module")
def network() -> FaceIdentity:
    return FaceIdentity(threads=1)


def pictures(count: int) -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]


def face(scale: float = 1.0, shift: float = 0.0) -> Detection:
    points = np.array(_POINTS, np.float32) * scale + shift
    return Detection(np.array([0, 0, SIDE, SIDE], np.float32) * scale + shift, points, 0.9)


def test_its_numbers_are_those_of_the_network_in_torch(network: FaceIdentity) -> None:
    torch = pytest.importorskip("torch", reason="needs halfsmile[train]")
    safetensors = pytest.importorskip("safetensors.torch", reason="needs halfsmile[train]")
    from halfsmile.models.face_network import FaceEmbedding

    model = FaceEmbedding().eval()
    weights = safetensors.load_file(FILES / "face_network.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    images = pictures(2)
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        expected = torch.nn.functional.normalize(model(batch)).numpy()
    found = [network.embed(image, face()) for image in images]
    np.testing.assert_allclose(np.stack(found), expected, atol=1e-4)  # type: ignore[arg-type]


def test_the_graph_is_the_one_that_is_made() -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("torch", reason="needs halfsmile[train]")
    from halfsmile.export.face_graph import face_graph

    made = face_graph(FILES / "face_network.safetensors").SerializeToString(deterministic=True)
    assert made == (FILES / "face_network.onnx").read_bytes()


def test_size_and_place_in_the_picture_do_not_matter(network: FaceIdentity) -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (10, 10, 3), dtype=np.uint8)
    small = np.repeat(np.repeat(coarse, 15, 0), 15, 1)
    large = np.full((400, 500, 3), 90, np.uint8)
    large[40:340, 40:340] = np.repeat(np.repeat(coarse, 30, 0), 30, 1)
    one, other = network.embed(small, face()), network.embed(large, face(2.0, 40.0))
    assert one is not None
    assert other is not None
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert float(one @ other) > 0.97


def test_without_landmarks_nobody_is_known(network: FaceIdentity) -> None:
    image = pictures(1)[0]
    assert network.embed(image, Detection(np.array([0, 0, 9, 9], np.float32), None, 0.9)) is None
    same = Detection(np.array([0, 0, 9, 9], np.float32), np.ones((5, 2), np.float32), 0.9)
    assert network.embed(image, same) is None


def test_it_needs_no_torch() -> None:
    program = (
        "import sys\n"
        "from halfsmile.faces.tracking.identity import FaceIdentity\n"
        "FaceIdentity(threads=1)\n"
        "assert 'torch' not in sys.modules and 'onnx' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
