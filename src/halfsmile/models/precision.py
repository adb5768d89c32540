"""Which number format trains faster on this machine: measured, not guessed."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class PrecisionChoice:
    """Outcome of the measurement.

    Args:
        precision: The format to train in.
        gain: Speed of bfloat16 over float32 in matrix products; 1.0 where nothing was measured.
        reason: One sentence for people.
    """

    precision: Precision
    gain: float
    reason: str


@functools.cache
def _seconds(dtype: torch.dtype, device: torch.device, budget: float) -> float:
    """Seconds that a product takes; measured once, so that all runs of a process train in one format."""
    rows, inner = (512, 256) if device.type == "cpu" else (4096, 4096)  # more than a GPU's time to start
    left = torch.ones(rows, inner, dtype=dtype, device=device)
    right = torch.ones(inner, rows, dtype=dtype, device=device)

    def product() -> None:
        _ = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()

    product()
    runs, start = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - start < budget:
        product()
        runs += 1
    return (time.perf_counter() - start) / runs


def choose_precision(device: torch.device, *, seconds: float = 1.0) -> PrecisionChoice:
    """Time matrix products of a Transformer's size in both formats; take bfloat16 if it is 1.3 times as fast.

    Small layers gain less than large products do, hence the margin. Processors without bf16 units emulate it,
    many times slower.

    Args:
        device: Where training will run.
        seconds: Time to spend.
    """
    if device.type == "mps":
        return PrecisionChoice("float32", 1.0, "on mps float32 is trained in")
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return PrecisionChoice("float32", 1.0, "this GPU has no bf16 units")
    half = seconds / 2
    gain = _seconds(torch.float32, device, half) / _seconds(torch.bfloat16, device, half)
    chosen: Precision = "bfloat16" if gain >= 1.3 else "float32"
    reason = f"matrix products are {gain:.2f} times as fast in 16 bits here as in 32"
    return PrecisionChoice(chosen, gain, reason)
