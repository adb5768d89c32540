"""Speed of augmentation: one batched call against per-sample torchvision and timm pipelines.

All sides do the same work on the same pictures in one process, one after the other in every round: random
resized crop (bilinear), flip, for "strong" also two RandAugment operations that each take place half of the
time, and conversion to a float batch. Run `python benchmarks/augment.py --channels 1` for gray faces.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torchvision.transforms.v2 as T
import tyro
from rich.table import Table
from timm.data import transforms_factory
from torch import Tensor

from halfsmile.transforms.augment import STRONG, WEAK, Augment
from halfsmile.utils.console import make_console

Side = Callable[[], Tensor]

TIMM: Any = transforms_factory
POLICY = "rand-m9-mstd0.5-mmax9-inc1"  # levels above 9 can leave posterize no bit, which Pillow refuses


def ours(augment: Augment, images: Tensor) -> Side:
    """The whole batch at once."""
    generator = torch.Generator(images.device).manual_seed(0)
    return lambda: augment(images, generator=generator).images


def torchvision_side(augment: Augment, images: Tensor) -> Side:
    """Torchvision v2 on one uint8 tensor after the other."""
    steps: list[torch.nn.Module] = [
        T.RandomResizedCrop(
            images.shape[2], scale=augment.crop_scale, ratio=augment.crop_ratio, antialias=False
        ),
        T.RandomHorizontalFlip(augment.flip),
    ]
    for _ in range(augment.num_operations):
        steps.append(T.RandomApply([T.RandAugment(1, 9)], p=augment.operation_probability))
    transform = T.Compose([*steps, T.ToDtype(torch.float32, scale=True)])
    return lambda: torch.stack([transform(image) for image in images])


def timm_side(augment: Augment, images: Tensor) -> Side:
    """Timm's training transform on one Pillow picture after the other."""
    channels = images.shape[1]
    transform = TIMM.create_transform(
        images.shape[2],
        is_training=True,
        scale=augment.crop_scale,
        ratio=augment.crop_ratio,
        hflip=augment.flip,
        color_jitter=None,
        auto_augment=POLICY if augment.num_operations else None,
        interpolation="bilinear",
        mean=(0.5,) * channels,
        std=(1.0,) * channels,
    )
    pictures = [T.functional.to_pil_image(image) for image in images.cpu()]
    return lambda: torch.stack([transform(picture) for picture in pictures])


SIDES = {"halfsmile": ours, "torchvision v2": torchvision_side, "timm": timm_side}


def images_per_second(side: Side, batch: int, seconds: float) -> float:
    """Speed of repeated calls for about `seconds`."""
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        side()
        calls += 1
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return calls * batch / (time.perf_counter() - start)


def main(
    batch: int = 128,
    size: int = 64,
    channels: int = 3,
    rounds: int = 5,
    seconds: float = 0.3,
    device: str = "cpu",
) -> None:
    """Print images per second of every side, and how many times faster the batched call is.

    Args:
        batch: Pictures per batch.
        size: Height and width of the pictures, before and after.
        channels: 1 for gray, 3 for color.
        rounds: Rounds of which the median is shown.
        seconds: Time for each side in a round.
        device: Where the batched call runs; the others stay on the CPU for Pillow.
    """
    images = torch.nn.functional.interpolate(torch.rand(batch, channels, 8, 8), (size, size), mode="bicubic")
    images = images.clamp(0, 1).mul(255).to(torch.uint8)
    table = Table(
        title=f"Augmentation, {channels} x {size} x {size}, batch {batch}, {torch.get_num_threads()} threads"
    )
    for heading in ("pipeline", "side", "images/s", "slowest to fastest round", "halfsmile is faster by"):
        table.add_column(heading, justify="left" if heading in ("pipeline", "side") else "right")
    for pipeline, augment in {"weak": WEAK, "strong": STRONG}.items():
        sides = {
            name: make(augment, images.to(device) if make is ours else images) for name, make in SIDES.items()
        }
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        for side in sides.values():
            side()
        for _ in range(rounds):
            for name, side in sides.items():
                speeds[name].append(images_per_second(side, batch, seconds))
        median = {name: statistics.median(found) for name, found in speeds.items()}
        for name, found in speeds.items():
            table.add_row(
                pipeline,
                name,
                f"{median[name]:,.0f}",
                f"{min(found):,.0f} to {max(found):,.0f}",
                "" if name == "halfsmile" else f"{median['halfsmile'] / median[name]:.1f} x",
            )
        table.add_section()
    make_console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
