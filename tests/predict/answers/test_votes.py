from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.predict.conftest import FramedSquares, brightness_model, scene

from halfsmile.predict.predictor import Predictor


def test_votes_are_the_same_logits_at_another_temperature(tmp_path: Path) -> None:
    path = brightness_model(tmp_path / "m.onnx", temperature=0.5, vote_temperature=1.0)
    face = Predictor(path, detector=FramedSquares()).predict(scene([(20, 30, 64)]))[0]
    assert face.votes is not None
    shares = np.sqrt(list(face.probabilities.values()))
    assert list(face.votes.values()) == pytest.approx(shares / shares.sum(), abs=1e-6)
    assert max(face.votes.values()) < face.confidence
    assert f"{face.votes['dark']:.4f}" in f"{face.to_dict()['votes']['dark']:.4f}"


def test_a_model_that_never_saw_votes_tells_none(predictor: Predictor) -> None:
    assert predictor.predict(scene([(20, 30, 64)]))[0].votes is None
