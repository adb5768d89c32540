"""Weights come back bit by bit, or are refused by the name of their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from halfsmile.models import weights
from halfsmile.models.weights import load_weights, save_weights


def model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def test_weights_come_back_bit_by_bit(tmp_path: Path) -> None:
    trained, fresh = model(0), model(1)
    save_weights(tmp_path / "stage/model.safetensors", trained)
    load_weights(tmp_path / "stage/model.safetensors", fresh)
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)


def damage(path: Path, kind: str) -> nn.Module:
    """Do something to a file of weights, and give a model to load it into."""
    save_weights(path, model())
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("these are no weights")
    elif kind == "missing":
        path.unlink()
    return model() if kind != "other shape" else nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "missing", "other shape"])
def test_damaged_weights_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "semi/model.safetensors"
    fresh = damage(path, kind)
    with pytest.raises(ValueError, match=r"semi/model\.safetensors can't be loaded"):
        load_weights(path, fresh)


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Any], path: Path) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(OSError, match=r"Can't write .*model\.safetensors.*No space left on device"):
        save_weights(tmp_path / "semi/model.safetensors", model())
    assert list((tmp_path / "semi").iterdir()) == []
