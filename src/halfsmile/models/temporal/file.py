"""A trained network over frames on disk: safetensors, and JSON that says its shape and its classes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork
from halfsmile.models.weights import save_weights
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import read_json, write_json


def save_network(folder: Path, model: TemporalNetwork, taxonomy: Taxonomy) -> None:
    """Write ``temporal.safetensors`` and ``temporal.json`` (shape, number of features, classes).

    Raises:
        OSError: If they can't be written.
    """
    save_weights(folder / "temporal.safetensors", model)
    facts = {"config": asdict(model.config), "features": model.features, "labels": list(taxonomy.labels)}
    write_json(folder / "temporal.json", facts)


def load_network(folder: Path) -> tuple[TemporalNetwork, Taxonomy]:
    """Read what :func:`save_network` wrote.

    Raises:
        ValueError: If it is missing, damaged or does not fit together.
    """
    facts = read_json(folder / "temporal.json")
    try:
        taxonomy = from_labels(facts["labels"])
        config = TemporalConfig(**facts["config"])
        model = make_network(config, features=int(facts["features"]), classes=len(taxonomy))
        model.load_state_dict(load_file(folder / "temporal.safetensors"))
    except (KeyError, TypeError, OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(f"{folder} does not hold a whole network over frames: {error}") from error
    return model, taxonomy
