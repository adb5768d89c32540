"""A user who only predicts installs no torch: light rooms must import without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = [
    "halfsmile",
    "halfsmile.cli",
    "halfsmile.taxonomy",
    "halfsmile.data.manifest",
    "halfsmile.data.images",
    "halfsmile.data.split",
    "halfsmile.data.samplers",
    "halfsmile.data.readers.ferplus",
    "halfsmile.data.readers.folder",
    "halfsmile.data.readers.class_folders",
    "halfsmile.data.synthetic",
    "halfsmile.evaluate.metrics",
    "halfsmile.evaluate.compare",
    "halfsmile.evaluate.report",
]


@pytest.mark.parametrize("module", LIGHT)
def test_imports_without_torch(module: str) -> None:
    program = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'timm', 'matplotlib', 'sklearn'):\n"
        "    sys.modules[name] = None\n"
        f"import {module}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
