"""Evaluating a trained classifier on faces, and watching one while it trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from halfsmile.data.images import DecodedFaces
from halfsmile.methods.semi import PseudoLabeler
from halfsmile.methods.task import Task
from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.models.ensemble import Answering
from halfsmile.models.precision import Precision
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.pixels import to_tensor
from halfsmile.utils.progress import Progress


@torch.inference_mode()
def predict_probabilities(
    model: nn.Module,
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device,
    flip: bool = True,
    batch_size: int = 256,
    precision: Precision = "float32",
    title: str | None = None,
) -> npt.NDArray[np.float32]:
    """Class probabilities of faces as they are, without augmentation.

    Args:
        model: Gives logits (B, K) of images (B, C, S, S) in [0, 1]; used in evaluation mode.
        images: (N, S, S, C) uint8.
        device: Where to compute.
        flip: Average the probabilities of each face and its mirror image.
        batch_size: Faces at a time.
        precision: Number format.
        title: Shown with the progress; None shows none.

    Returns:
        (N, K), rows sum to 1.
    """
    views = _logits(
        model, images, device=device, flip=flip, batch_size=batch_size, precision=precision, title=title
    ).softmax(dim=2)
    return _normalized(views.mean(dim=0))


def _logits(
    model: nn.Module,
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device,
    flip: bool = False,
    batch_size: int = 256,
    precision: Precision = "float32",
    title: str | None = None,
) -> Tensor:
    """(1, N, K) logits of faces as they are, or (2, N, K) of them and their mirror images, float32."""

    def views(batch: Tensor) -> Tensor:
        looks = [batch, batch.flip(-1)] if flip else [batch]
        return torch.stack([model(look).float() for look in looks], dim=1)

    training = model.training
    model.eval()
    found = run_on_faces(
        views, images, device=device, batch_size=batch_size, precision=precision, title=title
    )
    model.train(training)
    return found.transpose(0, 1)


@torch.inference_mode()
def run_on_faces(
    function: Callable[[Tensor], Tensor],
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device,
    batch_size: int = 256,
    precision: Precision = "float32",
    title: str | None = None,
) -> Tensor:
    """What a network gives for faces as they are, without augmentation, batch by batch.

    Args:
        function: Gives (B, …) of images (B, C, S, S), float in [0, 1].
        images: (N, S, S, C) uint8, N ≥ 1.
        device: Where to compute.
        batch_size: Faces at a time.
        precision: Number format.
        title: Shown with the progress; None shows none.

    Returns:
        (N, …), on the device.
    """
    parts = []
    with Progress(title or "", total=len(images), active=title is not None) as shown:
        for start in range(0, len(images), batch_size):
            batch = to_tensor(images[start : start + batch_size]).to(device).float() / 255
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                parts.append(function(batch))
            shown.advance(len(batch))
    return torch.cat(parts)


def network_logits(
    model: Answering,
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device | None = None,
    batch_size: int = 256,
    title: str | None = None,
) -> npt.NDArray[np.float32]:
    """Logits (N, classes) of faces (N, S, S, C) uint8 by a model that says itself how it views them.

    Args:
        model: Used in evaluation mode.
        images: Faces; may be none.
        device: Where to compute; the processor by default.
        batch_size: Faces at a time.
        title: Shown with the progress; None shows none.
    """
    if not len(images):
        return np.zeros((0, len(model.taxonomy)), np.float32)
    device = device or torch.device("cpu")
    model.to(device).eval()
    found = run_on_faces(model, images, device=device, batch_size=batch_size, title=title)
    logits: npt.NDArray[np.float32] = found.float().cpu().numpy()
    return logits


def logits_and_norms(
    model: Answering,
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device | None = None,
    batch_size: int = 256,
    title: str | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Logits (N, classes) as :func:`network_logits` gives them, and norms (N,) of the features."""

    def look(batch: Tensor) -> Tensor:
        logits, features = model.answer(batch)
        return torch.cat([logits, features.norm(dim=1, keepdim=True)], dim=1)

    if not len(images):
        return np.zeros((0, len(model.taxonomy)), np.float32), np.zeros(0, np.float32)
    device = device or torch.device("cpu")
    model.to(device).eval()
    found = run_on_faces(look, images, device=device, batch_size=batch_size, title=title)
    both: npt.NDArray[np.float32] = found.float().cpu().numpy()
    return both[:, :-1], both[:, -1]


def _normalized(probabilities: Tensor) -> npt.NDArray[np.float32]:
    """The same with rows that sum to 1 as closely as float32 can."""
    doubles = probabilities.double()
    return (doubles / doubles.sum(dim=1, keepdim=True)).float().cpu().numpy()


def watch(
    faces: DecodedFaces, taxonomy: Taxonomy, *, device: torch.device
) -> Callable[[Task], dict[str, float]]:
    """A function that measures a task's averaged network on held-out training faces, for the metrics file.

    Of a task that names unlabeled faces, the pseudo-labels that it would give these faces are measured too:
    acceptance and precision, overall and per predicted class, and each class's share among the accepted.
    Undefined values are left out.

    Args:
        faces: Held-out rows with labels.
        taxonomy: Classes.
        device: Where to compute.
    """
    targets = faces.manifest.class_indices()

    def measure(task: Task) -> dict[str, float]:
        logits = _logits(task.averaged, faces.images, device=device)[0]
        metrics = evaluate_predictions(_normalized(logits.softmax(dim=1)), targets, taxonomy)
        found = {
            "held_out/accuracy": metrics.accuracy,
            "held_out/balanced_accuracy": metrics.balanced_accuracy,
            "held_out/macro_f1": metrics.macro_f1,
            "held_out/nll": metrics.nll,
        }
        if isinstance(task, PseudoLabeler):
            if task.labeling_network is not task.averaged:
                logits = _logits(task.labeling_network, faces.images, device=device)[0]
            named = task.pseudo_label(logits)
            labels, weights = named.labels.cpu().numpy(), named.weights.cpu().numpy()
            found |= pseudo_label_quality(labels, weights, targets, taxonomy)
        return found

    return measure


def pseudo_label_quality(
    predicted: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    taxonomy: Taxonomy,
) -> dict[str, float]:
    """How many pseudo-labels are accepted and how many of those are right, each counted by its weight.

    Args:
        predicted: (N,) pseudo-labels.
        weights: (N,) in [0, 1], 1 accepted, 0 refused.
        targets: (N,) true classes.
        taxonomy: Names of the classes.

    Returns:
        ``held_out/acceptance``, ``precision``, and per predicted class ``acceptance/<label>``,
        ``precision/<label>`` and ``share/<label>``; precision is missing where nothing was accepted.
    """
    taken = weights.astype(np.float64)
    right = taken * (predicted == targets)
    found = {"held_out/acceptance": float(taken.mean())}
    if taken.any():
        found["precision"] = float(right.sum() / taken.sum())
    for index, label in enumerate(taxonomy.labels):
        named = predicted == index
        if named.any():
            found[f"acceptance/{label}"] = float(taken[named].mean())
        if taken[named].any():
            found[f"precision/{label}"] = float(right[named].sum() / taken[named].sum())
        if taken.any():
            found[f"share/{label}"] = float(taken[named].sum() / taken.sum())
    return found
