"""Pictures that a stage leaves for people: what was hidden and painted, and what was mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halfsmile.data.images import DecodedFaces
from halfsmile.methods.facemix import FineTuneTask, with_fallback
from halfsmile.methods.pretrain.mae import Autoencoder, random_masking
from halfsmile.transforms.pixels import to_tensor
from halfsmile.utils.pictures import facemix_grid, reconstruction_grid, write_png


def to_pictures(images: Tensor) -> npt.NDArray[np.uint8]:
    """(N, C, S, S) float in [0, 1] to (N, S, S, C) uint8."""
    scaled = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


@torch.no_grad()
def show_reconstructions(model: Autoencoder, images: Tensor, mask_ratio: float, path: Path) -> None:
    """Write a grid of faces, their masked versions and the autoencoder's completions.

    Args:
        model: A trained autoencoder on the CPU.
        images: (N, C, S, S) uint8.
        mask_ratio: Share of hidden patches.
        path: Where the PNG goes.
    """
    model.eval()
    faces = images.float() / 255
    generator = torch.Generator().manual_seed(0)
    masking = random_masking(len(faces), model.encoder.config.num_patches, mask_ratio, generator)
    masked, completed = model.reconstruct(faces, masking)
    write_png(path, reconstruction_grid(to_pictures(faces), to_pictures(masked), to_pictures(completed)))


def show_mixes(task: FineTuneTask, faces: DecodedFaces, targets: Tensor, seed: int, path: Path) -> None:
    """Write a grid of mixed faces with their boxes, overlaps and the weight of the real images.

    Args:
        task: Its views and mixing are shown.
        faces: Labeled faces.
        targets: (N, classes).
        seed: Of the draw.
        path: Where the PNG goes.
    """
    count = min(8, len(faces)) // 2 * 2
    if count < 2:
        return
    rows = np.random.default_rng(seed).choice(len(faces), size=count, replace=False)
    generator = torch.Generator().manual_seed(seed)
    images = to_tensor(faces.images[rows])
    known = torch.from_numpy(faces.boxes[rows])
    boxes = with_fallback(known, batch=count, size=images.shape[-1], device=images.device)
    views = task.augment(images, boxes=boxes, generator=generator)
    if views.boxes is None:
        raise AssertionError("augmentation returns the boxes that it is given")
    mixed = task.mix(views.images, targets[torch.from_numpy(rows)], views.boxes, generator)
    half, weight = count // 2, (2 * (1 - mixed.iou)).numpy()
    grid = facemix_grid(
        to_pictures(views.images)[:half],
        to_pictures(views.images.flip(0))[:half],
        to_pictures(mixed.images)[:half],
        views.boxes.numpy()[:half],
        views.boxes.flip(0).numpy()[:half],
        mixed.iou.numpy()[:half],
        weight[:half] if task.mixing == "facemix" else np.zeros(half),
    )
    write_png(path, grid)
