"""The exported network over frames answers as torch's does: windows, whole videos and streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from scipy.special import softmax

from halfsmile.export.gate import GateError
from halfsmile.export.temporal import export_temporal, require_temporal, temporal_facts
from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork
from halfsmile.predict.temporal_model import TemporalModel
from halfsmile.sequences.windowed import FrameFeatures, frame_logits
from halfsmile.taxonomy import RAFDB

FEATURES = 6
CONFIGS = {
    "offline": TemporalConfig(width=8, heads=2, window=10, depth=2),
    "online": TemporalConfig(width=8, heads=2, depth=2, delay=2, history=4),
    "convolution": TemporalConfig(kind="convolution", width=8, heads=2, depth=2, delay=1),
}
Files = Callable[[str], tuple[TemporalNetwork, Path]]


def network(config: TemporalConfig) -> TemporalNetwork:
    torch.manual_seed(0)
    made = make_network(config, features=FEATURES, classes=7)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    made.standardize_as(torch.randn(50, FEATURES) * 3 + 1)
    return made.eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A function that exports a network of :data:`CONFIGS` once."""
    made: dict[str, tuple[TemporalNetwork, Path]] = {}

    def export(name: str) -> tuple[TemporalNetwork, Path]:
        if name not in made:
            model, path = network(CONFIGS[name]), tmp_path_factory.mktemp(name) / "temporal.onnx"
            export_temporal(model, temporal_facts(model, RAFDB, "0" * 64), path)
            made[name] = model, path
        return made[name]

    return export


def video(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[FrameFeatures]]:
    rng = np.random.default_rng(count)
    features = (rng.normal(size=(count, FEATURES)) * 3 + 1).astype(np.float32)
    times = np.cumsum(rng.uniform(0.01, 0.2, count)) + 1000
    present = rng.random(count) < 0.8
    features[~present] = np.nan
    frames = [FrameFeatures(float(times[i]), features[i] if present[i] else None) for i in range(count)]
    return features, times, present, frames


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("count", [1, 2, 7, 10, 11, 31, 300])
def test_videos_of_any_length_get_the_answers_of_torch(file: Files, name: str, count: int) -> None:
    model, path = file(name)
    features, times, present, frames = video(count)
    found = TemporalModel(path).predict(features, times, present)
    expected = softmax(np.stack(list(frame_logits(model, frames))), axis=1)
    assert np.allclose(found, expected, atol=1e-5)
    assert np.ptp(found) > 0.1


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("count", [1, 2, 10, 11, 40])
def test_a_stream_gives_the_same_answers_late(file: Files, name: str, count: int) -> None:
    _, path = file(name)
    exported = TemporalModel(path)
    features, times, present, frames = video(count)
    stream = exported.stream()
    assert stream.delay == {"offline": 10, "online": 2, "convolution": 1}[name]
    for _ in range(2):
        answers = [stream.push(frame.time, frame.features) for frame in frames]
        assert [len(decided) for decided in answers] == [int(i >= stream.delay) for i in range(count)]
        decided = [pair for pairs in answers for pair in pairs] + stream.finish()
        assert [time for time, _ in decided] == times.tolist()
        found = np.stack([row for _, row in decided])
        assert np.allclose(found, exported.predict(features, times, present), atol=1e-5)


def test_the_file_names_no_folder_of_this_machine(file: Files) -> None:
    for name in CONFIGS:
        assert b".py" not in file(name)[1].read_bytes()


def test_the_gate_passes_a_faithful_file_and_stops_others(file: Files, tmp_path: Path) -> None:
    features = video(120)[0]
    features = np.nan_to_num(features)
    for name in CONFIGS:
        model, path = file(name)
        found = require_temporal("file", TemporalModel(path), model, RAFDB, features)
        assert found.count == 120
        assert found.difference < 1e-5
    model, path = file("online")
    made = onnx.load(path)
    spoiled = next(tensor for tensor in made.graph.initializer if tensor.name.endswith("feature_mean"))
    values = onnx.numpy_helper.to_array(spoiled)
    spoiled.CopyFrom(onnx.numpy_helper.from_array(values + np.float32(0.01), spoiled.name))
    onnx.save_model(made, tmp_path / "spoiled.onnx")
    with pytest.raises(GateError, match="largest difference"):
        require_temporal("file", TemporalModel(tmp_path / "spoiled.onnx"), model, RAFDB, features)
