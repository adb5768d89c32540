"""ONNX Runtime without its telemetry."""

from __future__ import annotations

import os
from typing import Any

SWITCH = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """The package ``onnxruntime``, told to keep to itself.

    Its builds of 2026 write an identifier of the device into the home folder and send events to their makers
    when they are loaded; the variable of the environment is read then, so it has to be set before. Processes
    that are started later inherit it.
    """
    os.environ.setdefault(SWITCH, "1")
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for older builds, those for Windows among them
    return onnxruntime
