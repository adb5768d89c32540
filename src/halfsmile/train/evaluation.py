"""Evaluating a trained classifier on faces, and watching one while it trains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from halfsmile.data.images import Faces
from halfsmile.evaluate.metrics import evaluate_predictions
from halfsmile.methods.task import Task
from halfsmile.taxonomy import Taxonomy
from halfsmile.train.data import to_tensor
from halfsmile.train.precision import Precision


@torch.inference_mode()
def predict_probabilities(
    model: nn.Module,
    images: npt.NDArray[np.uint8],
    *,
    device: torch.device,
    flip: bool = True,
    batch_size: int = 256,
    precision: Precision = "float32",
) -> npt.NDArray[np.float32]:
    """Class probabilities of faces as they are, without augmentation.

    Args:
        model: Gives logits (B, K) of images (B, C, S, S) in [0, 1]; used in evaluation mode.
        images: (N, S, S, C) uint8.
        device: Where to compute.
        flip: Average the probabilities of each face and its mirror image.
        batch_size: Faces at a time.
        precision: Number format.

    Returns:
        (N, K), rows sum to 1.
    """
    training = model.training
    model.eval()
    parts = []
    for start in range(0, len(images), batch_size):
        batch = to_tensor(images[start : start + batch_size]).to(device).float() / 255
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            views = [batch, batch.flip(-1)] if flip else [batch]
            probabilities = torch.stack([model(view).float().softmax(dim=1) for view in views]).mean(dim=0)
        parts.append(probabilities.double() / probabilities.double().sum(dim=1, keepdim=True))
    model.train(training)
    return torch.cat(parts).float().cpu().numpy()


def watch(
    faces: Faces, taxonomy: Taxonomy, *, device: torch.device, threshold: float | None = None
) -> Callable[[Task], dict[str, float]]:
    """A function that measures a task's averaged network on held-out training faces, for the metrics file.

    Args:
        faces: Held-out rows with labels.
        taxonomy: Classes.
        device: Where to compute.
        threshold: Also measure the pseudo-labels that this threshold would accept: acceptance and precision,
            overall and per predicted class, and each class's share among the accepted. Undefined values are
            left out.
    """
    targets = faces.manifest.class_indices()

    def measure(task: Task) -> dict[str, float]:
        probabilities = predict_probabilities(task.averaged, faces.images, device=device, flip=False)
        metrics = evaluate_predictions(probabilities, targets, taxonomy)
        found = {
            "held_out/accuracy": metrics.accuracy,
            "held_out/balanced_accuracy": metrics.balanced_accuracy,
            "held_out/macro_f1": metrics.macro_f1,
            "held_out/nll": metrics.nll,
        }
        if threshold is not None:
            found |= pseudo_label_quality(probabilities, targets, taxonomy, threshold)
        return found

    return measure


def pseudo_label_quality(
    probabilities: npt.NDArray[np.float32],
    targets: npt.NDArray[np.int64],
    taxonomy: Taxonomy,
    threshold: float,
) -> dict[str, float]:
    """How many pseudo-labels a threshold accepts and how many of those are right.

    Args:
        probabilities: (N, K) of the teacher.
        targets: (N,) true classes.
        taxonomy: Names of the K classes.
        threshold: Least confidence.

    Returns:
        ``held_out/acceptance``, ``precision``, and per predicted class ``acceptance/<label>``,
        ``precision/<label>`` and ``share/<label>``; precision is missing where nothing was accepted.
    """
    predicted, accepted = probabilities.argmax(axis=1), probabilities.max(axis=1) >= threshold
    right = predicted == targets
    found = {"held_out/acceptance": float(accepted.mean())}
    if accepted.any():
        found["precision"] = float(right[accepted].mean())
    for index, label in enumerate(taxonomy.labels):
        named = predicted == index
        taken = named & accepted
        if named.any():
            found[f"acceptance/{label}"] = float(taken.sum() / named.sum())
        if taken.any():
            found[f"precision/{label}"] = float(right[taken].mean())
        if accepted.any():
            found[f"share/{label}"] = float(taken.sum() / accepted.sum())
    return found
