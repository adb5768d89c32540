"""The reader of networks over frames: blending, streaming and refusals, on a graph made by hand."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from halfsmile.predict.temporal_model import TemporalFacts, TemporalModel

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FACTS = TemporalFacts(labels=("neutral", "joy"), features=2, window=6, context=(3, 2), recipe_sha256="a" * 64)


def write(path: Path, facts: TemporalFacts = FACTS, *, metadata: dict[str, str] | None = None) -> Path:
    """A graph whose logits are the features plus how many frames of the window have a face."""
    helper, tensor = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["present"], ["counted"], to=tensor.FLOAT),
        helper.make_node("ReduceSum", ["counted"], ["faces"], keepdims=0),
        helper.make_node("Cast", ["times"], ["seconds"], to=tensor.FLOAT),
        helper.make_node("ReduceMin", ["seconds"], ["first"], keepdims=0),
        helper.make_node("Add", ["faces", "first"], ["shift"]),
        helper.make_node("Mul", ["shift", "to_joy"], ["shifts"]),
        helper.make_node("Add", ["features", "shifts"], ["logits"]),
    ]
    inputs = (("features", tensor.FLOAT, ["t", 2]), ("times", tensor.DOUBLE, ["t"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            *(helper.make_tensor_value_info(*item) for item in inputs),
            helper.make_tensor_value_info("present", tensor.BOOL, ["t"]),
        ],
        [helper.make_tensor_value_info("logits", tensor.FLOAT, ["t", 2])],
        [onnx.numpy_helper.from_array(np.array([0, 0.1], np.float32), "to_joy")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.helper.set_model_props(made, facts.to_metadata() if metadata is None else metadata)
    path.write_bytes(made.SerializeToString())
    return path


def video(count: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 2)).astype(np.float32), np.arange(count) / 25 + 7, np.ones(count, bool)


@pytest.mark.parametrize("context", [(3, 2), None])
def test_the_facts_survive_the_way_through_a_file(tmp_path: Path, context: tuple[int, int] | None) -> None:
    facts = replace(FACTS, context=context)
    model = TemporalModel(write(tmp_path / "t.onnx", facts))
    assert model.facts == facts
    assert model.sha256 == hashlib.sha256((tmp_path / "t.onnx").read_bytes()).hexdigest()


def test_times_are_counted_from_the_start_and_absent_features_are_not_read(tmp_path: Path) -> None:
    model = TemporalModel(write(tmp_path / "t.onnx"))
    features, times, present = video(4)
    present[2], features[2] = False, np.nan
    found = model.predict(features, times, present)
    assert np.allclose(found[0], softmax(features[0] + [0, 0.3]), atol=1e-6)
    assert np.allclose(found[2], softmax([0, 0.3]), atol=1e-6)


def test_overlapping_windows_are_blended(tmp_path: Path) -> None:
    """Windows start at 0, 3 and 4; the first frame is in one of them, frame 4 in all."""
    model = TemporalModel(write(tmp_path / "t.onnx", replace(FACTS, context=None)))
    features, times, present = video(10)
    present[8:] = False
    features[8:] = 0
    found = model.predict(features, times, present)
    weights, faces = np.array([2, 2, 1]), np.array([6, 5, 4])  # frame 4 is number 4, 1 and 0 of its windows
    expected = features[4] + [0, 0.1 * (weights * faces).sum() / weights.sum()]
    assert np.allclose(found[4], softmax(expected), atol=1e-5)
    assert np.allclose(found[0], softmax(features[0] + [0, 0.6]), atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 5, 6])
@pytest.mark.parametrize("count", [1, 5, 6, 7, 8, 9, 11, 40])
def test_a_stream_gives_the_answers_of_the_whole_video(tmp_path: Path, window: int, count: int) -> None:
    model = TemporalModel(write(tmp_path / "t.onnx", replace(FACTS, context=None, window=window)))
    features, times, present = video(count)
    present[3::4] = False
    stream = model.stream()
    for _ in range(2):
        answers = [stream.push(times[i], features[i] if present[i] else None) for i in range(count)]
        assert [len(decided) for decided in answers] == [int(i >= window) for i in range(count)]
        decided = [pair for pairs in answers for pair in pairs] + stream.finish()
        np.testing.assert_array_equal([row for _, row in decided], model.predict(features, times, present))
        assert [time for time, _ in decided] == times.tolist()
    assert stream.finish() == []


def test_no_frame_gives_no_answer(tmp_path: Path) -> None:
    for context in ((3, 2), None):
        model = TemporalModel(write(tmp_path / "t.onnx", replace(FACTS, context=context)))
        assert model.predict(*video(0)).shape == (0, 2)
        assert model.stream().finish() == []


def test_bad_input_is_refused(tmp_path: Path) -> None:
    model = TemporalModel(write(tmp_path / "t.onnx"))
    features, times, present = video(5)
    with pytest.raises(ValueError, match="rise"):
        model.predict(features, times[::-1], present)
    with pytest.raises(ValueError, match=r"features \(T, 2\)"):
        model.predict(features[:, :1], times, present)
    stream = model.stream()
    stream.push(1.0, None)
    with pytest.raises(ValueError, match="rise"):
        stream.push(1.0, None)
    with pytest.raises(ValueError, match="Expected 2 features"):
        stream.push(2.0, features[:, 0])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        TemporalModel(tmp_path / "nowhere.onnx")
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(ValueError, match=r"noise\.onnx is damaged"):
        TemporalModel(tmp_path / "noise.onnx")
    with pytest.raises(ValueError, match="kind None"):
        TemporalModel(write(tmp_path / "foreign.onnx", metadata={}))
    broken = FACTS.to_metadata() | {"halfsmile.window": "[]"}
    with pytest.raises(ValueError, match="not as expected"):
        TemporalModel(write(tmp_path / "broken.onnx", metadata=broken))


def test_the_two_models_of_one_run_belong_together(tmp_path: Path) -> None:
    model = TemporalModel(write(tmp_path / "t.onnx"))
    facts = SimpleNamespace(recipe_sha256="a" * 64, weights_sha256=None)
    model.require_features_of(SimpleNamespace(facts=facts, labels=FACTS.labels, width=2, name="x"))  # type: ignore[arg-type]
    for other in (
        SimpleNamespace(facts=facts, labels=("joy", "neutral"), width=2, name="x"),
        SimpleNamespace(
            facts=SimpleNamespace(recipe_sha256="b" * 64, weights_sha256=None),
            labels=FACTS.labels,
            width=2,
            name="x",
        ),
    ):
        with pytest.raises(ValueError, match="another model"):
            model.require_features_of(other)  # type: ignore[arg-type]
    wider = SimpleNamespace(facts=facts, labels=FACTS.labels, width=3, name="x")
    with pytest.raises(ValueError, match="reads 2 features of a face, and the model 'x' gives 3"):
        model.require_features_of(wider)  # type: ignore[arg-type]


def test_two_runs_of_one_recipe_are_told_apart_by_their_weights(tmp_path: Path) -> None:
    named = TemporalModel(write(tmp_path / "named.onnx", replace(FACTS, weights_sha256="c" * 64)))
    older = TemporalModel(write(tmp_path / "older.onnx"))
    assert (named.facts.weights_sha256, older.facts.weights_sha256) == ("c" * 64, None)

    def gives(weights: str | None) -> Any:
        facts = SimpleNamespace(recipe_sha256="a" * 64, weights_sha256=weights)
        return SimpleNamespace(facts=facts, labels=FACTS.labels, width=2, name="x")

    for temporal, weights in ((named, "c" * 64), (named, None), (older, "c" * 64), (older, None)):
        temporal.require_features_of(gives(weights))
    with pytest.raises(ValueError, match="another model"):
        named.require_features_of(gives("d" * 64))


def test_an_exported_run_can_be_named_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    with pytest.raises(ValueError, match=r"no export/temporal\.onnx"):
        TemporalModel(tmp_path)
    write(tmp_path / "export" / "temporal.onnx")
    assert TemporalModel(tmp_path).facts == TemporalModel(tmp_path / "export").facts == FACTS
