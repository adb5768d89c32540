"""The reader of exported files: what it takes, what it answers, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from halfsmile.predict.model import ExpressionModel, moved_views, read_model
from halfsmile.predict.model_facts import ModelFacts, Preprocessing

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZE, CHANNELS, WIDTH, TEMPERATURE = 4, 3, 5, 2.0
FACTS = ModelFacts(
    name="tiny",
    labels=("neutral", "joy", "größte Überraschung"),
    taxonomy="custom",
    preprocessing=Preprocessing(size=SIZE, channels=CHANNELS, scale=1.1),
    temperature=TEMPERATURE,
    threshold=0.625,
    target_error=0.1,
    recipe_sha256="0" * 64,
    card="A test.",
    weights_sha256="1" * 64,
    set_coverage=0.9,
    set_floor=0.125,
)
RNG = np.random.default_rng(0)
TO_FEATURES = RNG.normal(size=(SIZE * SIZE * CHANNELS, WIDTH)).astype(np.float32)
TO_LOGITS = RNG.normal(size=(WIDTH, 3)).astype(np.float32)
CROPS = RNG.integers(0, 256, (70, SIZE, SIZE, CHANNELS), dtype=np.uint8)


def graph(*, input_name: str = "images", kind: int | None = None, outputs: int = 3) -> Any:
    """A linear network with the inputs and outputs of an exported file, made by hand."""
    helper, tensor = onnx.helper, onnx.TensorProto
    constants = {
        "to_features": TO_FEATURES,
        "to_logits": TO_LOGITS,
        "scale": np.array(255, np.float32),
        "temperature": np.array(TEMPERATURE, np.float32),
    }
    nodes = [
        helper.make_node("Cast", [input_name], ["float"], to=tensor.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("Div", ["flat", "scale"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "to_features"], ["features"]),
        helper.make_node("MatMul", ["features", "to_logits"], ["logits"]),
        helper.make_node("Div", ["logits", "temperature"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"]),
    ]
    shape = ["faces", SIZE, SIZE, CHANNELS]
    widths = {"probabilities": 3, "logits": 3, "features": WIDTH}
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, kind or tensor.UINT8, shape)],
        [
            helper.make_tensor_value_info(name, tensor.FLOAT, ["faces", width])
            for name, width in list(widths.items())[:outputs]
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write(path: Path, metadata: dict[str, str] | None = None, **changes: Any) -> Path:
    made = graph(**changes)
    onnx.helper.set_model_props(made, FACTS.to_metadata() if metadata is None else metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.onnx")


def test_the_facts_survive_the_way_through_a_file(file: Path) -> None:
    model = ExpressionModel.load(file)
    assert model.facts == FACTS
    assert model.labels == ("neutral", "joy", "größte Überraschung")
    assert (model.preprocessing.size, model.preprocessing.channels, model.preprocessing.scale) == (4, 3, 1.1)
    assert (model.threshold, model.temperature, model.name) == (0.625, 2.0, "tiny")


@pytest.mark.parametrize("threshold", [0.0, 1.0, None])
def test_a_threshold_may_be_extreme_or_missing(threshold: float | None) -> None:
    facts = replace(FACTS, threshold=threshold, target_error=None if threshold is None else 0.1)
    assert ModelFacts.from_metadata(facts.to_metadata()) == facts


def test_answers_are_those_of_the_network(file: Path) -> None:
    found = ExpressionModel.load(file).predict(CROPS)
    features = CROPS.reshape(len(CROPS), -1).astype(np.float64) / 255 @ TO_FEATURES
    logits = features @ TO_LOGITS
    assert np.allclose(found.features, features, atol=1e-4)
    assert np.allclose(found.logits, logits, atol=1e-4)
    assert np.allclose(found.probabilities, softmax(logits / TEMPERATURE, axis=1), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 1000])
def test_the_batch_size_does_not_matter(file: Path, batch_size: int) -> None:
    model = ExpressionModel.load(file)
    parts = model.predict(CROPS, batch_size=batch_size).logits
    assert np.allclose(parts, model.predict(CROPS).logits, atol=1e-5)
    assert len(parts) == len(CROPS)


def test_no_face_gives_no_answer(file: Path) -> None:
    found = ExpressionModel.load(file).predict(CROPS[:0])
    assert found.probabilities.shape == (0, 3)
    assert found.features.shape == (0, WIDTH)


def test_crops_need_not_be_contiguous(file: Path) -> None:
    model = ExpressionModel.load(file)
    mirrored = model.predict(CROPS[:, :, ::-1]).logits
    assert np.array_equal(mirrored, model.predict(CROPS[:, :, ::-1].copy()).logits)
    assert not np.allclose(mirrored, model.predict(CROPS).logits, atol=1e-3)


@pytest.mark.parametrize(
    "crops",
    [CROPS[0], CROPS[..., :1], CROPS[:, :3], CROPS.astype(np.float32), CROPS.transpose(0, 3, 1, 2)],
    ids=["one face", "gray", "size", "float", "channels first"],
)
def test_other_crops_are_refused(file: Path, crops: Any) -> None:
    with pytest.raises(ValueError, match=r"takes faces \(N, 4, 4, 3\) of uint8"):
        ExpressionModel.load(file).predict(crops)


def test_threads_change_nothing_and_a_model_may_be_shared(file: Path) -> None:
    expected = ExpressionModel.load(file, threads=1).predict(CROPS).logits
    model = ExpressionModel.load(file, threads=2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.predict(CROPS, batch_size=9).logits, range(16)))
    assert all(np.allclose(logits, expected, atol=1e-5) for logits in found)
    with pytest.raises(ValueError, match="threads"):
        ExpressionModel.load(file, threads=0)


def test_a_run_folder_stands_for_what_was_exported_from_it(tmp_path: Path) -> None:
    write(tmp_path / "run/export/model.onnx")
    assert ExpressionModel.load(tmp_path / "run").facts == FACTS
    assert ExpressionModel.load(str(tmp_path / "run/export")).facts == FACTS
    (tmp_path / "run/export/model.onnx").unlink()
    (tmp_path / "run/recipe.json").write_text("{}")
    with pytest.raises(ValueError, match=rf"\(no export/model.onnx\): `halfsmile export {tmp_path / 'run'}`"):
        ExpressionModel.load(tmp_path / "run")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.onnx does not exist"):
        ExpressionModel.load(tmp_path / "nowhere.onnx")


def test_the_model_in_the_box_loads_or_says_how_to_get_one() -> None:
    try:
        model = ExpressionModel.load()
    except ValueError as error:
        assert "halfsmile export" in str(error)  # noqa: PT017
    else:
        assert len(model.labels) >= 2
        assert model.predict(np.zeros((1, *model.crop_shape), np.uint8)).probabilities.sum() == pytest.approx(
            1, abs=1e-4
        )


def test_files_of_older_exports_lack_sets_and_weights() -> None:
    metadata = {
        name: value
        for name, value in FACTS.to_metadata().items()
        if name not in ("halfsmile.sets", "halfsmile.weights_sha256", "halfsmile.entries")
    }
    facts = ModelFacts.from_metadata(metadata)
    assert facts == replace(FACTS, weights_sha256=None, set_coverage=None, set_floor=None)
    assert facts.to_metadata() == {"halfsmile.entries": str(len(metadata) + 1), **metadata}


def test_entries_that_were_cut_off_are_missed() -> None:
    metadata = FACTS.to_metadata()
    *kept, last = metadata
    assert last == "halfsmile.sets"
    with pytest.raises(ValueError, match=f"{len(kept)} of {len(metadata)} entries of metadata"):
        ModelFacts.from_metadata({name: metadata[name] for name in kept})


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in FACTS.to_metadata().items() if name != f"halfsmile.{key}"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "no halfsmile metadata"),
        ({**FACTS.to_metadata(), "halfsmile.format": "2"}, "format '2'"),
        ({"halfsmile.format": "1", "halfsmile.kind": "temporal"}, "network over frames .* as --temporal"),
        (without("labels"), "lack 'halfsmile.labels'"),
        (without("threshold"), "lack 'halfsmile.threshold'"),
        ({**FACTS.to_metadata(), "halfsmile.labels": '["a", "b"]'}, "names 2 labels"),
        ({**FACTS.to_metadata(), "halfsmile.labels": '["a", "b", "a"]'}, "different labels"),
        ({**FACTS.to_metadata(), "halfsmile.labels": "[neutral"}, "not as expected"),
        ({**FACTS.to_metadata(), "halfsmile.temperature": "0"}, "temperature must be positive"),
        ({**FACTS.to_metadata(), "halfsmile.threshold": "[1]"}, "not as expected"),
        ({**FACTS.to_metadata(), "halfsmile.sets": "[1]"}, "not as expected"),
        ({**FACTS.to_metadata(), "halfsmile.sets": '{"coverage": 0.9, "floor": 2}'}, "floor of sets"),
        (
            {**FACTS.to_metadata(), "halfsmile.preprocessing": '{"size": 9, "channels": 3}'},
            r"its input is .*expected",
        ),
        (
            {
                **FACTS.to_metadata(),
                "halfsmile.preprocessing": '{"size": 4, "channels": 3, "template": "x"}',
            },
            "template 'x' is unknown",
        ),
    ],
)
def test_metadata_that_do_not_fit_are_refused(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ExpressionModel.load(write(tmp_path / "model.onnx", metadata))
    assert "model.onnx" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_name": "input"}, "its input is"),
        ({"kind": 1}, "its input is"),
        ({"outputs": 2}, "its outputs are"),
    ],
    ids=["name", "float", "outputs"],
)
def test_graphs_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExpressionModel.load(write(tmp_path / "model.onnx", **changes))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(file: Path, share: float) -> None:
    whole = file.read_bytes()
    cut = file.with_name("cut.onnx")
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.onnx"):
        ExpressionModel.load(cut)


@pytest.mark.parametrize(
    "content", [b"", b"<html></html>", bytes(range(256)) * 40], ids=["empty", "html", "noise"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"photo\.onnx"):
        ExpressionModel.load(path)


def test_weights_outside_the_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model can't make its reader open other files."""
    made = graph()
    onnx.helper.set_model_props(made, FACTS.to_metadata())
    onnx.save_model(
        made, tmp_path / "outside.onnx", save_as_external_data=True, location="secret", size_threshold=0
    )
    assert (tmp_path / "secret").exists()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"outside\.onnx"):
        ExpressionModel.load(tmp_path / "outside.onnx")


def test_it_needs_no_torch(file: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'timm', 'matplotlib', 'sklearn'):\n"
        "    sys.modules[name] = None\n"
        "from halfsmile.predict.model import ExpressionModel\n"
        f"print(ExpressionModel.load({str(file)!r}).name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "tiny", done.stderr


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_training_point_to_the_export(tmp_path: Path, suffix: str) -> None:
    alone = tmp_path / f"model{suffix}"
    alone.write_bytes(b"weights")
    with pytest.raises(ValueError, match=r"holds weights for training.*`halfsmile export RUN` makes one"):
        read_model(alone)
    stage = tmp_path / "run/semi"
    stage.mkdir(parents=True)
    (tmp_path / "run/recipe.json").write_text("{}")
    (stage / f"model{suffix}").write_bytes(b"weights")
    with pytest.raises(ValueError, match=rf"`halfsmile export {tmp_path / 'run'} --stage semi` makes one"):
        read_model(stage / f"model{suffix}")


def test_moved_views_are_the_face_and_four_moves_of_it() -> None:
    disk = np.zeros((2, 101, 101, 1), np.uint8)
    disk[:, 40:61, 30:51] = 200  # its center is right of and below where it would be turned about
    views = moved_views(disk)
    assert views[0] is disk
    assert [view.shape for view in views] == [disk.shape] * 5
    middles = [np.argwhere(view[0, :, :, 0] > 100).mean(0)[::-1] for view in views]
    assert [round(float(x - middles[0][0])) for x, _ in middles[1:3]] == [2, -2]  # 0.05 of 36 / 112 of 101
    assert middles[3][1] > middles[0][1] > middles[4][1]
    areas = [(view[0] > 100).sum() for view in views]
    assert areas[3] > areas[0] > areas[4]
    np.testing.assert_array_equal(moved_views(np.full((1, 9, 9, 3), 7, np.uint8))[1], 7)


def test_an_answer_for_moved_views_is_their_mean(file: Path) -> None:
    model = ExpressionModel.load(file, threads=1)
    mean = model.predict_moved(CROPS[:3])
    views = [model.predict(view).probabilities for view in moved_views(CROPS[:3])]
    np.testing.assert_allclose(mean.probabilities, np.mean(views, 0), rtol=1e-5)
    np.testing.assert_allclose(mean.probabilities.sum(1), 1, rtol=1e-5)
    said = model.predict(CROPS[:5])
    changed = said.with_rows(np.array([1, 3, 4]), mean)
    np.testing.assert_array_equal(changed.probabilities[[0, 2]], said.probabilities[[0, 2]])
    np.testing.assert_array_equal(changed.features[[1, 3, 4]], mean.features)
