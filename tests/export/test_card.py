"""The card says what is known and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from halfsmile.evaluation.calibrate_run import Calibration
from halfsmile.evaluation.judge import NEVER
from halfsmile.export.card import card, short_card
from halfsmile.export.gate import Parity
from halfsmile.export.latency import Latency
from halfsmile.metrics.calibration import VectorScaling
from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.metrics.selective import ConformalSets
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.taxonomy import Taxonomy

TAXONOMY = Taxonomy("two", ("calm", "glad"))
PROBABILITIES = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.1, 0.9]])
METRICS = evaluate_predictions(PROBABILITIES, np.array([0, 1, 1, 1]), TAXONOMY).to_dict()
ERRORS = {"nll": 0.5, "brier": 0.25, "ece": 0.125, "adaptive": 0.0625, "classwise": 0.03}
CALIBRATION = Calibration(
    stage="semi",
    source="valid",
    count=1234,
    temperature=1.5,
    target_error=0.1,
    threshold=0.75,
    sets=ConformalSets(0.9, 0.05),
    vector=VectorScaling(np.ones(2), np.zeros(2)),
    test={
        "metrics": METRICS,
        "certain": {"share": 0.5, "error": 0.07},
        "sets": {"coverage": 0.91, "mean_size": 1.4, "per_class": {"calm": 0.95, "glad": 0.5}},
        "errors": {"before": ERRORS, "temperature": {**ERRORS, "ece": 0.011}, "vector": ERRORS},
    },
)
FACTS = ModelFacts(
    name="two moods",
    labels=TAXONOMY.labels,
    taxonomy="two",
    preprocessing=Preprocessing(size=48, channels=1),
    temperature=1.5,
    threshold=0.75,
    target_error=0.1,
    recipe_sha256="f" * 64,
    card="In short.",
)
DATA: dict[str, Any] = {
    "data_set": "ferplus",
    "label_rule": "argmax",
    "test_splits": ["valid", "test"],
    "labeled": {"calm": 1000, "glad": 30},
    "unlabeled": 500,
    "pretrain_images": {"own": 1530, "elsewhere": 470},
    "notes": ["2 rows were dropped."],
}
SAME = Parity(
    count=9, difference=1e-6, mean_difference=1e-7, agreement=1.0, accuracy=None, reference_accuracy=None
)


def text(calibration: Calibration = CALIBRATION) -> str:
    return card(
        FACTS,
        data=DATA,
        calibration=calibration,
        comparisons={"model.onnx": SAME, "temporal.onnx": SAME},
        sizes={"model.onnx": 11_200_000, "temporal.onnx": 400_000},
        latency=[Latency("model.onnx", 1, 2.5, 3.0, 10), Latency("model.onnx", 32, 64.0, 70.0, 10)],
        processor="a processor",
    )


def test_the_numbers_are_there() -> None:
    written = text()
    for expected in (
        "# two moods",
        "In short.",
        "48 × 48 pixels, gray",
        "f" * 64,
        "1,030 labeled faces (calm 1,000, glad 30), 500 of the training split",
        "470 unlabeled faces from other sources",
        "* 2 rows were dropped.",
        "Test faces (valid and test): 4",
        "Accuracy 75.00%",
        "| glad | 100.0% | 66.7% | 80.0% | 3 |",
        "1,234 faces that trained nothing (valid); temperature 1.500",
        "| **exported** | 0.500 | 0.250 | 0.011 | 0.062 | 0.030 |",
        "confidence 0.750 or more count as certain, chosen for at most 10% wrong: 50.0% of the test answers, "
        "7.0% of them wrong",
        "The most probable expression and all of probability 0.050 or more make a set",
        "faces of glad have it in their sets in 50.0% of the cases.",
        "in 90% of the cases: 91.0% on the test split, with 1.4 expressions",
        "| model.onnx | 11.2 | 1.0e-06 | 100.00% | 2.50 | 64.00 |",
        "| temporal.onnx | 0.4 | 1.0e-06 | 100.00% |  |  |",
    ):
        assert expected in written


def test_how_faces_were_seen_is_said() -> None:
    assert "4, each seen once." in text()
    assert "4, each seen with its mirror image." in text(replace(CALIBRATION, mirror=True))
    assert "mirror image, both also 1.2 times closer." in text(replace(CALIBRATION, mirror=True, zoom=1.2))


def test_what_it_is_not_for_is_said() -> None:
    assert "**Not for** finding out what a person feels" in text()
    short = short_card(TAXONOMY.labels, DATA, METRICS, "Recipe x")
    assert "calm, glad" in short
    assert "accuracy 75.0%" in short
    assert "not what a person feels; not for decisions about people" in short


def test_a_target_out_of_reach_and_few_faces_are_said() -> None:
    written = text(replace(CALIBRATION, threshold=NEVER, count=40))
    assert "No confidence leaves at most 10% wrong, so every answer is marked as uncertain." in written
    assert "40 faces that trained nothing (valid, which are few)" in written


def test_an_uncalibrated_model_says_so() -> None:
    bare = replace(
        CALIBRATION,
        source=None,
        count=0,
        temperature=1.0,
        threshold=None,
        sets=None,
        vector=None,
        test={"metrics": METRICS, "errors": {"before": ERRORS}},
    )
    assert "Not calibrated" in text(bare)
    assert "count as certain" not in text(bare)
