"""The face network's weights in the two forms in which others pass them on.

* dlib's ``dlib_face_recognition_resnet_model_v1.dat``: dlib's serialization, 32 bits.
* ``face_recognition_model-weights_manifest.json`` and the ``.bin`` beside it, of the JavaScript packages
  ``face-api.js`` and ``@vladmandic/face-api``: the same weights in 8 bits.

Both become tensors by the names of :class:`~halfsmile.models.face_network.FaceEmbedding`, with the scales and
biases that follow each convolution folded in. The package's own file was made by

    python -m halfsmile.models.face_files dlib_face_recognition_resnet_model_v1.dat face_network.safetensors
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor

from halfsmile.models.face_network import HALVES, WIDTHS
from halfsmile.utils.files import atomic_write

Floats = npt.NDArray[np.float32]

_LAYERS = (b"\x01\x05con_4", b"\x01\x07affine_", b"\x01\x04fc_2")
"""Names of dlib's layers that hold numbers, each after its length."""

_MANIFEST = "-weights_manifest.json"


def read_face_file(path: Path) -> dict[str, Tensor]:
    """The weights of a file in one of the two forms.

    Args:
        path: A ``.dat`` file of dlib, or a ``…-weights_manifest.json``.

    Returns:
        ``encoder.…`` and ``projection.weight``, float32.

    Raises:
        ValueError: If the file is cut off or holds another network.
    """
    try:
        layers = _read_manifest(path) if path.name.endswith(_MANIFEST) else _read_dat(path)
        return _named(layers)
    except (ValueError, KeyError, IndexError, TypeError, json.JSONDecodeError, OSError) as error:
        raise ValueError(
            f"{path} is not a whole file of dlib's face-recognition network "
            f"(dlib_face_recognition_resnet_model_v1.dat, or face_recognition_model-weights_manifest.json "
            f"beside its .bin): {error}"
        ) from error


def is_face_file(path: Path) -> bool:
    """Whether a file's name is that of one of the two forms."""
    return path.suffix == ".dat" or path.name.endswith(_MANIFEST)


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape (out, in, height, width) of each convolution, from the picture up."""
    shapes: list[tuple[str, tuple[int, ...]]] = [("encoder.patch_embed", (WIDTHS[0], 3, 7, 7))]
    below = WIDTHS[0]
    for i, width in enumerate(WIDTHS):
        shapes.append((f"encoder.blocks.{i}.conv1", (width, below, 3, 3)))
        shapes.append((f"encoder.blocks.{i}.conv2", (width, width, 3, 3)))
        below = width
    return shapes


def _named(layers: Iterator[Floats]) -> dict[str, Tensor]:
    """Tensors by name, from the numbers of the layers in order: filters and biases, then scale and bias."""
    named = {}
    for name, shape in _shapes():
        filters, biases = _split(next(layers, None), prod(shape), shape[0], name)
        scales, shifts = _split(next(layers, None), shape[0], shape[0], f"{name}, scale")
        named[f"{name}.weight"] = _tensor(filters.reshape(shape) * scales[:, None, None, None])
        named[f"{name}.bias"] = _tensor(biases * scales + shifts)
    matrix, _ = _split(next(layers, None), 256 * 128, 0, "projection")
    named["projection.weight"] = _tensor(matrix.reshape(256, 128).T)
    if next(layers, None) is not None:
        raise ValueError("it holds more layers than that network has.")
    return named


def _tensor(values: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def _split(values: Floats | None, first: int, second: int, name: str) -> tuple[Floats, Floats]:
    found = 0 if values is None else len(values)
    if values is None or found != first + second:
        raise ValueError(f"{name} has {found:,} numbers, expected {first + second:,}.")
    return values[:first].astype(np.float64), values[first:].astype(np.float64)


def _read_dat(path: Path) -> Iterator[Floats]:
    """Numbers of each layer in dlib's order, which begins at the picture.

    Between them lie settings and gradients, which are passed over. A whole number is written as its count of
    bytes and the bytes, a text as its length and its letters, a tensor as version, four sizes, and numbers.
    """
    content = path.read_bytes()
    at = 0
    while True:
        found = [(place, name) for name in _LAYERS if (place := content.find(name, at)) >= 0]
        if not found:
            return
        at, name = min(found)
        at += len(name)
        if name == b"\x01\x04fc_2":
            _, at = _integer(content, at)
            _, at = _integer(content, at)
        sizes = []
        for _ in range(5):
            value, at = _integer(content, at)
            sizes.append(value)
        count = prod(sizes[1:])
        if sizes[0] != 2 or at + 4 * count > len(content):
            raise ValueError(f"the layer at byte {at:,} is cut off, or of another version of dlib.")
        yield np.frombuffer(content, "<f4", count, at)
        at += 4 * count


def _integer(content: bytes, at: int) -> tuple[int, int]:
    size = content[at]
    if not 1 <= size <= 8:
        raise ValueError(f"a whole number was expected at byte {at:,}.")
    return int.from_bytes(content[at + 1 : at + 1 + size], "little"), at + 1 + size


def _read_manifest(path: Path) -> Iterator[Floats]:
    """The same from the manifest and the files that it names; 8-bit numbers are ``value · scale + min``."""
    groups = json.loads(path.read_text(encoding="utf-8"))
    arrays: dict[str, npt.NDArray[Any]] = {}
    for group in groups:
        content = b"".join(_part(path, name) for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            shape, packed = entry["shape"], entry.get("quantization")
            kind = np.dtype(np.uint8 if packed else "<f4")
            values = np.frombuffer(content, kind, prod(shape), at).astype(np.float32)
            at += kind.itemsize * prod(shape)
            if packed:
                values = values * np.float32(packed["scale"]) + np.float32(packed["min"])
            arrays[entry["name"]] = values.reshape(shape)
        if at != len(content):
            raise ValueError(f"{', '.join(group['paths'])} has {len(content):,} bytes, expected {at:,}.")
    for name in _manifest_names():
        yield np.concatenate(
            [
                arrays[f"{name}/conv/filters"].transpose(3, 2, 0, 1).ravel(),
                arrays[f"{name}/conv/bias"].ravel(),
            ]
        )
        yield np.concatenate(
            [arrays[f"{name}/scale/weights"].ravel(), arrays[f"{name}/scale/biases"].ravel()]
        )
    yield arrays["fc"].ravel()


def _part(manifest: Path, name: str) -> bytes:
    """A file that a manifest names; some packages join the parts and call them ``….bin``."""
    path = manifest.parent / Path(name).name
    if not path.exists():
        path = manifest.parent / (manifest.name.removesuffix(_MANIFEST) + ".bin")
    return path.read_bytes()


def _manifest_names() -> list[str]:
    names, counts = ["conv32_down"], dict.fromkeys(WIDTHS, 0)
    for i, width in enumerate(WIDTHS):
        if i in HALVES:
            block = f"conv{width}_down" + ("_out" if i == len(WIDTHS) - 1 else "")
        else:
            counts[width] += 1
            block = f"conv{width}_{counts[width]}"
        names += [f"{block}/conv1", f"{block}/conv2"]
    return names


def main(source: Path, target: Path) -> None:
    """Write the weights of a file as 16-bit safetensors."""
    tensors = {name: value.half() for name, value in read_face_file(source).items()}
    with atomic_write(target) as temporary:
        save_file(tensors, temporary)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
