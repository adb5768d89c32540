"""The face network as an ONNX graph over the weights that the package brings, so that no torch is needed.

The graph is a small file; its weights are those of ``face_network.safetensors`` beside it, in 16 bits, which
onnxruntime reads in place. It was made by

    python -m halfsmile.export.face_graph src/halfsmile/models/files/face_network.safetensors

and gives the numbers of :class:`halfsmile.models.face_network.FaceEmbedding`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from halfsmile.models.face_network import HALVES, MEAN, SIZE, WIDTHS


def face_graph(weights: Path) -> onnx.ModelProto:
    """``images`` (N, 150, 150, 3), uint8, RGB, to ``embeddings`` (N, 128).

    Args:
        weights: The safetensors file; the graph names it, and has to lie beside it.
    """
    graph = _Graph(weights)
    x = graph.add("Cast", ["images"], to=TensorProto.FLOAT)
    x = graph.add("Sub", [x, graph.constant("mean", np.array(MEAN, np.float32))])
    x = graph.add("Div", [x, graph.constant("levels", np.array(256, np.float32))])
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])
    x = graph.add("Relu", [graph.convolution(x, "encoder.patch_embed", stride=2, pad=0)])
    x = graph.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
    side, width = ((SIZE - 7) // 2 + 1 - 3) // 2 + 1, WIDTHS[0]
    for i, wide in enumerate(WIDTHS):
        halves = i in HALVES
        y = graph.convolution(
            x, f"encoder.blocks.{i}.conv1", stride=2 if halves else 1, pad=0 if halves else 1
        )
        y = graph.convolution(graph.add("Relu", [y]), f"encoder.blocks.{i}.conv2", stride=1, pad=1)
        inner = (side - 3) // 2 + 1 if halves else side
        if halves:
            x = graph.add("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
            side //= 2
        larger = max(side, inner)
        y = graph.filled(y, 0, larger - inner)
        x = graph.filled(x, wide - width, larger - side)
        x = graph.add("Relu", [graph.add("Add", [x, y])])
        side, width = larger, wide
    x = graph.add("ReduceMean", [x, graph.constant("map", np.array([2, 3], np.int64))], keepdims=0)
    matrix = graph.add("Transpose", [graph.weight("projection.weight")], perm=[1, 0])
    graph.nodes.append(helper.make_node("MatMul", [x, matrix], ["embeddings"]))
    return graph.model()


class _Graph:
    def __init__(self, weights: Path) -> None:
        self.file = weights.name
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self.places: dict[str, Any] = json.loads(file.read(length))
        self.begin = 8 + length
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any) -> str:
        self.tensors.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        """A tensor of the file, as 32 bits."""
        place = self.places[name]
        if place["dtype"] != "F16":
            raise ValueError(f"{name} is kept as {place['dtype']}, expected F16.")
        first, end = place["data_offsets"]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=place["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        facts = {"location": self.file, "offset": self.begin + first, "length": end - first}
        for key, value in facts.items():
            tensor.external_data.add(key=key, value=str(value))
        self.tensors.append(tensor)
        return self.add("Cast", [name], to=TensorProto.FLOAT)

    def convolution(self, x: str, name: str, *, stride: int, pad: int) -> str:
        weights = [self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("Conv", [x, *weights], strides=[stride, stride], pads=[pad] * 4)

    def filled(self, x: str, channels: int, pixels: int) -> str:
        """Zeros at the end of channels, rows and columns."""
        if not channels and not pixels:
            return x
        name = f"fill_{channels}_{pixels}"
        if name not in {tensor.name for tensor in self.tensors}:
            self.constant(name, np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64))
        return self.add("Pad", [x, name])

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "face_network",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
            [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", 128])],
            self.tensors,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


if __name__ == "__main__":
    given = Path(sys.argv[1])
    given.with_suffix(".onnx").write_bytes(face_graph(given).SerializeToString(deterministic=True))
