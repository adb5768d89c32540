"""The ONNX file answers as the network does, whatever the number of faces, and says itself what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.export.conftest import ENCODERS, TEMPERATURE, Network, network

import halfsmile
from halfsmile.export.onnx import OPSET, export_onnx
from halfsmile.predict.model import ExpressionModel

Exports = Callable[[str], tuple[Network, Path]]


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_file_answers_as_torch_does_for_any_number_of_faces(
    exported: Exports, name: str, count: int
) -> None:
    source, path = exported(name)
    images = source.images(count, seed=100 + count)
    found = ExpressionModel.load(path, threads=1).predict(images)
    with torch.no_grad():
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        features = source.model.features(pixels)
        logits = source.model.classify(features)
    assert np.allclose(found.features, features, atol=1e-4)
    assert np.allclose(found.logits, logits, atol=1e-4)
    assert np.allclose(found.probabilities, (logits / TEMPERATURE).softmax(dim=1), atol=1e-5)
    assert found.probabilities.shape == (count, 8)
    assert np.ptp(found.logits) > 1


@pytest.mark.parametrize("name", ENCODERS)
def test_the_file_is_whole_and_says_what_it_is(exported: Exports, name: str) -> None:
    source, path = exported(name)
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    made = onnx.load(path)
    onnx.checker.check_model(made, full_check=True)
    assert [(item.domain, item.version) for item in made.opset_import] == [("", OPSET)]
    assert {item.key: item.value for item in made.metadata_props} == source.facts.to_metadata()
    assert ExpressionModel.load(path).facts == source.facts
    weights = sum(parameter.numel() for parameter in source.model.parameters())
    assert path.stat().st_size < 4.4 * weights + 250_000


@pytest.mark.parametrize("name", ENCODERS)
def test_the_file_names_no_folder_of_this_machine(exported: Exports, name: str) -> None:
    content = exported(name)[1].read_bytes()
    assert b"halfsmile.labels" in content
    assert str(Path(halfsmile.__file__).parent).encode() not in content
    assert b"stack_trace" not in content
    assert b".py" not in content


def test_facts_of_another_network_are_refused(tmp_path: Path) -> None:
    source = network("resnet")
    crop = replace(source.facts.preprocessing, size=48)
    with pytest.raises(ValueError, match="takes 32 px"):
        export_onnx(source.model, replace(source.facts, preprocessing=crop), tmp_path / "model.onnx")
    swapped = replace(source.facts, labels=source.facts.labels[::-1])
    with pytest.raises(ValueError, match="classes are"):
        export_onnx(source.model, swapped, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
