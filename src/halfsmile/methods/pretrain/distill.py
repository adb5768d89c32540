"""Stage I by distillation: a small network learns to say what a teacher's middle map and feature say.

FitNets (arXiv 1412.6550, equation 3): small readers turn the student's map at its patch grid and its feature
into the teacher's, of plain faces. Masking alone hardly helps small networks (TinyMIM, arXiv 2301.01296); a
teacher that has seen many faces does. With z the teacher's numbers, standardized over all faces, m those of
the map, pooled to G x G, and e those of the feature:

    L = η · ½ ( mean (r_m(map(x)) − z_m)² + mean (r_e(feature(x)) − z_e)² ) + ρ · L_painted

The teacher has seen each face once, as it is, so the student sees it nearly so. L_painted is that of masked
reconstruction, in a view of its own, with ρ = 0 where nothing is painted. Of a teacher without maps only the
feature is matched, with η.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.methods.pretrain.mae import Autoencoder, MaeTask
from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.models.resnet import ResNet
from halfsmile.transforms.augment import Augment

NEAR = Augment(crop_scale=(0.9, 1.1), crop_ratio=(0.95, 1.05))
"""Faces nearly as they are."""


@dataclass(frozen=True)
class TeacherShape:
    """What a teacher says of a face: C · G² numbers of a map, then D of its feature.

    Args:
        channels: C; 0 where a teacher has no map.
        grid: G.
        width: D.
    """

    channels: int
    grid: int
    width: int

    @property
    def count(self) -> int:
        """All numbers of a face."""
        return self.channels * self.grid**2 + self.width


class Readers(nn.Module):
    """From a student's maps to a teacher's numbers, (B, count).

    Args:
        encoder: The student.
        shape: Of the teacher.
    """

    def __init__(self, encoder: ResNet, shape: TeacherShape) -> None:
        super().__init__()
        self.shape = shape
        with torch.no_grad():
            at_grid = encoder.config.widths[_stage_at_grid(encoder)]
        self.of_map = nn.Conv2d(at_grid, shape.channels, 1) if shape.channels else None
        self.of_feature = nn.Linear(encoder.config.width, shape.width)

    def forward(self, at_grid: Tensor, last: Tensor) -> Tensor:
        """Numbers (B, count) of the maps that :meth:`ResNet.maps` gives."""
        feature: Tensor = self.of_feature(last.mean(dim=(2, 3)))
        if self.of_map is None:
            return feature
        pooled = F.adaptive_avg_pool2d(self.of_map(at_grid), self.shape.grid)
        return torch.cat([pooled.flatten(1), feature], dim=1)


class _Student(nn.Module):
    """Keeps the encoder under the name that other stages look for."""

    def __init__(self, encoder: ResNet) -> None:
        super().__init__()
        self.encoder = encoder


class DistillTask(Task):
    """Pre-training step: what a teacher says of faces, and what is hidden of them if asked for.

    Args:
        encoder: The student, trained in place; ``task.model.encoder``.
        shape: Of the teacher.
        match: η, above 0.
        painter: Autoencoder around the same encoder; None paints nothing.
        paint: ρ of what it paints.
        augment: View of the faces that are painted.
        mask_ratio: Share of their hidden patches.
    """

    def __init__(
        self,
        encoder: ResNet,
        shape: TeacherShape,
        *,
        match: float = 1.0,
        painter: Autoencoder | None = None,
        paint: float = 1.0,
        augment: Augment = NEAR,
        mask_ratio: float = 0.6,
    ) -> None:
        super().__init__(painter if painter is not None else _Student(encoder))
        self.readers = Readers(encoder, shape)
        self.match = match
        self.paint = paint
        self.painting = None
        if painter is not None:
            self.painting = [
                MaeTask(painter, augment=augment, mask_ratio=mask_ratio)
            ]  # a list: not its child

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        """Loss of ``batch.images`` (B, C, H, W) uint8 with ``batch.features`` (B, count), standardized.

        Raises:
            ValueError: If there are no features.
        """
        if batch.features is None:
            raise ValueError("Distillation needs what the teacher says of the faces in each batch.")
        encoder: ResNet = self.model.encoder  # type: ignore[assignment]
        view = replace(NEAR, interpolation="bilinear")
        images = view(batch.images, out_size=encoder.config.image_size, generator=generator).images
        said = self.readers(*encoder.maps(images)).float()
        split = said.shape[1] - self.readers.shape.width
        errors = (said - batch.features).square()
        parts = {"map": errors[:, :split], "feature": errors[:, split:]}
        means = {name: part.mean() for name, part in parts.items() if part.shape[1]}
        loss = self.match * torch.stack(list(means.values())).mean()
        logs = {name: mean.detach() for name, mean in means.items()}
        if self.painting is not None:
            painted = self.painting[0].step(batch, generator).loss
            logs["painted"] = painted.detach()
            loss = loss + self.paint * painted
        return StepResult(loss, logs)


def _stage_at_grid(encoder: ResNet) -> int:
    """Index of the last stage whose map is at the patch grid."""
    return round(torch.tensor(encoder.config.patch_size).log2().item()) - 1
