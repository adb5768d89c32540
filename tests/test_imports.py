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
    "halfsmile.data.copies",
    "halfsmile.data.decode",
    "halfsmile.data.duplicates",
    "halfsmile.data.exchange",
    "halfsmile.data.import_labels",
    "halfsmile.data.merge",
    "halfsmile.data.readers.affwild2",
    "halfsmile.data.readers.ferplus",
    "halfsmile.data.readers.parquet_images",
    "halfsmile.data.readers.recordio",
    "halfsmile.data.readers.registry",
    "halfsmile.data.readers.sequences",
    "halfsmile.data.readers.table",
    "halfsmile.data.stats",
    "halfsmile.data.store",
    "halfsmile.data.store_verify",
    "halfsmile.data.store_writer",
    "halfsmile.data.windows",
    "halfsmile.data.readers.folder",
    "halfsmile.data.readers.class_folders",
    "halfsmile.data.synthetic",
    "halfsmile.faces.align",
    "halfsmile.faces.given",
    "halfsmile.faces.mtcnn",
    "halfsmile.faces.quality",
    "halfsmile.faces.shots",
    "halfsmile.faces.track",
    "halfsmile.faces.video",
    "halfsmile.faces.video_writer",
    "halfsmile.faces.yunet",
    "halfsmile.evaluate.calibrate",
    "halfsmile.evaluate.abaw",
    "halfsmile.evaluate.abaw_submission",
    "halfsmile.evaluate.abaw_submit",
    "halfsmile.evaluate.metrics",
    "halfsmile.evaluate.sequences",
    "halfsmile.evaluate.smoothing",
    "halfsmile.evaluate.smoothing_choice",
    "halfsmile.evaluate.smoothing_stream",
    "halfsmile.commands.data",
    "halfsmile.data.check",
    "halfsmile.faces.prepare",
    "halfsmile.predict.explain",
    "halfsmile.predict.model",
    "halfsmile.predict.predictor",
    "halfsmile.predict.pseudo_label",
    "halfsmile.ray_pool",
    "halfsmile.predict.run",
    "halfsmile.serve.run",
    "halfsmile.evaluate.selective",
    "halfsmile.evaluate.compare",
    "halfsmile.evaluate.report",
]


@pytest.mark.parametrize("module", LIGHT)
def test_imports_without_torch(module: str) -> None:
    program = (
        "import sys\n"
        "class Lacking:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] in ('torch', 'torchvision', 'timm', 'matplotlib', 'sklearn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Lacking())\n"
        f"import {module}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
