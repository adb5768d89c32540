"""Weights of others, and of runs, as tensors by the keys that their files have."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from halfsmile.models.face_files import is_face_file, read_face_file
from halfsmile.utils.download import download, is_url

FACE = "face"
"""Names the face network that the package brings as the source of weights."""

FACE_FILE = Path(__file__).parent / "files" / "face_network.safetensors"

_TORCH_FILES = (".pth", ".pt", ".bin", ".ckpt")
_RUN_WEIGHTS = Path("pretrain") / "model.safetensors"


def read_weights(source: str, *, cache: Path | None = None) -> dict[str, Tensor]:
    """All tensors of a source by their keys there, wrappers (``model``, ``state_dict``, ``module.``) removed.

    Raises:
        ValueError: If the source can't be found or read, or holds more than tensors.
    """
    if source == FACE:
        return load_file(FACE_FILE)
    path = download(source, cache=cache) if is_url(source) else Path(source).expanduser()
    if path.is_dir():
        path = path / _RUN_WEIGHTS
        if not path.exists():
            raise ValueError(
                f"{source} has no {_RUN_WEIGHTS}: it is not a run folder whose Stage I is finished."
            )
    if not path.is_file():
        raise ValueError(
            f"{source} does not exist. Give a file of weights, a run folder or an http(s) address."
        )
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
    if is_face_file(path):
        return read_face_file(path)
    if path.suffix not in _TORCH_FILES:
        raise ValueError(f"{path} must end in .safetensors, .dat or one of {', '.join(_TORCH_FILES)}.")
    value = _torch_load(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(value, Mapping) and isinstance(value.get(wrapper), Mapping):
            value = value[wrapper]
    if not isinstance(value, Mapping):
        raise ValueError(f"{path} holds a {type(value).__name__}, expected a dictionary of tensors.")
    return {str(key).removeprefix("module."): item for key, item in value.items() if isinstance(item, Tensor)}


def _torch_load(path: Path) -> Any:
    try:
        # MAE's own training writes its command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{path} was refused: it is damaged, or holds Python objects besides tensors, which could "
            f"run code when loaded. Ask its author for a safetensors file or a plain state dict. ({reason})"
        ) from error
