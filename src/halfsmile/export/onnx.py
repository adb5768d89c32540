"""The network of a run as one ONNX file: uint8 faces in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from halfsmile.models.ensemble import Answering
from halfsmile.predict.model import INPUT, OUTPUTS
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.files import atomic_write

OPSET = 20


class ExportedNetwork(nn.Module):
    """Everything from pixels to probabilities.

    Args:
        model: The trained network, which has mean and deviation of its pixels inside.
        temperature: Logits are divided by it before the softmax.
    """

    def __init__(self, model: Answering, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities and logits (N, classes) and features (N, D) of images (N, S, S, C) uint8."""
        logits, features = self.model.answer(images.permute(0, 3, 1, 2).float() / 255)
        return (logits / self.temperature).softmax(dim=1), logits, features


def export_onnx(model: Answering, facts: ModelFacts, path: Path) -> None:
    """Write a network and what it says of itself as a single file; the number of faces N is free.

    Args:
        model: The trained network.
        facts: Labels, crop, temperature and so on; the temperature goes into the graph.
        path: The file.

    Raises:
        ValueError: If the facts are not those of the network.
        OSError: If the file can't be written.
    """
    config, crop = model.encoder.config, facts.preprocessing
    if (config.image_size, config.channels) != (crop.size, crop.channels):
        raise ValueError(
            f"The network takes {config.image_size} px and {config.channels} channels, the facts say "
            f"{crop.size} px and {crop.channels}."
        )
    if model.taxonomy.labels != facts.labels:
        raise ValueError(
            f"The network's classes are {list(model.taxonomy.labels)}, the facts say {list(facts.labels)}."
        )
    network = ExportedNetwork(model.cpu(), facts.temperature).eval()
    example = torch.zeros(2, crop.size, crop.size, crop.channels, dtype=torch.uint8)
    with torch.no_grad():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("faces", min=1)},),
            verbose=False,
        )
    write_onnx(program.model_proto, facts.to_metadata(), path)  # type: ignore[union-attr]


def write_onnx(proto: Any, metadata: Mapping[str, str], path: Path) -> None:
    """Check an ONNX graph, give it metadata, and write it atomically.

    The exporter's notes on each node are left out: they quote the program and name folders of this machine.

    Args:
        proto: ``onnx.ModelProto``, weights inside.
        metadata: What the file says of itself; takes the place of earlier entries.
        path: The file.
    """
    import onnx

    graph = proto.graph
    parts = (graph.node, graph.initializer, graph.input, graph.output, graph.value_info)
    for part in (proto, graph, *(item for items in parts for item in items)):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.helper.set_model_props(proto, dict(metadata))
    proto.doc_string = metadata.get("halfsmile.card", "")
    onnx.checker.check_model(proto, full_check=True)
    with atomic_write(path) as temporary:
        onnx.save_model(proto, temporary)
