"""How many processors this process may use."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path, PurePosixPath


def processors() -> int:
    """Processors that this process may use: those it may run on, and no more than its container has time for.

    A container often gets the time of two processors on a machine of sixty-four (``docker run --cpus=2``) and
    may run on any of them; sixty-four threads would then stand in each other's way.
    """
    return max(1, math.ceil(min(_runnable(), _quota())))


def _runnable() -> int:
    """Processors that the scheduler may run this process on."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota(root: Path = Path("/")) -> float:
    """Processors whose time the control groups of this process have; infinite where nothing says.

    Version 2 only (https://docs.kernel.org/admin-guide/cgroup-v2.html): ``cpu.max`` holds the microseconds of
    each period, or ``max``, and the period's own; a group has no more than those it is in.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    smallest = math.inf
    for group in (PurePosixPath(line.removeprefix("0::/")) for line in lines if line.startswith("0::/")):
        for path in (group, *group.parents):
            try:
                time, period = (root / "sys/fs/cgroup" / path / "cpu.max").read_text("utf-8").split()
                smallest = min(smallest, float(time.replace("max", "inf")) / float(period))
            except (OSError, ValueError):
                continue  # the uppermost group of a machine has no such file
    return smallest
