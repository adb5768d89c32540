"""Calibrating a run: chosen on faces that trained nothing, judged on the test split."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy.special import softmax

from halfsmile.data.manifest import Manifest
from halfsmile.evaluation import calibrate_run as module
from halfsmile.evaluation.calibrate_run import calibrate_run
from halfsmile.evaluation.inference import network_logits, predict_probabilities
from halfsmile.evaluation.judge import NEVER
from halfsmile.evaluation.trained import RunFaces, read_run_faces, trained_classifier
from halfsmile.metrics.calibration import Temperature, calibration_errors
from halfsmile.metrics.selective import ConformalSets, risk_coverage
from halfsmile.models.resnet import ResNetConfig
from halfsmile.runs.folder import RunFolder

RESNET = ResNetConfig(image_size=32, widths=(8, 12, 16, 24), depths=(1, 1, 2, 1))


@pytest.fixture
def data(generated_data: Path) -> Path:
    return generated_data / "labeled"


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained.path, tmp_path / "run")))


@pytest.fixture(scope="module")
def faces(trained: RunFolder) -> RunFaces:
    return read_run_faces(trained)


def without_held_out(run: RunFolder) -> None:
    table = pq.read_table(run.budget_path)
    roles = ["unlabeled" if role == "held_out" else role for role in table["role"].to_pylist()]
    changed = table.set_column(1, "role", [roles]).replace_schema_metadata(table.schema.metadata)
    pq.write_table(changed, run.budget_path)


def test_the_faces_are_the_held_out_ones(trained: RunFolder, faces: RunFaces) -> None:
    roles = pq.read_table(trained.budget_path).to_pydict()
    held_out = {i for i, role in zip(roles["image"], roles["role"], strict=True) if role == "held_out"}
    assert faces.calibration is not None
    assert set(faces.calibration.manifest.column("image")) == held_out
    assert faces.source == "held_out"
    assert not held_out & set(faces.train.column("image"))
    assert set(faces.test.manifest.column("split")) == {"test"}


@pytest.mark.parametrize("mirror", [True, False])
def test_logits_are_those_that_evaluation_sees(trained: RunFolder, faces: RunFaces, mirror: bool) -> None:
    model = trained_classifier(trained, mirror=mirror)
    logits = network_logits(model, faces.test.images, batch_size=7)
    plain = trained_classifier(trained, mirror=False)
    expected = predict_probabilities(plain, faces.test.images, device=torch.device("cpu"), flip=mirror)
    assert np.allclose(softmax(logits, axis=1), expected, atol=1e-5)
    assert network_logits(model, faces.test.images[:0]).shape == (0, 8)
    assert not model.training


def test_the_choice_fits_the_held_out_faces_best(run: RunFolder, faces: RunFaces) -> None:
    choice = calibrate_run(run, faces=faces)
    assert faces.calibration is not None
    logits = network_logits(trained_classifier(run), faces.calibration.images)
    targets = faces.calibration.manifest.class_indices()
    assert 0.1 < choice.temperature < 10
    assert choice.mirror
    assert not calibrate_run(run, faces=faces, mirror=False).mirror

    def loss(temperature: float) -> float:
        prior = math.log(temperature) ** 2 / (2 * len(targets))  # weighs as much as one face
        return calibration_errors(Temperature(temperature)(logits), targets).nll + prior

    for factor in (0.9, 1.1):
        assert loss(choice.temperature) < loss(choice.temperature * factor)
    assert choice.sets == ConformalSets.fit(Temperature(choice.temperature)(logits), targets, 0.9)
    assert choice.curve == risk_coverage(Temperature(choice.temperature)(logits), targets).points()
    assert choice.count == len(targets) == sum(run_facts(run)["held_out"].values())


def run_facts(run: RunFolder) -> dict[str, dict[str, int]]:
    facts: dict[str, dict[str, int]] = json.loads((run.path / "data.json").read_text())
    return facts


def test_test_labels_choose_nothing(run: RunFolder, faces: RunFaces) -> None:
    choice = calibrate_run(run, faces=faces)
    labels = faces.test.manifest.column("label")
    rows = [{"image": str(i), "label": label} for i, label in enumerate(labels[1:] + labels[:1])]
    shifted = Manifest.from_rows(rows, Path("."), faces.test.manifest.taxonomy)
    other = calibrate_run(run, faces=replace(faces, test=replace(faces.test, manifest=shifted)))
    assert other.test != choice.test
    assert other.to_dict() | {"test": None} == choice.to_dict() | {"test": None}


def test_what_is_written_is_what_was_chosen(run: RunFolder, faces: RunFaces) -> None:
    choice = calibrate_run(run, target_error=0.7, set_coverage=0.8, faces=faces)
    assert not (run.path / "calibration.json").exists()
    choice.write(run.path)
    written = json.loads((run.path / "calibration.json").read_text())
    assert written == {**json.loads(json.dumps(choice.to_dict())), "assurance": module.ASSURANCE}
    assert (written["stage"], written["source"], written["target_error"]) == ("finetune", "held_out", 0.7)
    assert written["sets"]["coverage"] == 0.8
    assert len(written["vector"]["weight"]) == len(written["vector"]["bias"]) == 8
    assert set(written["test"]["errors"]) == {"before", "temperature", "vector"}
    errors = written["test"]["errors"]["temperature"]
    logits = network_logits(trained_classifier(run), faces.test.images)
    expected = calibration_errors(
        Temperature(choice.temperature)(logits), faces.test.manifest.class_indices()
    )
    assert errors["nll"] == pytest.approx(expected.nll)
    assert written["test"]["curve"]["risk"][-1] == pytest.approx(
        1 - written["test"]["metrics"]["accuracy"], abs=1e-6
    )
    assert set(errors) == {"nll", "brier", "ece", "adaptive", "classwise"}
    assert written["test"]["metrics"]["nll"] == pytest.approx(expected.nll, rel=1e-4)


def test_a_target_that_can_not_be_met_makes_no_answer_certain(run: RunFolder, faces: RunFaces) -> None:
    choice = calibrate_run(run, target_error=1e-6, faces=faces)
    assert choice.threshold == NEVER
    assert choice.test["certain"] == {"share": 0.0, "error": None}


def test_without_held_out_faces_the_validation_split_is_taken(
    run: RunFolder, data: Path, tmp_path: Path
) -> None:
    """The split ``valid`` is no part of the training rows, so it may be added after training."""
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    shutil.copytree(moved / "test", moved / "valid")
    without_held_out(run)
    found = read_run_faces(run, data=moved)
    assert found.source == "valid"
    assert found.calibration is not None
    assert set(found.calibration.manifest.column("split")) == {"valid"}
    assert set(found.test.manifest.column("split")) == {"test"}
    choice = calibrate_run(run, faces=found)
    assert (choice.source, choice.count) == ("valid", 64)


def test_without_any_such_faces_nothing_is_chosen(run: RunFolder) -> None:
    without_held_out(run)
    choice = calibrate_run(run)
    assert (choice.source, choice.count, choice.temperature) == (None, 0, 1.0)
    assert (choice.threshold, choice.sets, choice.vector, choice.curve) == (None, None, None, None)
    assert set(choice.test) == {"metrics", "errors", "curve", "priors"}
    assert choice.test["errors"]["before"] == choice.test["errors"]["temperature"]


def test_other_data_are_refused(run: RunFolder, data: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    next((moved / "test").rglob("*.png")).unlink()
    with pytest.raises(ValueError, match="fingerprints differ"):
        calibrate_run(run, data=moved)
    with pytest.raises(ValueError, match="does not exist"):
        calibrate_run(run, data=tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["target_error", "set_coverage"])
@pytest.mark.parametrize("value", [0.0, 1.0, -0.1])
def test_shares_lie_between_0_and_1(run: RunFolder, faces: RunFaces, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        calibrate_run(run, faces=faces, **{name: value})  # type: ignore[arg-type]
