"""Stage II: FaceMix and its plainer relatives, on the labeled few.

SSFER (arXiv 2410.17622) mixes each face with its partner in the reversed batch and keeps both virtual and
real images in the loss; real images count more where the two faces overlap less:

    L = 1/N Σᵢ [ CE(f(x̃ᵢ), ỹᵢ) + (1 − IoUᵢ) (CE(f(xᵢ), yᵢ) + CE(f(x_{N−1−i}), y_{N−1−i})) ]

Partners are mutual, so the sum equals 1/N Σᵢ [ CE(f(x̃ᵢ), ỹᵢ) + 2 (1 − IoUᵢ) CE(f(xᵢ), yᵢ) ], which needs one
forward pass of the real images. The real images stay real (the public code mixes them in place), and the
boxes are those of the augmented crops, moved by the same matrix as the pixels. The batch is what one process
sees at a time: λ and partners are drawn within it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.transforms.augment import Augment

Mixing = Literal["facemix", "mixup", "cutmix", "none"]

FALLBACK_BOX = (25 / 224, 25 / 224, 220 / 224, 220 / 224)
"""Where a face is when no box is known: SSFER's (25, 25, 220, 220) of 224 pixels, as fractions."""


@dataclass(frozen=True)
class Mixed:
    """A batch mixed with itself reversed.

    Args:
        images: (B, C, H, W) virtual images.
        targets: (B, classes) their soft labels.
        iou: (B,) overlap of the two faces of each, in [0, 1].
    """

    images: Tensor
    targets: Tensor
    iou: Tensor


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes row by row: two (B, 4) xyxy to (B,) in [0, 1]; 0 for empty boxes."""
    top_left = torch.maximum(first[:, :2], second[:, :2])
    bottom_right = torch.minimum(first[:, 2:], second[:, 2:])
    overlap = (bottom_right - top_left).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (first, second)]
    return overlap / (areas[0] + areas[1] - overlap).clamp(min=1e-9)


def with_fallback(boxes: Tensor | None, *, batch: int, size: int, device: torch.device) -> Tensor:
    """Boxes (B, 4) with unknown rows replaced by :data:`FALLBACK_BOX` at this size.

    Args:
        boxes: (B, 4) xyxy in pixels, a row with NaN where unknown; None where all are.
        batch: B.
        size: Side of the images in pixels.
        device: Where the result shall be, and the boxes are.
    """
    fallback = torch.tensor(FALLBACK_BOX, device=device) * size
    if boxes is None:
        return fallback.repeat(batch, 1)
    return torch.where(boxes.isnan().any(dim=1, keepdim=True), fallback, boxes)


def smooth_targets(targets: Tensor, amount: float) -> Tensor:
    """Label smoothing: (1 − amount) · targets + amount / classes.

    Args:
        targets: (B, classes), each row a distribution; so is the result.
        amount: In [0, 1]; 0 changes nothing, 1 leaves uniform targets.
    """
    return targets * (1.0 - amount) + amount / targets.shape[1]


def mix_linear(images: Tensor, targets: Tensor, boxes: Tensor, amount: Tensor) -> Mixed:
    """Blend each image with its partner N − 1 − i: amount · xᵢ + (1 − amount) · x_{N−1−i}, and targets alike.

    Args:
        images: (B, C, H, W) float in [0, 1].
        targets: (B, classes), each row a distribution.
        boxes: (B, 4) faces in ``images``, xyxy in pixels, all known; see :func:`with_fallback`.
        amount: Scalar λ in [0, 1]; 1 leaves the batch as it is.

    Example:
        >>> images, targets = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8), torch.eye(2)
        >>> boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 8.0, 4.0]])
        >>> mixed = mix_linear(images, targets, boxes, torch.tensor(0.75))
        >>> mixed.images[:, 0, 0, 0].tolist(), mixed.targets.tolist(), mixed.iou.tolist()
        ([0.25, 0.75], [[0.75, 0.25], [0.25, 0.75]], [0.5, 0.5])
    """
    return Mixed(
        amount * images + (1 - amount) * images.flip(0),
        amount * targets + (1 - amount) * targets.flip(0),
        box_iou(boxes, boxes.flip(0)),
    )


def mix_cut(
    images: Tensor, targets: Tensor, boxes: Tensor, amount: Tensor, generator: torch.Generator
) -> Mixed:
    """CutMix (arXiv 1905.04899): paste a rectangle of the partner, of area 1 − amount; targets by area.

    Args:
        images: See :func:`mix_linear`, as for ``targets`` and ``boxes``.
        targets: (B, classes).
        boxes: (B, 4).
        amount: Scalar λ in [0, 1]; what the border cuts off the rectangle counts for the targets.
        generator: Draws the rectangle's middle, the same for the whole batch.
    """
    _, _, height, width = images.shape
    side = (1 - amount).clamp(min=0).sqrt()
    center = torch.rand(2, generator=generator, device=generator.device).to(images.device)
    y0, y1 = [int(v) for v in ((center[0] + s * side / 2) * height for s in (-1, 1))]
    x0, x1 = [int(v) for v in ((center[1] + s * side / 2) * width for s in (-1, 1))]
    y0, y1, x0, x1 = max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)
    mixed = images.clone()
    mixed[:, :, y0:y1, x0:x1] = images.flip(0)[:, :, y0:y1, x0:x1]
    kept = 1 - (y1 - y0) * (x1 - x0) / (height * width)
    return Mixed(mixed, kept * targets + (1 - kept) * targets.flip(0), box_iou(boxes, boxes.flip(0)))


def beta_sample(alpha: float, generator: torch.Generator) -> Tensor:
    """One draw of Beta(alpha, alpha), a scalar in [0, 1], by two Gamma draws from the generator.

    Args:
        alpha: Above 0; 1 is uniform, lower values draw nearer to 0 and 1.
        generator: The draw is on its device.
    """
    shape = torch.full((2,), alpha, device=generator.device)
    gammas = torch._standard_gamma(shape, generator=generator)
    return gammas[0] / gammas.sum().clamp(min=1e-12)


def facemix_loss(virtual: Tensor, real: Tensor, mixed: Mixed, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The two parts of FaceMix's loss, to be added: of the virtual faces, and of the real ones.

    Args:
        virtual: (B, classes) logits of ``mixed.images``.
        real: (B, classes) logits of the images that were mixed.
        mixed: Of :func:`mix_linear`.
        targets: (B, classes) of the real images, not smoothed.

    Returns:
        Two scalars: mean CE(f(x̃), ỹ), and mean 2 (1 − IoU) CE(f(x), y).
    """
    of_real = F.cross_entropy(real, targets, reduction="none")
    return F.cross_entropy(virtual, mixed.targets), (2 * (1 - mixed.iou) * of_real).mean()


class FineTuneTask(Task):
    """Supervised step on labeled faces.

    Args:
        model: Classifier: images (B, C, H, W) in [0, 1] to logits (B, classes).
        augment: View of the labeled faces.
        mixing: ``facemix`` (above), ``mixup`` or ``cutmix`` (virtual images only), or ``none``.
        alpha: λ of a batch is drawn from Beta(alpha, alpha).
        smoothing: Label smoothing of the targets of virtual images, and of ``none``.
        ema_decay: See :class:`Task`.

    Raises:
        ValueError: If ``mixing`` is unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        augment: Augment,
        mixing: Mixing = "facemix",
        alpha: float = 1.0,
        smoothing: float = 0.1,
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(model, ema_decay=ema_decay)
        if mixing not in get_args(Mixing):
            raise ValueError(f"Unknown mixing {mixing!r}; known are {list(get_args(Mixing))}.")
        self.augment = augment
        self.mixing = mixing
        self.alpha = alpha
        self.smoothing = smoothing

    def mix(self, images: Tensor, targets: Tensor, boxes: Tensor, generator: torch.Generator) -> Mixed:
        """Mix a batch of views with itself reversed, in the way that was chosen.

        Args:
            images: See :func:`mix_linear`, as for ``targets`` and ``boxes``.
            targets: (B, classes), smoothed here.
            boxes: (B, 4).
            generator: Of λ, and of CutMix's rectangle.
        """
        amount = beta_sample(self.alpha, generator).to(images.device)
        smoothed = smooth_targets(targets, self.smoothing)
        if self.mixing == "cutmix":
            return mix_cut(images, smoothed, boxes, amount, generator)
        return mix_linear(images, smoothed, boxes, amount)

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` with ``batch.targets``; ``batch.boxes`` may be None.

        Raises:
            ValueError: If there are no targets.
        """
        if batch.targets is None:
            raise ValueError("Fine-tuning needs a batch with targets; this one has none.")
        targets = batch.targets
        size = batch.images.shape[-1]
        boxes = with_fallback(batch.boxes, batch=len(targets), size=size, device=batch.images.device)
        views = self.augment(batch.images, boxes=boxes, generator=generator)
        if self.mixing == "none" or views.boxes is None:
            loss = F.cross_entropy(self.model(views.images).float(), smooth_targets(targets, self.smoothing))
            return StepResult(loss)
        mixed = self.mix(views.images, targets, views.boxes, generator)
        if self.mixing != "facemix":
            return StepResult(F.cross_entropy(self.model(mixed.images).float(), mixed.targets))
        logits = self.model(torch.cat([mixed.images, views.images])).float()
        virtual, real = logits.chunk(2)
        virtual_loss, real_loss = facemix_loss(virtual, real, mixed, targets)
        logs = {"virtual": virtual_loss.detach(), "real": real_loss.detach(), "iou": mixed.iou.mean()}
        return StepResult(virtual_loss + real_loss, logs)
