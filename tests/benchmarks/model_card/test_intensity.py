"""Votes and probabilities beside the intensity of a smile."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.model_card.answers import SetAnswers
from benchmarks.model_card.intensity import correlation, in_words

from halfsmile.predict.model_facts import ModelFacts, Preprocessing

FACTS = ModelFacts(
    name="m",
    labels=("neutral", "happiness"),
    taxonomy="custom",
    preprocessing=Preprocessing(size=8, channels=1),
    temperature=0.5,
    threshold=None,
    target_error=None,
    recipe_sha256="",
    card="",
    vote_temperature=1.0,
)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Four frames of a growing smile, after a spoiled one and before a transition."""
    rows = [("label", "corruption", "intensity"), ("neutral", "dark", "0")]
    rows += [("neutral", "", "0"), ("neutral", "", "0.2"), ("happiness", "", "0.6"), ("happiness", "", "1")]
    rows += [("transition", "", "0.4")]
    folder = tmp_path / "sequences_london"
    folder.mkdir()
    with (folder / "frames.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path


def test_steps_hold_the_frames_of_their_intensity(shared: Path) -> None:
    logits = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    rows = np.array([0, 1, 3])  # one was not found
    found = SetAnswers("sequences", logits, np.array([0, 0, 1]), np.array([1]), rows)
    text = "\n".join(in_words({"sequences": found}, FACTS, shared))
    sure, votes = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))
    assert f"| 0.9 to 1 | 1 | 100.0 [20.7, 100.0] | {sure:.2f} | {votes:.2f} |" in text
    assert "| 0.05 to 0.2 | 1 | 0.0" in text
    assert "0.6 to 0.7" not in text
    wanted = correlation(1 / (1 + np.exp(-np.array([-4.0, -2.0, 2.0]))), np.array([0, 0.2, 1]))
    assert f"probability {wanted:.3f}" in text


def test_models_that_never_saw_votes_have_no_such_section(shared: Path) -> None:
    found = SetAnswers("sequences", np.zeros((1, 2)), np.zeros(1, int), np.zeros(0, int), np.zeros(1, int))
    assert in_words({"sequences": found}, replace(FACTS, vote_temperature=None), shared) == []
    assert in_words({}, FACTS, shared) == []
