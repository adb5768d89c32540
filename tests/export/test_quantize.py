"""8 bits: smaller, nearly the same answers, and weights that no processor overflows on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from tests.export.conftest import ENCODERS, RESNET, Network, network

from halfsmile.evaluation.inference import network_logits
from halfsmile.export.onnx import export_onnx
from halfsmile.export.quantize import first_layers, quantize_onnx
from halfsmile.metrics.calibration import Temperature
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.ensemble import Ensemble
from halfsmile.predict.model import ExpressionModel
from halfsmile.taxonomy import FERPLUS

Exports = Callable[[str], tuple[Network, Path]]


@pytest.mark.parametrize(("name", "limit"), [("resnet", 0.1), ("vit", 0.1), ("vit-stem", 0.3)])
def test_an_8_bit_file_is_smaller_and_answers_nearly_the_same(
    exported: Exports, tmp_path: Path, name: str, limit: float
) -> None:
    source, path = exported(name)
    target = tmp_path / "int8.onnx"
    quantize_onnx(path, target, source.facts, source.images(64, seed=1))
    assert [file.name for file in tmp_path.iterdir()] == ["int8.onnx"]
    assert target.stat().st_size < path.stat().st_size
    found, reference = (ExpressionModel.load(file, threads=1) for file in (target, path))
    assert found.facts == source.facts
    images = source.images(200, seed=2)
    before, after = reference.predict(images).logits, found.predict(images).logits
    error = np.square(after - before).mean() / np.square(before - before.mean(axis=0)).mean()
    assert 1e-6 < error < limit


def test_weights_have_a_scale_per_channel_and_seven_bits(exported: Exports, tmp_path: Path) -> None:
    source, path = exported("resnet")
    quantize_onnx(path, tmp_path / "int8.onnx", source.facts, source.images(32))
    made = onnx.load(tmp_path / "int8.onnx")
    tensors = {item.name: onnx.numpy_helper.to_array(item) for item in made.graph.initializer}
    weights = {name: value for name, value in tensors.items() if value.dtype == np.int8 and value.ndim == 4}
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    assert len(weights) == len(convolutions) - 1
    for name, value in weights.items():
        assert np.abs(value).max() <= 64
        assert tensors[name.replace("_quantized", "_scale")].shape == value.shape[:1]
    first = next(node for node in made.graph.node if node.op_type == "Conv")
    assert tensors[first.input[1]].dtype == np.float32


def ancestors(model: Any, node: Any) -> list[Any]:
    """All nodes whose results a node depends on."""
    makers = {name: maker for maker in model.graph.node for name in maker.output}
    found: dict[str, Any] = {}
    waiting = [node]
    while waiting:
        for name in waiting.pop().input:
            if name in makers and makers[name].output[0] not in found:
                found[makers[name].output[0]] = makers[name]
                waiting.append(makers[name])
    return list(found.values())


@pytest.mark.parametrize("name", list(ENCODERS))
def test_the_layer_that_sees_pixels_stays_in_32_bits(exported: Exports, tmp_path: Path, name: str) -> None:
    source, path = exported(name)
    (found,) = first_layers(onnx.load(path))
    quantize_onnx(path, tmp_path / "int8.onnx", source.facts, source.images(32))
    made = onnx.load(tmp_path / "int8.onnx")
    layers = [node for node in made.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    plain = [node for node in layers if not any(i.endswith("DequantizeLinear_Output") for i in node.input)]
    first = next(node for node in layers if node.name == found)
    before = ancestors(made, first)
    assert first in plain
    assert any("images" in node.input for node in before)
    assert not {node.op_type for node in before} & {"Conv", "MatMul", "Gemm", "QuantizeLinear"}
    assert [node for node in plain if node.op_type == "Conv" and node is not first] == []


def test_a_graph_without_layers_has_no_first_one(exported: Exports) -> None:
    made = onnx.load(exported("resnet")[1])
    del made.graph.node[:]
    assert first_layers(made) == []


def test_ranges_need_faces(exported: Exports, tmp_path: Path) -> None:
    source, path = exported("resnet")
    with pytest.raises(ValueError, match="found none"):
        quantize_onnx(path, tmp_path / "int8.onnx", source.facts, source.images(0))
    assert not list(tmp_path.iterdir())


def test_each_network_of_an_average_keeps_its_first_layer(tmp_path: Path) -> None:
    source = network("resnet")
    torch.manual_seed(1)
    smaller = Classifier(build_encoder(replace(RESNET, image_size=16)), taxonomy=FERPLUS).eval()
    torch.nn.init.normal_(smaller.head.weight, std=0.5)
    both = Ensemble([source.model, smaller]).eval()
    path = tmp_path / "both.onnx"
    export_onnx(both, source.facts, path)
    images = source.images(16, seed=2)
    found = ExpressionModel.load(path, threads=1).predict(images)
    expected = Temperature(source.facts.temperature)(network_logits(both, images))
    assert np.allclose(found.probabilities, expected, atol=1e-4)
    assert len(first_layers(onnx.load(path))) == 2
    quantize_onnx(path, tmp_path / "int8.onnx", source.facts, source.images(32))
    made = onnx.load(tmp_path / "int8.onnx")
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    plain = [n for n in convolutions if not any(i.endswith("DequantizeLinear_Output") for i in n.input)]
    assert len(plain) == 2
    close = ExpressionModel.load(tmp_path / "int8.onnx", threads=1).predict(images).probabilities
    assert np.abs(close - found.probabilities).mean() < 0.05
