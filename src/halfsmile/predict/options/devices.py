"""What computes the expression model: the processor, or a device that this onnxruntime has a provider for.

Which devices there are depends on the build of onnxruntime that is installed (``onnxruntime-gpu`` for CUDA,
``onnxruntime-directml`` for Windows, the usual one for CoreML on a Mac), so it is asked when a model is
loaded.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2

from halfsmile.faces.detect import Detector, DetectorName
from halfsmile.faces.detect import detector as detector_named
from halfsmile.utils.cpu import processors
from halfsmile.utils.runtime import import_onnxruntime

DeviceName = Literal["auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "directml", "coreml", "openvino"]

CPU = "CPUExecutionProvider"
PROVIDERS: dict[str, str] = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
AUTOMATIC = ("cuda", "rocm", "migraphx", "directml")
"""What ``auto`` takes, the first that works; the others compile each model first or round otherwise."""
_PACKAGES = {
    "cuda": "pip install onnxruntime-gpu, in the place of onnxruntime",
    "tensorrt": "pip install onnxruntime-gpu, in the place of onnxruntime, and TensorRT",
    "directml": "pip install onnxruntime-directml, in the place of onnxruntime",
    "openvino": "pip install onnxruntime-openvino, in the place of onnxruntime",
}


def candidates(device: str) -> list[str]:
    """Devices to try one after the other, those that this onnxruntime has providers for.

    Args:
        device: A name of :data:`PROVIDERS`, or ``auto``.

    Raises:
        ValueError: If the name is unknown, or the device that was asked for has no provider.
    """
    if device != "auto" and device not in PROVIDERS:
        raise ValueError(f"device must be one of auto, {', '.join(PROVIDERS)}, found {device!r}.")
    onnxruntime = import_onnxruntime()
    there = [
        name for name, provider in PROVIDERS.items() if provider in onnxruntime.get_available_providers()
    ]
    if device == "auto":
        return [*(name for name in AUTOMATIC if name in there), "cpu"]
    if device not in there:
        way = f" To have it: {_PACKAGES[device]}." if device in _PACKAGES else ""
        raise ValueError(
            f"The device {device} was asked for, and this onnxruntime ({onnxruntime.__version__}) can use "
            f"{', '.join(there)} only.{way}"
        )
    return [device]


def device_of(session: Any) -> str:
    """The device that a session computes on, by the first of its providers."""
    first = session.get_providers()[0]
    return next((name for name, provider in PROVIDERS.items() if provider == first), str(first))


def open_detector(name: DetectorName, threads: int | None = None) -> Detector:
    """A detector that computes in so many threads; None for one for each processor.

    Raises:
        ValueError: If it can't be had.
    """
    if threads is not None:
        cv2.setNumThreads(threads)
    return detector_named(name, threads=threads or processors())
