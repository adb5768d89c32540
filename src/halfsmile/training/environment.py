"""Versions and machine, for reproducing a run, and the memory of the process."""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from halfsmile.utils.cpu import processors

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


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
        "cores": processors(),
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


def reuse_freed_memory() -> bool:
    """Let glibc reuse the memory of freed tensors instead of returning it to the system.

    By default every large buffer is returned when a tensor is freed, and each training step pays for fresh
    pages, zeroed by the kernel: some 20,000 page faults for 64 small faces, 5 to 10 % of a CPU's time.

    Lasts as long as the process; the process then stays as large as its largest moment was.

    Returns:
        Whether it took effect; False where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1))
