"""The loss counts frames that have a face and a label, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from halfsmile.methods import temporal as module
from halfsmile.methods.task import Batch
from halfsmile.methods.temporal import TemporalTask, WindowBatch, balanced_weights
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalEncoder

FEATURES, CLASSES = 4, 3
FIELDS = ("images", "times", "present", "labels")


def task(**options: object) -> TemporalTask:
    torch.manual_seed(0)
    config = TemporalConfig(width=8, heads=2, dropout=0.0, window=6)
    return TemporalTask(TemporalEncoder(config, features=FEATURES, classes=CLASSES), **options)  # type: ignore[arg-type]


def batch() -> WindowBatch:
    generator = torch.Generator().manual_seed(1)
    return WindowBatch(
        images=torch.randn(2, 6, FEATURES, generator=generator),
        times=torch.arange(6, dtype=torch.float64).expand(2, 6) / 25,
        present=torch.tensor([[1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 0, 0]], dtype=torch.bool),
        labels=torch.tensor([[0, 1, 2, -1, -1, 2], [1, 1, -1, 0, 2, -1]]),
    )


def loss(trained: TemporalTask, windows: WindowBatch, seed: int = 0) -> Tensor:
    return trained.step(windows, torch.Generator().manual_seed(seed)).loss


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 0.0, 3.0])])
def test_the_loss_is_the_mean_over_present_labeled_frames(smoothing: float, weights: Tensor | None) -> None:
    trained, windows = task(smoothing=smoothing, class_weights=weights), batch()
    logits = trained.model(windows.images, windows.times, windows.present)
    counted = [(0, 0), (0, 1), (0, 5), (1, 0), (1, 1), (1, 3)]
    rows = torch.stack([logits[place] for place in counted])
    labels = torch.stack([windows.labels[place] for place in counted])
    expected = F.cross_entropy(rows, labels, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(trained, windows), expected)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 0.5, 3.0])])
def test_processes_with_unequal_numbers_of_labels_minimize_the_loss_of_all_frames(
    weights: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What DDP averages over three processes, one without any label, is the loss of one process."""
    trained, windows = task(class_weights=weights), batch()
    nothing = replace(windows, labels=torch.full_like(windows.labels, -1))
    parts = [replace(windows, **{name: getattr(windows, name)[i : i + 1] for name in FIELDS}) for i in (0, 1)]
    parts[1] = replace(parts[1], labels=torch.where(parts[1].labels == 1, -1, parts[1].labels))
    whole = replace(windows, labels=torch.cat([part.labels for part in parts]))
    totals: list[Tensor] = []

    def note(own: Tensor) -> Tensor:
        totals.append(own)
        return own

    monkeypatch.setattr(module, "over_processes", note)
    for part in (*parts, nothing):
        loss(trained, part)
    monkeypatch.setattr(module, "over_processes", lambda own: torch.cat(totals))
    mean = torch.stack([loss(trained, part) for part in (*parts, nothing)]).mean()
    monkeypatch.undo()
    torch.testing.assert_close(mean, loss(trained, whole))


def test_labels_of_absent_frames_and_features_of_absent_frames_do_not_count() -> None:
    trained, windows = task(), batch()
    other_label, other_features = windows.labels.clone(), windows.images.clone()
    other_label[0, 2] = 0
    other_features[0, 2] = torch.nan
    changed = replace(windows, labels=other_label, images=other_features)
    assert torch.equal(loss(trained, windows), loss(trained, changed))
    seen = windows.labels.clone()
    seen[0, 0] = 2
    assert not torch.equal(loss(trained, windows), loss(trained, replace(windows, labels=seen)))


def test_without_a_labeled_frame_the_loss_is_zero_and_harmless() -> None:
    trained, windows = task(), batch()
    found = loss(trained, replace(windows, labels=torch.full_like(windows.labels, -1)))
    found.backward()  # type: ignore[no-untyped-call]
    assert found == 0
    assert all(p.grad is None or not p.grad.any() for p in trained.parameters())


def test_hidden_frames_keep_their_loss() -> None:
    trained, windows = task(hide=0.99), batch()
    windows = replace(windows, labels=windows.labels.clamp(min=0))
    result = trained.step(windows, torch.Generator().manual_seed(3))
    assert result.logs["frames"] == windows.present.sum()
    other = replace(windows, images=windows.images + 1)
    hidden = torch.rand(2, 6, generator=torch.Generator().manual_seed(3)) < 0.99
    assert hidden.all()
    assert torch.equal(result.loss, loss(trained, other, seed=3))


def test_randomness_comes_from_the_generator() -> None:
    trained, windows = task(hide=0.3, noise=0.5), batch()
    assert torch.equal(loss(trained, windows, 1), loss(trained, windows, 1))
    assert not torch.equal(loss(trained, windows, 1), loss(trained, windows, 2))


def test_noise_is_in_units_of_the_standardized_features() -> None:
    windows = batch()
    seen = windows.images[windows.present]

    def noisy(scale: float) -> Tensor:
        trained = task(noise=0.5)
        trained.model.standardize_as(scale * seen)
        return loss(trained, replace(windows, images=scale * windows.images))

    torch.testing.assert_close(noisy(1.0), noisy(100.0), atol=1e-5, rtol=1e-4)


def test_balanced_weights_agree_with_scikit_learn() -> None:
    labels = np.array([0] * 7 + [1] * 2 + [3])
    found = balanced_weights(torch.from_numpy(np.append(labels, [-1, -1])), 5).numpy()
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    np.testing.assert_allclose(found[[0, 1, 3]], expected, rtol=1e-6)
    assert found[2] == found[4] == 0
    with pytest.raises(ValueError, match="no labeled frame"):
        balanced_weights(torch.tensor([-1]), 2)


def test_batches_move_and_count_windows() -> None:
    windows = batch().to(torch.device("cpu"))
    assert isinstance(windows, WindowBatch)
    assert windows.size == 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="trains on windows of frames, found a Batch"):
        task().step(Batch(images=torch.zeros(1, 1, 2, 2, dtype=torch.uint8)), torch.Generator())
    with pytest.raises(ValueError, match="Expected 3 finite weights"):
        task(class_weights=torch.ones(4))
    with pytest.raises(ValueError, match="hide must lie in"):
        task(hide=1.0)
