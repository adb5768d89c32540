"""Nothing leaves the machine: a prediction writes no identifier of it into the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PREDICT = """
import numpy as np
from halfsmile import Predictor
Predictor().predict(np.zeros((64, 64, 3), np.uint8))
"""


def test_a_prediction_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", PREDICT], env={**kept, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_the_switch_is_set_before_the_package_is_loaded() -> None:
    program = (
        "import os; from halfsmile.utils.runtime import import_onnxruntime as load; load(); "
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
