"""Speed of 3×3 convolutions by Winograd's products against torch's own, forward and backward.

Both sides in turn in one process, float32, on the maps of the preset ``cpu`` (48 px, 32 px at first). Layers
of less than 64 channels, where the ratio is below one, are left to torch.

    python benchmarks/convolutions.py --threads 1
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import tyro
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from halfsmile.models.winograd import Winograd
from halfsmile.training.environment import reuse_freed_memory
from halfsmile.utils.console import make_console

LAYERS = ((32, 24), (64, 12), (128, 6), (256, 3), (64, 8), (128, 4), (256, 2))
"""Channels in and out, and side of the map."""


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        threads: Processor cores to use.
        batch_size: Maps at once.
        rounds: Alternations; the median counts.
    """

    threads: int = 1
    batch_size: int = 64
    rounds: int = 9


def seconds(convolve: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor) -> float:
    """Time of one pass forward and backward."""
    x.grad = weight.grad = None
    start = time.perf_counter()
    y = convolve(x, weight)
    torch.autograd.backward(y, torch.ones_like(y))
    return time.perf_counter() - start


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    reuse_freed_memory()
    table = Table(title=f"3×3 convolutions, {options.batch_size} maps, {options.threads} threads, float32")
    for column in ("channels", "side", "Winograd, ms", "torch, ms", "ratio", "largest difference"):
        table.add_column(column, justify="right")
    for channels, side in LAYERS:
        x = torch.randn(options.batch_size, channels, side, side).to(memory_format=torch.channels_last)
        weight = (torch.randn(channels, channels, 3, 3) / channels).to(memory_format=torch.channels_last)
        x.requires_grad_()
        weight.requires_grad_()
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(seconds(Winograd.apply, x, weight))
            theirs.append(seconds(lambda x, w: F.conv2d(x, w, padding=1), x, weight))
        with torch.no_grad():
            expected = F.conv2d(x, weight, padding=1)
            difference = (Winograd.apply(x, weight) - expected).abs().max() / expected.abs().max()
        fast, slow = statistics.median(ours), statistics.median(theirs)
        table.add_row(
            str(channels),
            str(side),
            f"{1000 * fast:.1f}",
            f"{1000 * slow:.1f}",
            f"{slow / fast:.2f}",
            f"{float(difference):.0e}",
        )
    make_console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
