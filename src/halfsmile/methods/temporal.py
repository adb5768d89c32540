"""Stage IV: cross-entropy on the labeled frames of windows, for any network over frames.

The source (arXiv 2403.11942) names a Temporal Encoder over the features of neighboring frames; the loss below
and its options are a reconstruction. Frames without a label (transitions), without a face, and padding are
left out of the loss. Some frames are hidden from the network and keep their loss: their label must come from
their neighbors, which is what a blurred or covered face needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from halfsmile.methods.semi import over_processes
from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.models.temporal.encoder import TemporalNetwork


@dataclass(frozen=True, kw_only=True)
class WindowBatch(Batch):
    """Windows of one step; ``images`` holds the features of the frames in place of their pixels.

    Args:
        images: (B, T, F) float, features of the frames; anything where ``present`` is False.
        times: (B, T) float64, seconds.
        present: (B, T) bool, False where there is no face and for padding.
        labels: (B, T) int64, class indices; negative where there is no label.
    """

    times: Tensor
    present: Tensor
    labels: Tensor


class TemporalTask(Task):
    """Windows of frames to classes.

    Args:
        model: Network over frames.
        smoothing: Label smoothing.
        class_weights: (classes,) weight of each class in the mean over frames; None weighs frames alike.
        hide: Chance of a frame to be hidden from the network, in [0, 1).
        noise: Standard deviation of the noise added to standardized features.
        ema_decay: Decay of the averaged weights, which are evaluated and kept; None for no average.

    Raises:
        ValueError: If there is not one finite, non-negative weight per class, or ``hide`` or ``noise`` is out
            of its range.
    """

    class_weights: Tensor | None
    model: TemporalNetwork

    def __init__(
        self,
        model: TemporalNetwork,
        *,
        smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        hide: float = 0.0,
        noise: float = 0.0,
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(model, ema_decay=ema_decay)
        if not 0 <= hide < 1 or noise < 0:
            raise ValueError(f"hide must lie in [0, 1) and noise be at least 0, found {hide} and {noise}.")
        if class_weights is not None and (
            class_weights.shape != (model.classes,)
            or not class_weights.isfinite().all()
            or class_weights.min() < 0
        ):
            raise ValueError(
                f"Expected {model.classes} finite weights of at least 0, found {class_weights.tolist()}."
            )
        self.smoothing = smoothing
        self.hide = hide
        self.noise = noise
        self.register_buffer("class_weights", class_weights, persistent=False)

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Mean loss over the frames of all processes that have a face and a label; 0 if there is none."""
        if not isinstance(batch, WindowBatch):
            raise ValueError(f"Stage IV trains on windows of frames, found a {type(batch).__name__}.")
        features, present = batch.images, batch.present
        device = features.device
        counted = present & (batch.labels >= 0)
        if self.noise:
            scale = self.noise * self.model.feature_std
            features = features + scale * torch.randn(features.shape, generator=generator, device=device)
        if self.hide:
            present = present & (torch.rand(present.shape, generator=generator, device=device) >= self.hide)
        logits = self.model(features, batch.times, present).float()
        labels = batch.labels[counted]
        weights = self.class_weights
        own = counted.sum().float() if weights is None else weights[labels].sum()
        total = over_processes(own[None])
        if not counted.any():
            return StepResult(0.0 * logits.sum(), {"frames": counted.sum().float()})
        logits = logits[counted]
        losses = F.cross_entropy(
            logits, labels, weight=weights, label_smoothing=self.smoothing, reduction="sum"
        )
        loss = losses / total.mean().clamp(min=torch.finfo(total.dtype).tiny)
        right = (logits.detach().argmax(dim=1) == labels).float().mean()
        return StepResult(loss, {"accuracy": right, "frames": counted.sum().float()})


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Class weights (classes,) inversely proportional to frequency, 0 for classes that do not occur.

    Each class that occurs has the same total weight, and the mean weight of a labeled frame is 1.

    Args:
        labels: Class indices of any shape; negative ones are not counted.
        classes: Number of classes.

    Raises:
        ValueError: If there is no label.

    Example:
        >>> balanced_weights(torch.tensor([0, 0, 0, 1, -1]), 3).tolist()
        [0.6666666865348816, 2.0, 0.0]
    """
    counts = torch.bincount(labels[labels >= 0], minlength=classes).float()
    if not counts.sum():
        raise ValueError("There is no labeled frame to weigh classes by.")
    weights = counts.sum() / (counts.clamp(min=1) * (counts > 0).sum())
    return torch.where(counts > 0, weights, 0.0)
