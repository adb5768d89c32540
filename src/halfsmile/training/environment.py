"""Versions and machine, for reproducing a run, and the memory that it took."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import torch


def environment(device: torch.device, **more: Any) -> dict[str, Any]:
    """What ``environment.json`` says.

    Args:
        device: Where training computes.
        more: Further plain values to keep beside.
    """
    packages = ("halfsmile", "torch", "torchvision", "numpy", "opencv-python-headless", "safetensors")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
        **more,
    }


def processor_name() -> str:
    """Model and capability of the processor, as far as the system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def peak_memory() -> int:
    """Largest memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
