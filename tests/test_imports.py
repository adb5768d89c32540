"""A user who only predicts installs no torch: light rooms must import without it."""

from __future__ import annotations

import subprocess
import sys

LIGHT = [
    "halfsmile",
    "halfsmile.cli.main",
    "halfsmile.taxonomy",
    "halfsmile.data.manifest",
    "halfsmile.data.images",
    "halfsmile.data.split",
    "halfsmile.data.samplers",
    "halfsmile.data.copies",
    "halfsmile.data.decode",
    "halfsmile.data.check.duplicates",
    "halfsmile.data.exchange.formats",
    "halfsmile.data.exchange.import_labels",
    "halfsmile.data.exchange.merge",
    "halfsmile.data.readers.affwild2",
    "halfsmile.data.readers.ferplus",
    "halfsmile.data.readers.parquet_images",
    "halfsmile.data.readers.recordio",
    "halfsmile.data.readers.registry",
    "halfsmile.data.readers.sequences",
    "halfsmile.data.readers.table",
    "halfsmile.data.check.stats",
    "halfsmile.data.store.read",
    "halfsmile.data.store.verify",
    "halfsmile.data.store.write",
    "halfsmile.data.windows",
    "halfsmile.data.readers.folder",
    "halfsmile.data.readers.class_folders",
    "halfsmile.data.synthetic",
    "halfsmile.faces.align",
    "halfsmile.faces.given_faces",
    "halfsmile.faces.mtcnn",
    "halfsmile.faces.quality",
    "halfsmile.faces.tracking.follow",
    "halfsmile.faces.tracking.shots",
    "halfsmile.faces.tracking.track",
    "halfsmile.faces.video.frames",
    "halfsmile.faces.video.writer",
    "halfsmile.faces.yunet",
    "halfsmile.evaluation.calibrate",
    "halfsmile.evaluation.abaw.metric",
    "halfsmile.evaluation.abaw.submission",
    "halfsmile.evaluation.abaw.submit",
    "halfsmile.evaluation.metrics",
    "halfsmile.sequences.metrics",
    "halfsmile.sequences.smoothing",
    "halfsmile.sequences.smoothing_choice",
    "halfsmile.sequences.smoothing_stream",
    "halfsmile.cli.data",
    "halfsmile.data.check.run",
    "halfsmile.faces.prepare.pipeline",
    "halfsmile.predict.explain",
    "halfsmile.predict.model",
    "halfsmile.predict.predictor",
    "halfsmile.predict.pseudo_labels.run",
    "halfsmile.utils.parallel.ray",
    "halfsmile.predict.run",
    "halfsmile.serve.run",
    "halfsmile.evaluation.selective",
    "halfsmile.evaluation.compare",
    "halfsmile.report.report",
]


PROGRAM = """
import importlib, sys

class Lacking:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "matplotlib", "sklearn"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Lacking())
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(module, "needs", error)
"""


def test_light_modules_import_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *LIGHT], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_others_are_named_with_what_they_lack() -> None:
    given = ["halfsmile.taxonomy", "halfsmile.training.run"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *given], capture_output=True, text=True)
    assert done.stdout == "halfsmile.training.run needs torch\n"
