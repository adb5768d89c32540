"""Stage IV learns what single frames don't show, resumes in the same bits, and uses what it is given only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halfsmile.data.windows import WindowSampler, group_tracks
from halfsmile.evaluation.frames import FrameTable, frame_features, predict_frames
from halfsmile.methods.temporal import TemporalTask
from halfsmile.models.classifier import Classifier
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork
from halfsmile.models.temporal.file import load_network
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.config import TemporalStageConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import Taxonomy
from halfsmile.training import loop
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import StopRequest
from halfsmile.training.temporal import features as module
from halfsmile.training.temporal.features import (
    train_temporal,
    window_batches,
)
from halfsmile.utils.errors import StopRequestedError

HERE = Processes(0, 1, torch.device("cpu"))
CLASSES = Taxonomy("two", ("neutral", "smile"))
CONFIG = TemporalStageConfig(
    network=TemporalConfig(width=16, depth=1, heads=4, window=16, dropout=0.1),
    steps=60,
    batch_size=8,
    hop=8,
    optim=OptimConfig(learning_rate=5e-3, warmup=0.1),
    noise=0.0,
)


def spoiled_frames(videos: int, seed: int) -> tuple[FrameTable, np.ndarray]:
    """One block of smiling a video; a feature shows the class, but in a third of the frames says nothing."""
    rng = np.random.default_rng(seed)
    features, labels, spoiled, names, times = [], [], [], [], []
    for video in range(videos):
        shown = np.zeros(24, np.int64)
        first = rng.integers(0, 24)
        shown[first : first + 10] = 1
        lost = rng.random(24) < 0.33
        signal = np.where(lost, 0, 2 * shown - 1)
        features.append(np.stack([signal, lost, rng.normal(size=24)], axis=1))
        labels.append(shown)
        spoiled.append(lost)
        names += [f"{video}"] * 24
        times.append(np.arange(24) / 25)
    tracks, _ = group_tracks(names, [None] * len(names), np.concatenate(times))
    table = FrameTable(
        np.concatenate(features).astype(np.float32),
        np.ones(len(names), np.bool_),
        np.concatenate(labels),
        tracks,
    )
    return table, np.concatenate(spoiled)


def accuracy(model: TemporalNetwork, table: FrameTable, rows: np.ndarray) -> float:
    found = predict_frames(model, table)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    return float((found.argmax(axis=1) == table.labels)[rows].mean())


def test_neighbors_tell_what_a_spoiled_frame_does_not(tmp_path: Path) -> None:
    (train, _), (test, spoiled) = spoiled_frames(40, 0), spoiled_frames(20, 1)
    together = replace(CONFIG, steps=150)
    alone = replace(together, network=replace(CONFIG.network, depth=0), hide=0.0)
    found = {
        name: accuracy(train_temporal(config, train, CLASSES, tmp_path / name, where=HERE), test, spoiled)
        for name, config in (("alone", alone), ("together", together))
    }
    assert found["together"] > 0.85 > 0.75 > found["alone"]
    loaded, taxonomy = load_network(tmp_path / "together")
    assert taxonomy.labels == CLASSES.labels
    assert accuracy(loaded, test, spoiled) == found["together"]


def test_a_stopped_run_ends_in_the_bits_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = spoiled_frames(6, 0)
    config = replace(CONFIG, steps=7, noise=0.2)
    whole = train_temporal(config, table, CLASSES, tmp_path / "whole", where=HERE)

    class StopAtOnce(StopRequest):
        def __init__(self) -> None:
            super().__init__()
            self.asked = True

    monkeypatch.setattr(loop, "StopRequest", StopAtOnce)
    for _ in range(config.steps):
        with pytest.raises(StopRequestedError):
            train_temporal(config, table, CLASSES, tmp_path / "broken", where=HERE)
    monkeypatch.undo()
    broken = train_temporal(config, table, CLASSES, tmp_path / "broken", where=HERE)
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in broken.state_dict().items())


def test_batches_mask_padding_and_absent_frames() -> None:
    tracks, _ = group_tracks(["a", "a", "a", "b"], [None] * 4, [0.0, 0.1, 0.4, 0.0])
    features = np.arange(8, dtype=np.float32).reshape(4, 2)
    features[1] = np.nan
    table = FrameTable(features, np.array([True, False, True, True]), np.array([0, 1, -1, 1]), tracks)
    sampler = WindowSampler(tracks, window=4, hop=4, batch_size=2, seed=0)
    batch = window_batches(table, sampler)(0)
    first = int(batch.labels[:, 0].argmin())
    order = [first, 1 - first]
    assert batch.present[order].tolist() == [[True, False, True, False], [True, False, False, False]]
    assert batch.labels[order].tolist() == [[0, 1, -1, -1], [1, -1, -1, -1]]
    assert batch.images[order][0].tolist() == [[0, 1], [0, 0], [4, 5], [0, 0]]
    assert batch.images.isfinite().all()
    torch.testing.assert_close(batch.times[order][0, :3], torch.tensor([0.0, 0.1, 0.4], dtype=torch.float64))


def test_other_tracks_do_not_train(tmp_path: Path) -> None:
    table, _ = spoiled_frames(4, 0)
    config = replace(CONFIG, steps=3)
    some = replace(table, tracks=table.tracks[:2])
    changed_labels, changed_features = table.labels.copy(), table.features.copy()
    changed_labels[48:], changed_features[48:] = 1, 9
    other = FrameTable(changed_features, table.present, changed_labels, some.tracks)
    first = train_temporal(config, some, CLASSES, tmp_path / "a", where=HERE).state_dict()
    second = train_temporal(config, other, CLASSES, tmp_path / "b", where=HERE).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_every_option_of_the_stage_reaches_its_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Noting(TemporalTask):
        def __init__(self, model: TemporalNetwork, **options: Any) -> None:
            given.update(options)
            super().__init__(model, **options)

    monkeypatch.setattr(module, "TemporalTask", Noting)
    tracks, _ = group_tracks(["a"] * 6, [None] * 6, np.arange(6) / 25)
    features = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    table = FrameTable(features, np.ones(6, np.bool_), np.array([0, 0, 0, 0, 1, -1]), tracks)
    config = replace(CONFIG, steps=1, smoothing=0.2, hide=0.25, noise=0.5, ema_decay=0.5, balance=True)
    train_temporal(config, table, CLASSES, tmp_path, where=HERE)
    torch.testing.assert_close(given.pop("class_weights"), torch.tensor([0.625, 2.5]))
    assert given == {"smoothing": 0.2, "hide": 0.25, "noise": 0.5, "ema_decay": 0.5}


def test_a_class_without_training_frames_and_a_one_frame_video_are_fine(tmp_path: Path) -> None:
    tracks, _ = group_tracks(["a", "b", "b"], [None] * 3, [0.0, 0.0, 0.1])
    table = FrameTable(np.eye(3, dtype=np.float32), np.ones(3, np.bool_), np.array([1, 1, -1]), tracks)
    model = train_temporal(replace(CONFIG, steps=2), table, CLASSES, tmp_path, where=HERE)
    assert np.isfinite(predict_frames(model, table)).all()


def test_frames_outside_all_tracks_have_no_prediction(tmp_path: Path) -> None:
    table, _ = spoiled_frames(2, 0)
    model = train_temporal(replace(CONFIG, steps=1), table, CLASSES, tmp_path, where=HERE)
    found = predict_frames(model, replace(table, tracks=table.tracks[1:]))
    assert np.isnan(found[:24]).all()
    assert np.isfinite(found[24:]).all()


def test_features_are_what_enters_the_head() -> None:
    torch.manual_seed(0)
    encoder = VisionTransformer(VitConfig(image_size=16, patch_size=8, width=16, depth=1, heads=2))
    model = Classifier(encoder, taxonomy=CLASSES, standardize=True).eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    features = frame_features(model, images, device=HERE.device, batch_size=2)
    logits = model(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(model.head(torch.from_numpy(features)), logits)


def test_tables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    table, _ = spoiled_frames(1, 0)
    unlabeled = replace(table, labels=np.full(24, -1))
    with pytest.raises(ValueError, match="None of the 24 training frames has both"):
        train_temporal(CONFIG, unlabeled, CLASSES, tmp_path, where=HERE)
    with pytest.raises(ValueError, match="None of the 24 frames has a face"):
        replace(table, present=np.zeros(24, np.bool_))
    with pytest.raises(ValueError, match="1 frames have features that are not finite, first row 3"):
        replace(table, features=np.where(np.arange(24)[:, None] == 3, np.nan, table.features))
    with pytest.raises(ValueError, match="presence and labels of N frames"):
        replace(table, labels=np.zeros(3, np.int64))
