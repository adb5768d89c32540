"""A face network in an ONNX file as a teacher for Stage I: one vector a face, by onnxruntime.

Such files don't say how they want their pixels, so mean and standard deviation are given beside them. What
labels they learned from nobody knows either: a network that was trained to recognize people is meant, and
models that name expressions, as ``halfsmile export`` writes, are refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from halfsmile.predict.model import open_session

_WIDEST = 4096
"""Numbers of a vector at most; more are a map or a picture."""


def is_onnx(teacher: str) -> bool:
    """Whether a teacher is given as an ONNX file."""
    return Path(teacher).suffix.lower() == ".onnx"


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """What an ONNX file takes and gives.

    Args:
        image_size: Side in pixels of the square faces that it takes.
        channels: 3 for RGB, or 1 for gray.
        width: Numbers that it says of a face.
        mean: Of pixels in 0…255, one for each channel or one for all.
        std: Likewise; pixels are taken as ``(pixels - mean) / std``.
    """

    image_size: int
    channels: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class OnnxNetwork(nn.Module):
    """A network in an ONNX file; faces (B, C, S, S) in [0, 1] to vectors (B, width).

    Args:
        path: The file: one input (N or 1, C, S, S) of float32, whose first output is (N or 1, width).
        mean: Of pixels in 0…255.
        std: Likewise, above 0.

    Raises:
        ValueError: If the file is no such network, names expressions, or mean and std are not given or don't
            fit its channels.
    """

    file: Tensor

    def __init__(self, path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        data = path.read_bytes()
        self.session = open_session(data, str(path))
        if any(key.startswith("halfsmile.") for key in self.session.get_modelmeta().custom_metadata_map):
            raise ValueError(
                f"{path} names expressions, and does not say by which labels it learned to. Give the run "
                "that it was exported from, or a network that recognizes people."
            )
        size, channels, self.together = self._input(path)
        self.config = OnnxConfig(
            image_size=size,
            channels=channels,
            width=self._width(path, size, channels),
            mean=mean,
            std=std,
        )
        _require_pixels(path, self.config)
        digest = np.frombuffer(hashlib.sha256(data).digest(), np.uint8).copy()
        self.register_buffer("file", torch.from_numpy(digest))

    def _input(self, path: Path) -> tuple[int, int, bool]:
        """Side and channels of the faces, and whether several are taken at once.

        Weights that a file lists among its inputs, as older ones do, are none.
        """
        first = self.session.get_inputs()[0]
        shape = first.shape
        if first.type != "tensor(float)" or len(shape) != 4 or shape[1] not in (1, 3) or shape[2] != shape[3]:
            raise ValueError(
                f"{path} takes {first.name!r}, {first.type} {shape}; a teacher takes float faces "
                "(N, C, S, S) with 1 or 3 channels."
            )
        if not isinstance(shape[2], int):
            raise ValueError(
                f"{path} takes faces of any size, and does not say of which it was trained on. Export it "
                "with a fixed one, as (N, 3, 112, 112)."
            )
        if isinstance(shape[0], int) and shape[0] != 1:
            raise ValueError(
                f"{path} takes {shape[0]} faces at once. Export it for one face, or for any number of them."
            )
        return shape[2], shape[1], shape[0] != 1

    def _width(self, path: Path, size: int, channels: int) -> int:
        said = self._run(np.zeros((1, channels, size, size), np.float32))
        if said.ndim != 2 or not 1 <= said.shape[1] <= _WIDEST or said.dtype != np.float32:
            raise ValueError(
                f"{path} says {said.dtype} {said.shape} of one face; a teacher says one vector, (1, width) "
                f"of float32 with at most {_WIDEST:,} numbers."
            )
        return int(said.shape[1])

    def _run(self, faces: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = self.session.run(
            [self.session.get_outputs()[0].name], {self.session.get_inputs()[0].name: faces}
        )[0]
        return found

    def forward(self, images: Tensor) -> Tensor:
        """What the network says of faces (B, C, S, S) in [0, 1]."""
        mean = torch.tensor(self.config.mean).view(-1, 1, 1)
        std = torch.tensor(self.config.std).view(-1, 1, 1)
        pixels = ((255 * images.cpu().float() - mean) / std).numpy()
        parts = [pixels] if self.together else [pixels[i : i + 1] for i in range(len(pixels))]
        return torch.from_numpy(np.concatenate([self._run(part) for part in parts])).to(images.device)


def _require_pixels(path: Path, config: OnnxConfig) -> None:
    if not config.mean or not config.std:
        raise ValueError(
            f"{path} does not say how it wants its pixels: --set pretrain.teacher_mean=127.5 "
            "pretrain.teacher_std=127.5 for -1 to 1, 0 and 255 for 0 to 1, 0 and 1 for 0 to 255; or a number "
            "for each channel."
        )
    for name, numbers in (("mean", config.mean), ("std", config.std)):
        if len(numbers) not in (1, config.channels):
            raise ValueError(
                f"pretrain.teacher_{name} has {len(numbers)} numbers, and {path} takes faces with "
                f"{config.channels} channel{'s' if config.channels > 1 else ''}."
            )
    if not np.isfinite([*config.mean, *config.std]).all() or min(config.std) <= 0:
        raise ValueError(
            "pretrain.teacher_mean takes numbers and pretrain.teacher_std numbers above 0, found "
            f"{config.mean} and {config.std}."
        )
