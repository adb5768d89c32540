"""Frame scores agree with scikit-learn, and onsets are measured from the range that the labels leave open."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from halfsmile.sequences.metrics import Onset, SequenceTruth, evaluate_sequences, onset_errors
from halfsmile.taxonomy import Taxonomy

THREE = Taxonomy("three", ("neutral", "smile", "frown"))


def one_hot(classes: list[int]) -> npt.NDArray[np.float64]:
    return np.eye(3)[classes]


def truth(targets: list[int], spoiled: list[int] | None = None) -> SequenceTruth:
    return SequenceTruth(np.array(targets), np.array(spoiled or [0] * len(targets), np.bool_))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_frame_scores_agree_with_scikit_learn(seed: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    shown = [SequenceTruth(rng.integers(-1, 3, length), rng.random(length) < 0.4) for length in [*lengths, 5]]
    shown[-1].targets[0], shown[-1].spoiled[0] = 1, True
    predictions = [rng.dirichlet(np.ones(3), len(true.targets)) for true in shown]
    found = evaluate_sequences(predictions, shown, THREE)
    targets = np.concatenate([true.targets for true in shown])
    spoiled = np.concatenate([true.spoiled for true in shown])
    named = np.concatenate([rows.argmax(axis=1) for rows in predictions])
    labeled = targets >= 0
    for rows, accuracy, f1 in (
        (labeled, found.accuracy, found.macro_f1),
        (labeled & spoiled, found.spoiled_accuracy, found.spoiled_macro_f1),
    ):
        assert accuracy == pytest.approx(accuracy_score(targets[rows], named[rows]))
        expected = f1_score(targets[rows], named[rows], labels=[0, 1, 2], average="macro", zero_division=0)
        assert f1 == pytest.approx(expected)
    assert (found.frames, found.spoiled_frames) == (labeled.sum(), (labeled & spoiled).sum())


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ([0, 0, 0, 0, 0, 1, 1, 1, 0], [Onset(0, False)]),
        ([0, 0, 0, 1, 1, 1, 1, 1, 0], [Onset(0, False)]),
        ([0, 0, 1, 1, 1, 1, 1, 1, 0], [Onset(1, False)]),
        ([1, 0, 0, 0, 0, 1, 1, 1, 0], [Onset(3, False)]),
        ([0, 0, 0, 0, 0, 0, 0, 1, 0], [Onset(2, False)]),
        ([0, 0, 0, 2, 2, 2, 2, 2, 1], [Onset(3, True)]),
    ],
)
def test_onset_error_is_the_distance_to_the_transition(predicted: list[int], expected: list[Onset]) -> None:
    targets = np.array([0, 0, 0, -1, -1, 1, 1, 1, 0])
    assert onset_errors(np.array(predicted), targets, 0) == expected


def test_only_expressions_after_neutral_have_an_onset() -> None:
    assert onset_errors(np.array([1, 1, 2]), np.array([1, -1, 2]), 0) == []
    assert onset_errors(np.array([0, 1]), np.array([-1, -1]), 0) == []
    two = onset_errors(np.array([0, 1, 0, 2]), np.array([0, 1, 0, 2]), 0)
    assert two == [Onset(0, False), Onset(0, False)]


def test_unlabeled_frames_inside_an_expression_do_not_end_it() -> None:
    assert onset_errors(np.array([0, 0, 0, 1]), np.array([0, 1, -1, 1]), 0) == [Onset(2, False)]


def test_onsets_and_switches_of_several_sequences() -> None:
    shown = [truth([0, 0, 1, 1]), truth([0, 2, 2]), truth([0])]
    predictions = [one_hot([0, 0, 0, 1]), one_hot([0, 0, 0]), one_hot([0])]
    found = evaluate_sequences(predictions, shown, THREE)
    assert (found.onsets, found.onsets_missed) == (2, 1)
    assert found.onset_error == pytest.approx((1 + 2) / 2)
    assert found.switches == pytest.approx(100 * 1 / 5)
    assert np.isnan(found.spoiled_macro_f1)
    assert set(found.to_dict()) >= {"macro_f1", "onset_error"}


def test_perfect_predictions_score_perfectly() -> None:
    shown = [truth([0, 0, 1], [0, 1, 1]), truth([0, 2], [0, 1])]
    found = evaluate_sequences([one_hot([0, 0, 1]), one_hot([0, 2])], shown, THREE)
    assert (found.macro_f1, found.spoiled_macro_f1, found.onset_error) == (1.0, 1.0, 0.0)


def test_what_does_not_fit_is_refused() -> None:
    shown = [truth([0, 1])]
    with pytest.raises(ValueError, match="predictions of 2 sequences"):
        evaluate_sequences([one_hot([0, 1])] * 2, shown, THREE)
    with pytest.raises(ValueError, match=r"expected predictions \(2, 3\)"):
        evaluate_sequences([one_hot([0])], shown, THREE)
    with pytest.raises(ValueError, match="hold NaN"):
        evaluate_sequences([np.full((2, 3), np.nan)], shown, THREE)
    with pytest.raises(ValueError, match="None of the 2 frames has a label"):
        evaluate_sequences([one_hot([0, 1])], [truth([-1, -1])], THREE)
    with pytest.raises(ValueError, match=r"must lie in \[-1, 3\)"):
        evaluate_sequences([one_hot([0, 1])], [truth([0, 3])], THREE)
    with pytest.raises(ValueError, match="'calm' is not in taxonomy"):
        evaluate_sequences([one_hot([0, 1])], shown, THREE, neutral="calm")
