"""A network over frames comes back from disk as it was, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.models.temporal.file import load_network, save_network
from halfsmile.taxonomy import RAFDB
from halfsmile.utils.files import read_json, write_json


@pytest.mark.parametrize("kind", ["transformer", "convolution"])
def test_round_trip(kind: str, tmp_path: Path) -> None:
    config = TemporalConfig(kind=kind, width=8, heads=2, delay=3)  # type: ignore[arg-type]
    model = make_network(config, features=4, classes=7)
    model.standardize_as(torch.randn(10, 4))
    save_network(tmp_path, model, RAFDB)
    loaded, taxonomy = load_network(tmp_path)
    assert (loaded.config, taxonomy) == (config, RAFDB)
    expected = model.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        load_network(tmp_path)
    save_network(tmp_path, make_network(TemporalConfig(width=8, heads=2), features=4, classes=7), RAFDB)
    facts = read_json(tmp_path / "temporal.json")
    write_json(tmp_path / "temporal.json", facts | {"features": 5})
    with pytest.raises(ValueError, match="does not hold a whole network"):
        load_network(tmp_path)
    write_json(tmp_path / "temporal.json", facts)
    (tmp_path / "temporal.safetensors").write_bytes(b"short")
    with pytest.raises(ValueError, match="does not hold a whole network"):
        load_network(tmp_path)
