"""A user who only predicts installs no torch: light rooms must import without it."""

from __future__ import annotations

import subprocess
import sys

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
    given = ["halfsmile.taxonomy", "halfsmile.train.run"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *given], capture_output=True, text=True)
    assert done.stdout == "halfsmile.train.run needs torch\n"
