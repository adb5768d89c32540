"""Evaluation: a face and its mirror image averaged, no trace left in the model, numbers by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from halfsmile.data.images import DecodedFaces
from halfsmile.data.manifest import Manifest
from halfsmile.evaluation.inference import predict_probabilities, pseudo_label_quality, watch
from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.feedback.debiased import Feedback
from halfsmile.methods.feedback.guard import GuardConfig
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.pseudo_label import PseudoLabelTask
from halfsmile.methods.task import Task
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.augment import NONE
from halfsmile.transforms.pixels import to_tensor

CPU = torch.device("cpu")
MOODS = Taxonomy("moods", ("calm", "glad", "sad"))
TARGETS = np.array([0, 0, 1, 1, 2, 2])


class Linear(nn.Module):
    """Logits by a linear layer, with dropout and a batch norm that would betray training mode."""

    taxonomy: Taxonomy

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(48)
        self.head = nn.Linear(48, 3)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.norm(self.dropout(images.flatten(1)))
        return self.head(features)  # type: ignore[no-any-return]


def model() -> Linear:
    torch.manual_seed(0)
    return Linear()


def images(count: int = 10) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def test_probabilities_are_the_softmax_of_unchanged_faces() -> None:
    network = model().eval()
    inputs = torch.from_numpy(images()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = network(inputs).softmax(dim=1)
    found = predict_probabilities(network, images(), device=CPU, flip=False)
    assert found.dtype == np.float32
    assert np.allclose(found, expected.numpy(), atol=1e-6)


def test_flipping_averages_a_face_and_its_mirror_image() -> None:
    plain = predict_probabilities(model(), images(), device=CPU, flip=False)
    mirrored = predict_probabilities(model(), images()[:, :, ::-1], device=CPU, flip=False)
    both = predict_probabilities(model(), images(), device=CPU, flip=True)
    assert np.allclose(both, (plain + mirrored) / 2, atol=1e-6)
    assert not np.allclose(both, plain, atol=1e-3)
    assert np.allclose(both, predict_probabilities(model(), images()[:, :, ::-1], device=CPU), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_the_batch_size_does_not_matter(batch_size: int) -> None:
    found = predict_probabilities(model(), images(), device=CPU, batch_size=batch_size)
    assert np.allclose(found, predict_probabilities(model(), images(), device=CPU), atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    network = model().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict_probabilities(network, images(), device=CPU)
    assert all(module.training == training for module in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in network.parameters())


def test_bfloat16_is_close() -> None:
    half = predict_probabilities(model(), images(), device=CPU, precision="bfloat16")
    assert np.allclose(half, predict_probabilities(model(), images(), device=CPU), atol=0.02)


def by_hand() -> npt.NDArray[np.float32]:
    """Six predictions: four accepted at 0.7, three of them right; class sad is never accepted."""
    return np.array(
        [
            [0.90, 0.05, 0.05],  # calm, accepted, right
            [0.60, 0.30, 0.10],  # calm, refused, right
            [0.75, 0.15, 0.10],  # calm, accepted, wrong
            [0.10, 0.80, 0.10],  # glad, accepted, right
            [0.25, 0.25, 0.50],  # sad, refused, right
            [0.00, 1.00, 0.00],  # glad, accepted, wrong
        ],
        dtype=np.float32,
    )


def quality(probabilities: npt.NDArray[np.float32], threshold: float) -> dict[str, float]:
    weights = (probabilities.max(axis=1) >= threshold).astype(np.float32)
    return pseudo_label_quality(probabilities.argmax(axis=1), weights, TARGETS, MOODS)


def test_pseudo_label_quality_by_hand() -> None:
    found = quality(by_hand(), 0.7)
    assert found == pytest.approx(
        {
            "held_out/acceptance": 4 / 6,
            "precision": 2 / 4,
            "acceptance/calm": 2 / 3,
            "precision/calm": 1 / 2,
            "share/calm": 2 / 4,
            "acceptance/glad": 2 / 2,
            "precision/glad": 1 / 2,
            "share/glad": 2 / 4,
            "acceptance/sad": 0.0,
            "share/sad": 0.0,
        }
    )


def test_weights_between_refused_and_accepted_count_by_size() -> None:
    predicted, weights = np.array([0, 0, 1]), np.array([1.0, 0.5, 0.25], dtype=np.float32)
    found = pseudo_label_quality(predicted, weights, np.array([0, 1, 1]), MOODS)
    assert found == pytest.approx(
        {
            "held_out/acceptance": 1.75 / 3,
            "precision": 1.25 / 1.75,
            "acceptance/calm": 0.75,
            "precision/calm": 1 / 1.5,
            "share/calm": 1.5 / 1.75,
            "acceptance/glad": 0.25,
            "precision/glad": 1.0,
            "share/glad": 0.25 / 1.75,
            "share/sad": 0.0,
        }
    )


def test_what_is_undefined_is_left_out() -> None:
    found = quality(by_hand(), 1.1)
    assert found == {
        "held_out/acceptance": 0.0,
        "acceptance/calm": 0.0,
        "acceptance/glad": 0.0,
        "acceptance/sad": 0.0,
    }


def held_out() -> DecodedFaces:
    labels = [MOODS.labels[target] for target in TARGETS]
    rows = [{"image": str(i), "label": label} for i, label in enumerate(labels)]
    unknown = np.full((6, 4), np.nan, np.float32)
    manifest = Manifest.from_rows(rows, Path("faces"), MOODS)
    return DecodedFaces(images(6), unknown, np.full((6, 5, 2), np.nan, np.float32), manifest)


def test_watching_measures_the_averaged_network() -> None:
    task = Task(model(), ema_decay=0.9)
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.add_(torch.randn_like(parameter))
    found = watch(held_out(), MOODS, device=CPU)(task)
    probabilities = predict_probabilities(task.averaged, images(6), device=CPU, flip=False)
    likelihood = probabilities[np.arange(6), TARGETS]
    assert found.keys() >= {"held_out/accuracy", "held_out/macro_f1", "held_out/nll"}
    assert all(name.startswith("held_out/") for name in found)
    assert found["held_out/accuracy"] == pytest.approx((probabilities.argmax(axis=1) == TARGETS).mean())
    assert found["held_out/nll"] == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)


def test_watching_a_task_that_names_faces_adds_the_quality_of_its_pseudo_labels() -> None:
    task = PseudoLabelTask(model(), weak=NONE, strong=NONE, threshold=0.4)
    found = watch(held_out(), MOODS, device=CPU)(task)
    expected = quality(predict_probabilities(task.model, images(6), device=CPU, flip=False), 0.4)
    assert found["held_out/acceptance"] > 0
    assert expected.items() <= found.items()
    assert all(name.startswith("held_out/") for name in found.keys() - expected.keys())


def test_watching_asks_the_method_and_not_a_threshold() -> None:
    """A prior that all but forbids the class that the network would name turns its labels around."""
    network = model()
    network.taxonomy = MOODS
    task = DebiasPL(threshold=0.0, strength=1.0).task(network, weak=NONE, strong=NONE)
    probabilities = predict_probabilities(network, images(6), device=CPU, flip=False)
    task.prior.copy_(torch.tensor([0.01, 0.98, 0.01]))
    found = watch(held_out(), MOODS, device=CPU)(task)
    adjusted = probabilities / np.array([0.01, 0.98, 0.01])
    assert (adjusted.argmax(axis=1) != probabilities.argmax(axis=1)).any()
    assert found["precision"] == pytest.approx((adjusted.argmax(axis=1) == TARGETS).mean())
    assert found["held_out/accuracy"] == pytest.approx((probabilities.argmax(axis=1) == TARGETS).mean())


def test_watching_gives_the_method_logits() -> None:
    """A score that is the same for all probabilities, as their sum is, depends on the face."""
    task = Feedback(guard=GuardConfig(score="energy", threshold=0.0)).task(model(), weak=NONE, strong=NONE)
    network = task.labeling_network.eval()
    energies = network(to_tensor(images(6)).float() / 255).logsumexp(dim=1).detach()
    assert energies.min() < energies.max()
    task.guard.threshold.copy_(energies.mean())
    found = watch(held_out(), MOODS, device=CPU)(task)
    assert found["held_out/acceptance"] == pytest.approx(float((energies >= energies.mean()).float().mean()))


def test_watching_leaves_the_statistics_of_the_method_alone() -> None:
    network = model()
    network.taxonomy = MOODS
    task = FreeMatch().task(network, weak=NONE, strong=NONE)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    watch(held_out(), MOODS, device=CPU)(task)
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
