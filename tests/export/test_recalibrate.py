"""Other numbers for how sure a file is, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.predict.conftest import brightness_model

from halfsmile.export.recalibrate import recalibrate
from halfsmile.metrics.calibration import Temperature
from halfsmile.predict.model import ExpressionModel, read_model


def test_only_certainty_changes(tmp_path: Path) -> None:
    data, _ = read_model(None)
    source, target = tmp_path / "old.onnx", tmp_path / "new.onnx"
    source.write_bytes(data)
    recalibrate(
        source,
        target,
        temperature=1.25,
        threshold=0.7,
        target_error=0.05,
        set_coverage=0.95,
        set_floor=0.2,
    )
    before, after = (ExpressionModel.load(path, threads=1, device="cpu") for path in (source, target))
    crops = np.random.default_rng(0).integers(0, 256, (4, *before.crop_shape), dtype=np.uint8)
    old, new = before.predict(crops), after.predict(crops)
    np.testing.assert_array_equal(new.logits, old.logits)
    np.testing.assert_array_equal(new.features, old.features)
    np.testing.assert_allclose(new.probabilities, Temperature(1.25)(new.logits), atol=1e-5)
    facts = after.facts
    assert (facts.temperature, facts.threshold, facts.target_error) == (1.25, 0.7, 0.05)
    assert (facts.set_coverage, facts.set_floor) == (0.95, 0.2)
    assert (facts.prior, facts.vote_temperature, facts.labels) == (
        before.facts.prior,
        before.facts.vote_temperature,
        before.facts.labels,
    )
    recalibrate(target, target, temperature=before.temperature, threshold=None, target_error=None)
    again = ExpressionModel.load(target, threads=1, device="cpu")
    np.testing.assert_allclose(again.predict(crops).probabilities, old.probabilities, atol=1e-6)
    assert (again.threshold, again.facts.target_error, again.facts.set_coverage) == (None, None, None)


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    path = brightness_model(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"does not divide its logits by one number.*export its run again"):
        recalibrate(path, tmp_path / "n.onnx", temperature=2.0, threshold=0.5, target_error=0.1)
    assert not (tmp_path / "n.onnx").exists()
