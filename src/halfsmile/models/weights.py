"""Weights of a network as a safetensors file."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from halfsmile.utils.files import atomic_write


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the state of a network, from whatever device it is on; the file appears whole or not at all.

    Raises:
        OSError: If it can't be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    try:
        with atomic_write(path) as temporary:
            save_file(tensors, temporary)
    except SafetensorError as error:
        raise OSError(f"Can't write {path}: {error}") from error


def load_weights(path: Path, model: nn.Module) -> None:
    """Put back, in place, what :func:`save_weights` wrote.

    Raises:
        ValueError: If the file is missing, damaged or of another shape.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} can't be loaded: {error}") from error
