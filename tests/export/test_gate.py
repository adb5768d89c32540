"""The gate lets a faithful file pass and stops spoiled ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from tests.export.conftest import Network

from halfsmile.export.gate import (
    BATCHES,
    EXACT,
    QUANTIZED,
    GateError,
    Parity,
    ParityLimits,
    batch_sizes,
    compare,
    require,
)
from halfsmile.predict.model import ExpressionModel

Values = npt.NDArray[np.floating[Any]]
Exports = Callable[[str], tuple[Network, Path]]
REFERENCE = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.9, 0.05, 0.05]])
TARGETS = np.array([0, 1, 2, 1])


def through_the_gate(source: Network, path: Path, limits: ParityLimits = EXACT) -> Parity:
    images = source.images(90, seed=7)
    reference = source.probabilities(images)
    return require(
        path.name,
        ExpressionModel.load(path, threads=1),
        images=images,
        reference=reference,
        labels=source.facts.labels,
        targets=reference.argmax(axis=1),
        limits=limits,
    )


def test_a_faithful_file_passes(exported: Exports) -> None:
    found = through_the_gate(*exported("resnet"))
    assert found.count == 90
    assert found.difference < 1e-5
    assert (found.agreement, found.accuracy, found.reference_accuracy) == (1.0, 1.0, 1.0)


def spoiled(path: Path, spoil: Callable[[str, Values], Values]) -> Path:
    """A copy of a file in which every tensor went through a function of its name and values."""
    made = onnx.load(path)
    changed = 0
    for tensor in made.graph.initializer:
        before = onnx.numpy_helper.to_array(tensor)
        after = spoil(tensor.name, before)
        changed += after is not before
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(after, before.dtype), tensor.name))
    assert changed
    onnx.save_model(made, path.with_name("spoiled.onnx"))
    return path.with_name("spoiled.onnx")


@pytest.fixture
def good(exported: Exports, tmp_path: Path) -> tuple[Network, Path]:
    source, path = exported("resnet")
    return source, Path(shutil.copy(path, tmp_path / "model.onnx"))


def test_perturbed_weights_are_seen(good: tuple[Network, Path]) -> None:
    source, path = good
    rng = np.random.default_rng(0)
    path = spoiled(
        path,
        lambda name, value: value * (1 + 0.02 * rng.normal(size=value.shape)) if "blocks" in name else value,
    )
    with pytest.raises(GateError, match=r"spoiled\.onnx does not answer.*largest difference"):
        through_the_gate(source, path)


def test_a_wrong_mean_is_seen(good: tuple[Network, Path]) -> None:
    source, path = good
    path = spoiled(path, lambda name, value: value * 0 + 0.485 if name.endswith("mean") else value)
    with pytest.raises(GateError, match="largest difference"):
        through_the_gate(source, path)


@pytest.mark.parametrize("limits", [EXACT, QUANTIZED], ids=["exact", "quantized"])
def test_swapped_classes_are_seen_even_by_the_loose_limits(
    good: tuple[Network, Path], limits: ParityLimits
) -> None:
    source, path = good
    path = spoiled(path, lambda name, value: value[::-1].copy() if "head" in name else value)
    with pytest.raises(GateError, match=r"same expression.*accuracy falls"):
        through_the_gate(source, path, limits)


def test_swapped_labels_are_seen(good: tuple[Network, Path]) -> None:
    source, path = good
    made = onnx.load(path)
    labels = [source.facts.labels[1], source.facts.labels[0], *source.facts.labels[2:]]
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, replace(source.facts, labels=tuple(labels)).to_metadata())
    onnx.save_model(made, path)
    with pytest.raises(GateError, match="names the classes"):
        through_the_gate(source, path)


def test_a_forgotten_temperature_is_seen(good: tuple[Network, Path]) -> None:
    source, path = good
    temperature = np.float32(source.facts.temperature)
    path = spoiled(path, lambda _, value: value * 0 + 1 if (value == temperature).all() else value)
    with pytest.raises(GateError, match="largest difference"):
        through_the_gate(source, path)


def test_a_file_that_answers_wrongly_for_one_batch_size_is_seen() -> None:
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    reference = np.tile(REFERENCE, (25, 1))
    asked = []

    def predict(crops: npt.NDArray[np.uint8]) -> SimpleNamespace:
        asked.append(len(crops))
        rows = reference[crops.ravel()]
        return SimpleNamespace(probabilities=rows[::-1] if len(crops) == 7 else rows)

    file = SimpleNamespace(facts=SimpleNamespace(labels=("a", "b", "c")), predict=predict)
    with pytest.raises(GateError, match="largest difference"):
        require("file", file, images=images, reference=reference, labels="abc", limits=EXACT)
    assert asked[: len(BATCHES)] == list(BATCHES)
    assert sum(asked) == 100


@pytest.mark.parametrize("count", [1, 2, 4, 9])
@pytest.mark.parametrize("wrong", [1, 2, 7])
def test_few_faces_are_asked_again_until_every_batch_size_was(count: int, wrong: int) -> None:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    reference = REFERENCE[np.arange(count) % 4]
    asked = []

    def predict(crops: npt.NDArray[np.uint8], spoiled: int) -> SimpleNamespace:
        asked.append(len(crops))
        rows = reference[crops.ravel()]
        return SimpleNamespace(probabilities=rows[:, ::-1] if len(crops) == spoiled else rows)

    def file(spoiled: int) -> Any:
        facts = SimpleNamespace(labels=("a", "b", "c"))
        return SimpleNamespace(facts=facts, predict=lambda crops: predict(crops, spoiled))

    settings: Any = {"images": images, "reference": reference, "labels": "abc", "limits": EXACT}
    assert require("file", file(0), **settings).count == count
    assert asked == [1, 2, 7] == batch_sizes(count)
    with pytest.raises(GateError, match=f"on {count} faces: the largest difference"):
        require("file", file(wrong), **settings)


def test_without_a_face_nothing_is_proven(good: tuple[Network, Path]) -> None:
    source, path = good
    model = ExpressionModel.load(path, threads=1)
    nothing = source.images(0)
    with pytest.raises(GateError, match="there is no face"):
        require("file", model, images=nothing, reference=REFERENCE, labels=source.facts.labels, limits=EXACT)


@pytest.mark.parametrize(
    ("count", "sizes"), [(10, [1, 2, 7]), (11, [1, 2, 7, 1]), (74, [1, 2, 7, 64]), (80, [1, 2, 7, 64, 6])]
)
def test_batch_sizes_use_all_faces(count: int, sizes: list[int]) -> None:
    assert batch_sizes(count) == sizes


def test_the_comparison_by_hand() -> None:
    found = REFERENCE.copy()
    found[1] = [0.1, 0.4, 0.5]
    found[2] = [0.3, 0.32, 0.38]
    result = compare(REFERENCE, found, TARGETS, limits=QUANTIZED)
    assert result.count == 4
    assert result.difference == pytest.approx(0.1)
    assert result.mean_difference == pytest.approx((0.1 + 0.02) / 4)
    assert (result.agreement, result.accuracy, result.reference_accuracy) == (3 / 4, 2 / 4, 3 / 4)
    assert result.violations(QUANTIZED) == ["75.00% of the faces get the same expression (limit 96.00%)"]
    assert len(result.violations(EXACT)) == 3


def test_without_labels_there_is_no_accuracy() -> None:
    result = compare(REFERENCE, REFERENCE, limits=EXACT)
    assert (result.accuracy, result.reference_accuracy) == (None, None)
    assert result.violations(EXACT) == []


def test_ties_count_as_agreement_and_only_ties() -> None:
    reference = np.array([[0.5, 0.5 - 1e-6, 1e-6], [0.5, 0.4, 0.1]])
    other = reference[:, [1, 0, 2]]
    assert compare(reference, other, limits=EXACT).agreement == 0.5
    assert compare(reference, other, limits=QUANTIZED).agreement == 0.5


def test_accuracy_may_fall_by_one_face_or_the_limit() -> None:
    found = Parity(
        count=1000,
        difference=0.0,
        mean_difference=0.0,
        agreement=1.0,
        accuracy=0.791,
        reference_accuracy=0.8,
    )
    assert found.violations(QUANTIZED) == []
    assert "accuracy falls from 80.00% to 78.90%" in replace(found, accuracy=0.789).violations(QUANTIZED)[0]
    assert replace(found, accuracy=0.799).violations(EXACT) == []
    assert len(replace(found, accuracy=0.798).violations(EXACT)) == 1


@pytest.mark.parametrize(
    "found",
    [REFERENCE[:, :2], REFERENCE[:2], REFERENCE * 2, REFERENCE * np.nan, REFERENCE - [0.5, -0.5, 0.0]],
    ids=["classes", "rows", "sums", "nan", "negative"],
)
def test_what_is_no_probability_is_refused(found: npt.NDArray[np.float64]) -> None:
    with pytest.raises(GateError):
        compare(REFERENCE, found, limits=QUANTIZED)
    assert issubclass(GateError, ValueError)
