from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.torch import load_file

from halfsmile.models.face_files import main, read_face_file
from halfsmile.models.face_network import WIDTHS, FaceEmbedding, FaceNetwork, FaceNetworkConfig
from halfsmile.models.pretrained import load_pretrained

Floats = npt.NDArray[np.float32]

BLOCKS = (
    *("conv32_1", "conv32_2", "conv32_3"),
    *("conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    *("conv128_down", "conv128_1", "conv128_2"),
    *("conv256_down", "conv256_1", "conv256_2", "conv256_down_out"),
)


@cache
def layers() -> list[tuple[str, Floats, Floats, Floats, Floats]]:
    """Name, filters, biases, scale and shift of each convolution, in quarters."""
    rng = np.random.default_rng(1)

    def numbers(*shape: int) -> Floats:
        return (rng.integers(-4, 5, shape) / 4).astype(np.float32)

    shapes = [("conv32_down", 32, 3, 7)]
    below = 32
    for name, width in zip(BLOCKS, WIDTHS, strict=True):
        shapes += [(f"{name}/conv1", width, below, 3), (f"{name}/conv2", width, width, 3)]
        below = width
    return [
        (name, numbers(out, given, side, side), numbers(out), numbers(out), numbers(out))
        for name, out, given, side in shapes
    ]


MATRIX = (np.arange(256 * 128, dtype=np.float32) % 7).reshape(256, 128)


def whole(value: int) -> bytes:
    """A whole number as dlib writes it: how many bytes, then the bytes."""
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([size]) + value.to_bytes(size, "little")


def text(value: str) -> bytes:
    return whole(len(value)) + value.encode()


def tensor(values: Floats) -> bytes:
    sizes = [values.shape[0], *values.shape[1:], 1, 1, 1][:4]
    return whole(2) + b"".join(map(whole, sizes)) + values.astype("<f4").tobytes()


def write_dat(path: Path) -> Path:
    """A file as dlib writes it, settings and gradients between the layers shortened."""
    parts = [text("loss_metric_2"), whole(2), b"\x0a\xd7\xa3"]
    for _, filters, biases, scale, shift in layers():
        parts += [text("con_4"), tensor(np.concatenate([filters.ravel(), biases])), whole(3), whole(1)]
        parts += [text("affine_"), tensor(np.concatenate([scale, shift])), text("relu_"), whole(1)]
    parts += [text("avg_pool_2"), whole(1), text("fc_2"), whole(128), whole(256), tensor(MATRIX), whole(1)]
    path.write_bytes(b"".join(parts))
    return path


def write_manifest(path: Path) -> Path:
    """The same in 8 bits, as face-api's packages have it: numbers are ``value · scale + min``."""
    entries, content = [], []
    arrays = {}
    for name, filters, biases, scale, shift in layers():
        arrays[f"{name}/conv/filters"] = filters.transpose(2, 3, 1, 0)
        arrays |= {
            f"{name}/conv/bias": biases,
            f"{name}/scale/weights": scale,
            f"{name}/scale/biases": shift,
        }
    arrays["fc"] = MATRIX
    for name, values in arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": "float32"}
        if name.endswith("biases"):
            content.append(values.astype("<f4").tobytes())
        else:
            least = float(values.min())
            entry["quantization"] = {"dtype": "uint8", "scale": 0.25, "min": least}
            content.append(np.round((values - least) / 0.25).astype(np.uint8).tobytes())
        entries.append(entry)
    path.with_name("face_recognition_model.bin").write_bytes(b"".join(content))
    path.write_text(json.dumps([{"weights": entries, "paths": ["face_recognition_model-shard1"]}]))
    return path


def dat(folder: Path) -> Path:
    return write_dat(folder / "dlib_face_recognition_resnet_model_v1.dat")


def manifest(folder: Path) -> Path:
    return write_manifest(folder / "face_recognition_model-weights_manifest.json")


@pytest.mark.parametrize("write", [dat, manifest])
def test_scales_and_shifts_are_folded_into_the_convolutions(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = read_face_file(write(tmp_path))
    names = ["patch_embed", *(f"blocks.{i}.conv{j}" for i in range(14) for j in (1, 2))]
    for name, (_, filters, biases, scale, shift) in zip(names, layers(), strict=True):
        weight, bias = found[f"encoder.{name}.weight"].numpy(), found[f"encoder.{name}.bias"].numpy()
        np.testing.assert_array_equal(weight, filters * scale[:, None, None, None])
        np.testing.assert_array_equal(bias, biases * scale + shift)
    np.testing.assert_array_equal(found["projection.weight"].numpy(), MATRIX.T)
    network = FaceEmbedding()
    network.load_state_dict(found)


@pytest.mark.parametrize("write", [dat, manifest])
def test_both_files_are_taken_as_weights(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    encoder = FaceNetwork(FaceNetworkConfig(channels=3))
    report = load_pretrained(encoder, str(path))
    assert not report.missing
    expected = read_face_file(path)["encoder.patch_embed.weight"]
    assert encoder.patch_embed.weight.equal(expected)


def test_the_program_writes_half_precision(tmp_path: Path) -> None:
    main(dat(tmp_path), tmp_path / "face_network.safetensors")
    found = load_file(tmp_path / "face_network.safetensors")
    expected = read_face_file(dat(tmp_path))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        name: tuple(value.shape) for name, value in expected.items()
    }
    assert all(value.element_size() == 2 for value in found.values())


@pytest.mark.parametrize("write", [dat, manifest])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
def test_files_that_are_cut_off_are_refused(
    write: Callable[[Path], Path], share: float, tmp_path: Path
) -> None:
    path = write(tmp_path)
    numbers = path if path.suffix == ".dat" else path.with_name("face_recognition_model.bin")
    content = numbers.read_bytes()
    numbers.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="is not a whole file of dlib's face-recognition network"):
        read_face_file(path)


@pytest.mark.parametrize("content", [b"", b"no weights", bytes(range(256)) * 10])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    for name in ("network.dat", "network-weights_manifest.json"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"is not a whole file of dlib's"):
            read_face_file(tmp_path / name)
