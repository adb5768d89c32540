"""Choosing a smoothing on training people only."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import f1_score

from halfsmile.sequences.smoothing import FrameProbabilities, Smoothing
from halfsmile.sequences.smoothing_choice import GRID, choose_smoothing, smoothing_macro_f1

C = 4
PEOPLE = [f"p{i}" for i in range(6)]


def film(seed: int, *, hold: int = 45, noise: float = 0.6) -> tuple[FrameProbabilities, np.ndarray]:
    """Ten expressions held for some frames at 30 a second, seen through noise."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(generator.permutation(np.arange(10) % C), hold)
    logits = 1.2 * np.eye(C)[labels] + generator.normal(0, noise * 2, (len(labels), C))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return FrameProbabilities(probabilities, np.arange(len(labels)) / 30), labels


def films(**options: float) -> tuple[list[FrameProbabilities], list[np.ndarray]]:
    pairs = [film(seed, **options) for seed in range(len(PEOPLE))]  # type: ignore[arg-type]
    return [sequence for sequence, _ in pairs], [labels for _, labels in pairs]


def test_the_score_is_macro_f1_over_all_frames_together() -> None:
    sequences, labels = films()
    labels = [np.where(np.arange(len(truth)) % 5 == 0, -1, truth % 3) for truth in labels]
    smoothing = Smoothing("average", 0.5)
    found = np.concatenate([smoothing.labels(s.probabilities, s.times) for s in sequences])
    truth = np.concatenate(labels)
    expected = f1_score(
        truth[truth >= 0], found[truth >= 0], labels=range(C), average="macro", zero_division=0
    )
    assert smoothing_macro_f1(smoothing, sequences, labels) == pytest.approx(expected)


def test_frames_without_a_result_count_as_missed() -> None:
    values = np.eye(2)[[0, 0, 1, 1]].astype(float)
    values[[1, 3]] = np.nan
    sequence = FrameProbabilities(values, np.arange(4.0) * 10)
    # Both classes: recall 1/2, precision 1, F1 2/3.
    assert smoothing_macro_f1(Smoothing("none"), [sequence], [np.array([0, 0, 1, 1])]) == pytest.approx(2 / 3)


def test_held_expressions_want_smoothing_and_quick_ones_less_of_it() -> None:
    sequences, labels = films()
    slow = choose_smoothing(sequences, labels, PEOPLE, training_people=PEOPLE)
    assert (
        smoothing_macro_f1(slow, sequences, labels)
        > smoothing_macro_f1(Smoothing("none"), sequences, labels) + 0.1
    )
    quick = choose_smoothing(*films(hold=8), PEOPLE, training_people=PEOPLE)
    assert quick.width < slow.width


def test_labels_of_other_people_decide_nothing() -> None:
    sequences, labels = films()
    training = PEOPLE[:3]
    honest = choose_smoothing(sequences, labels, PEOPLE, training_people=training)
    for other in range(3, 6):
        labels[other] = np.full_like(labels[other], 99)
        sequences[other] = FrameProbabilities(np.zeros((1, 1)), np.zeros(1))
    assert choose_smoothing(sequences, labels, PEOPLE, training_people=training) == honest


def test_of_equal_candidates_the_first_is_taken() -> None:
    sequence = FrameProbabilities(np.tile([0.9, 0.1], (9, 1)), np.arange(9) / 30)
    chosen = choose_smoothing([sequence], [np.zeros(9, int)], ["a"], training_people={"a"})
    assert chosen == GRID[0] == Smoothing("none")


def test_the_grid_goes_from_mild_to_strong() -> None:
    for kind in ("average", "gaussian", "median"):
        widths = [smoothing.width for smoothing in GRID if smoothing.kind == kind]
        assert all(a < b for a, b in pairwise(widths))


def test_bad_input_is_refused() -> None:
    sequences, labels = films()
    with pytest.raises(ValueError, match="0 of 6 sequences show"):
        choose_smoothing(sequences, labels, PEOPLE, training_people=["nobody"])
    with pytest.raises(ValueError, match="0 candidates"):
        choose_smoothing(sequences, labels, PEOPLE, [], training_people=PEOPLE)
    with pytest.raises(ValueError, match="one of both"):
        choose_smoothing(sequences, labels, PEOPLE[:2], training_people=PEOPLE)
    with pytest.raises(ValueError, match="as many"):
        smoothing_macro_f1(GRID[0], sequences, labels[:2])
    with pytest.raises(ValueError, match="No row has a label"):
        smoothing_macro_f1(GRID[0], sequences, [np.full_like(truth, -1) for truth in labels])
    with pytest.raises(ValueError, match=r"Labels lie in \[-1, 4\)"):
        smoothing_macro_f1(GRID[0], sequences, [truth + 1 for truth in labels])
    with pytest.raises(ValueError, match="Expected labels of shape"):
        smoothing_macro_f1(GRID[0], sequences, [truth[1:] for truth in labels])
