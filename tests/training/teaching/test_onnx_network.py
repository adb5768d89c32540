"""A network in an ONNX file teaches Stage I by one vector a face, in the pixels that it wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from halfsmile import predict
from halfsmile.models.resnet import ResNetConfig
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.overrides import override
from halfsmile.training.distributed import Processes
from halfsmile.training.plan import plan_run
from halfsmile.training.run import train_run
from halfsmile.training.teaching.onnx_network import OnnxNetwork

HERE = Processes(0, 1, torch.device("cpu"))
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
IN_THE_BOX = Path(predict.__file__).parent / "models/default.onnx"
RAW: dict[str, Any] = {"mean": (0.0,), "std": (1.0,)}


def network_file(path: Path, shape: tuple[Any, ...] = (1, 3, 8, 8), *, pooled: bool = True) -> Path:
    """A network that says WEIGHTS times the mean color of a face, its weights among the inputs as well."""
    faces = helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, WEIGHTS.shape)
    said = helper.make_tensor_value_info("said", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["said"]),
    ]
    if not pooled:
        nodes = [helper.make_node("Relu", ["data"], ["said"])]
    graph = helper.make_graph(
        nodes, "faces", [faces, weights], [said], [numpy_helper.from_array(WEIGHTS, "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("batch", [1, "N"])
@pytest.mark.parametrize(
    ("mean", "std"), [((0.0,), (1.0,)), ((127.5,), (127.5,)), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))]
)
def test_it_sees_the_pixels_that_it_wants(tmp_path: Path, batch: Any, mean: Any, std: Any) -> None:
    network = OnnxNetwork(network_file(tmp_path / "net.onnx", (batch, 3, 8, 8)), mean, std)
    assert (network.config.image_size, network.config.channels, network.config.width) == (8, 3, 5)
    faces = torch.rand(4, 3, 8, 8)
    colors = 255 * faces.mean(dim=(2, 3)).numpy()
    expected = ((colors - np.array(mean, np.float32)) / np.array(std, np.float32)) @ WEIGHTS
    np.testing.assert_allclose(network(faces).numpy(), expected, rtol=1e-4, atol=1e-3)


def test_other_files_are_other_teachers(tmp_path: Path) -> None:
    first = OnnxNetwork(network_file(tmp_path / "a.onnx"), **RAW)
    second = OnnxNetwork(network_file(tmp_path / "b.onnx", ("N", 3, 8, 8)), **RAW)
    assert not torch.equal(first.state_dict()["file"], second.state_dict()["file"])


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 8, 8, 3), RAW, r"takes 'data', tensor\(float\) \[1, 8, 8, 3\]; a teacher takes float faces"),
        ((1, 3, 8, 9), RAW, "a teacher takes float faces"),
        (("N", 3, "S", "S"), RAW, "does not say of which it was trained on"),
        ((1, 3, 8, 8), {"mean": (), "std": ()}, r"pretrain\.teacher_mean=127\.5"),
        ((1, 3, 8, 8), {"mean": (0.0,), "std": ()}, r"pretrain\.teacher_std=127\.5"),
        ((1, 3, 8, 8), {"mean": (0.0, 0.0), "std": (1.0,)}, "teacher_mean has 2 numbers, .* with 3 channels"),
        ((1, 3, 8, 8), {"mean": (0.0,), "std": (0.0,)}, r"teacher_std numbers above 0, found \(0\.0,\) and"),
        ((1, 3, 8, 8), {"mean": (0.0,), "std": (float("nan"),)}, "teacher_std numbers above 0"),
        ((1, 3, 8, 8), {"mean": (float("inf"),), "std": (1.0,)}, "teacher_mean takes numbers"),
        ((8, 3, 8, 8), RAW, "takes 8 faces at once"),
    ],
)
def test_what_can_not_teach_is_refused(
    tmp_path: Path, shape: Any, options: dict[str, Any], message: str
) -> None:
    path = network_file(tmp_path / "net.onnx", shape, pooled=shape[1] == 3)
    with pytest.raises(ValueError, match=message):
        OnnxNetwork(path, **options)


def test_maps_expressions_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"of one face; a teacher says one vector"):
        OnnxNetwork(network_file(tmp_path / "map.onnx", pooled=False), **RAW)
    with pytest.raises(ValueError, match=r"names expressions.*Give the run"):
        OnnxNetwork(IN_THE_BOX, **RAW)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(network_file(tmp_path / "net.onnx").read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged, cut short"):
        OnnxNetwork(cut, **RAW)


def test_stage_one_learns_from_a_file(tiny_recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    path = network_file(tmp_path / "net.onnx")
    encoder = ResNetConfig(image_size=32, widths=(8, 12, 16), depths=(1, 1, 1))
    short = replace(tiny_recipe, encoder=encoder, semi=None)
    taught = override(short, f"pretrain.teacher={path}", "pretrain.paint=0", "pretrain.epochs=3")
    data: dict[str, Any] = {"data": generated_data / "labeled", "unlabeled": [], "where": HERE}
    with pytest.raises(ValueError, match="does not say how it wants its pixels"):
        train_run(taught, out=tmp_path / "run", **data)
    assert not (tmp_path / "run").exists()
    taught = override(taught, "pretrain.teacher_mean=127.5", "pretrain.teacher_std=127.5")
    assert [stage.name for stage in plan_run(taught, **data).stages] == ["pretrain", "finetune"]
    folder = train_run(taught, out=tmp_path / "taught", last_stage="pretrain", **data)
    lines = folder.records("pretrain").lines
    assert "map" not in lines[-1]
    assert lines[-1]["feature"] < 1
    gone = override(taught, f"pretrain.teacher={tmp_path / 'no.onnx'}")
    with pytest.raises(ValueError, match=r"There is no file .*no\.onnx; --teacher takes face, a run folder"):
        train_run(gone, out=tmp_path / "gone", **data)
    assert not (tmp_path / "gone").exists()
