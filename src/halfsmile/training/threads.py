"""How many threads a training computes with: measured on a machine that others may be using, too.

Threads that wait for each other are slower than one where another program holds a processor. The order of
sums, and so the bits of the weights, depends on their number: a run that goes on keeps its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

GAIN = 1.1
"""More threads are taken where they are at least so many times as fast."""


@dataclass(frozen=True)
class ThreadChoice:
    """How many threads, and why.

    Args:
        threads: Of torch.
        reason: A sentence for people; None where there was nothing to choose.
    """

    threads: int
    reason: str | None


def choose_threads(
    most: int,
    *,
    asked: int | None = None,
    before: int | None = None,
    measure: Callable[[int], float] | None = None,
) -> ThreadChoice:
    """The asked number, that of a run which goes on, or the fewest that are about as fast as any.

    Args:
        most: Threads that torch would use by itself.
        asked: As the user says.
        before: Those that the run began with.
        measure: Seconds of a step with so many threads; :func:`step_seconds` if None.

    Raises:
        ValueError: If the asked number is below 1.
    """
    if asked is not None:
        if asked < 1:
            raise ValueError(f"--threads must be at least 1, found {asked}.")
        return ThreadChoice(asked, None)
    if before is not None:
        return ThreadChoice(before, None)
    counts = sorted({1, (most + 1) // 2, most})
    if len(counts) == 1:
        return ThreadChoice(most, None)
    measure = measure or step_seconds
    seconds = {count: measure(count) for count in counts}
    chosen = 1
    for count in counts[1:]:
        if seconds[chosen] / seconds[count] >= GAIN:
            chosen = count
    if chosen == most:
        return ThreadChoice(most, None)
    many = "thread is" if chosen == 1 else "threads are"
    times = seconds[most] / seconds[chosen]
    return ThreadChoice(
        chosen,
        f"{chosen} {many} taken: with {most} a step takes {times:.1f} times as long now, as on a machine "
        "that others use. --threads N sets another number.",
    )


def step_seconds(threads: int, *, budget: float = 0.4) -> float:
    """Mean time of convolutions and products of a training step with so many threads; torch keeps its own."""
    own = torch.get_num_threads()
    layers = nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.Flatten(), nn.Linear(12_800, 8)
    network = nn.Sequential(*layers)
    images = torch.randn(16, 16, 24, 24)

    def step() -> None:
        network(images).square().mean().backward()

    torch.set_num_threads(threads)
    try:
        step()
        done, start = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - start < budget:
            step()
            done += 1
        return (time.perf_counter() - start) / done
    finally:
        torch.set_num_threads(own)


def other_bits(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Why a run that goes on will not end in the bits of an unbroken one; None if it can.

    Args:
        before: The run's ``environment.json``.
        now: What it would say now.
    """
    names = {"threads": "threads", "device": "device", "processor": "processor", "processes": "processes"}
    changed = [
        f"{what} ({before[name]} / {now[name]})"
        for name, what in names.items()
        if before.get(name) is not None and before[name] != now.get(name)
    ]
    versions = before.get("packages") or {}, now.get("packages") or {}
    if versions[0].get("torch") and versions[0].get("torch") != versions[1].get("torch"):
        changed.append(f"torch ({versions[0]['torch']} / {versions[1].get('torch')})")
    if not changed:
        return None
    return (
        f"This run goes on otherwise than it began: {', '.join(changed)} (then / now). It ends as well, but "
        "not in the bits of an unbroken run."
    )
