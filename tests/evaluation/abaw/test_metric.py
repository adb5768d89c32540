"""Macro F1 over eight classes and folds by video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from halfsmile.data.manifest import Manifest
from halfsmile.evaluation.abaw.metric import macro_f1, video_folds
from halfsmile.taxonomy import AFFWILD2, Taxonomy


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60), st.integers(0, 7))
@settings(max_examples=80, deadline=None)
def test_the_metric_agrees_with_scikit_learn(pairs: list[tuple[int, int]], highest: int) -> None:
    targets, predicted = np.minimum(np.array(pairs).T, highest)
    expected = f1_score(targets, predicted, labels=range(8), average="macro", zero_division=0)
    assert macro_f1(targets, predicted) == pytest.approx(expected)


def test_absent_classes_count_as_zero_and_frames_without_annotation_not_at_all() -> None:
    # Neutral: precision 1, recall 2/3, F1 0.8. Anger: precision 1/2, recall 1, F1 2/3. Six are absent.
    targets, predicted = np.array([0, 0, 0, 1, -1, -1]), np.array([0, 0, 1, 1, 7, -5])
    assert macro_f1(targets, predicted) == pytest.approx((0.8 + 2 / 3) / 8)


@pytest.mark.parametrize(
    ("targets", "predicted", "message"),
    [
        ([0, 1], [0], "as many"),
        ([-1, -1], [0, 0], "None of 2"),
        ([], [], "None of 0"),
        ([0, 8], [0, 0], "whole targets from 0 to 7"),
        ([0, -2], [0, 0], "whole targets"),
        ([0, 1], [0, -1], "whole predictions"),
        ([0, 1], [0.0, 1.0], "whole predictions"),
    ],
)
def test_bad_input_is_refused(targets: list[int], predicted: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        macro_f1(np.array(targets), np.array(predicted))


def recordings(seed: int = 0, count: int = 120) -> Manifest:
    """Recordings of different lengths, each with a few classes, some of two people, some frames unlabeled."""
    random = np.random.default_rng(seed)
    rows = []
    for video in range(count):
        shares = random.dirichlet(np.full(8, 0.3) * np.array([8, 1, 1, 1, 5, 4, 2, 8]))
        labels = random.choice(8, size=int(random.lognormal(3.5, 0.8)) + 1, p=shares)
        for frame, label in enumerate(labels, 1):
            side = ("_left", "_right")[frame % 2] if video % 9 == 0 else ""
            name = None if frame % 10 == 0 else AFFWILD2.labels[label]
            rows.append(
                {
                    "image": f"{video}{side}/{frame}",
                    "label": name,
                    "person": f"{video}{side}",
                    "video": f"{video}",
                    "frame": frame,
                }
            )
    return Manifest.from_rows(rows, Path(), AFFWILD2)


def shares_of(fold_of_row: np.ndarray, manifest: Manifest, num_folds: int) -> np.ndarray:
    """(folds, classes) share of each class's rows that lies in each fold."""
    classes = manifest.class_indices()
    counts = np.zeros((num_folds, 8))
    np.add.at(counts, (fold_of_row[classes >= 0], classes[classes >= 0]), 1)
    return np.asarray(counts / counts.sum(axis=0))


@pytest.mark.parametrize("num_folds", [2, 5])
def test_each_recording_is_in_one_fold_and_no_fold_is_empty(num_folds: int) -> None:
    manifest = recordings()
    folds = video_folds(manifest, num_folds=num_folds, seed=1)
    assert set(folds) == set(manifest.column("video"))
    assert set(folds.values()) == set(range(num_folds))
    by_person = {
        (p, folds[v]) for p, v in zip(manifest.column("person"), manifest.column("video"), strict=True)
    }
    assert len(by_person) == len(set(manifest.column("person")))


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_as_alike_as_those_of_scikit_learn(seed: int) -> None:
    manifest = recordings(seed).take(np.flatnonzero(recordings(seed).class_indices() >= 0))
    videos = np.array(manifest.column("video"))
    folds = video_folds(manifest, seed=seed)
    ours = shares_of(np.array([folds[video] for video in videos]), manifest, 5)
    theirs = np.empty(len(manifest), np.int64)
    oracle = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(oracle.split(videos, manifest.class_indices(), videos)):
        theirs[test] = fold
    assert np.abs(ours - 0.2).max() < 0.12
    assert ours.std() < 1.5 * shares_of(theirs, manifest, 5).std()
    sizes = np.bincount([folds[video] for video in videos]) / len(videos)
    assert np.abs(sizes - 0.2).max() < 0.05


def test_the_same_seed_gives_the_same_folds_whatever_the_order_of_rows() -> None:
    manifest = recordings()
    folds = video_folds(manifest, seed=3)
    shuffled = manifest.take(np.random.default_rng(0).permutation(len(manifest)))
    assert video_folds(shuffled, seed=3) == folds
    assert any(video_folds(manifest, seed=seed) != folds for seed in range(4))


def test_as_many_videos_as_folds_and_data_without_labels() -> None:
    rows = [{"image": f"{i}", "video": f"{i % 5}"} for i in range(50)]
    folds = video_folds(Manifest.from_rows(rows, Path()))
    assert sorted(folds.values()) == [0, 1, 2, 3, 4]


def test_impossible_folds_are_refused() -> None:
    two = Taxonomy("two", ("a", "b"))
    rows = [{"image": f"{i}", "video": f"{i}", "label": "a"} for i in range(4)]
    for num_folds in (1, 5):
        with pytest.raises(ValueError, match=f"Can't make {num_folds} folds of 4 videos"):
            video_folds(Manifest.from_rows(rows, Path(), two), num_folds=num_folds)
    with pytest.raises(ValueError, match="1 of 5 rows name no video"):
        video_folds(Manifest.from_rows([*rows, {"image": "5"}], Path(), two))
