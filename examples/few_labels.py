"""A few labels and many faces without: what the unlabeled ones add, and a model to use afterwards.

The same small network is trained twice on your faces: on a handful of labels alone, and by the stages of
SSFER on the same labels and all other faces. Both are evaluated on the test faces and compared; the second
one gets a report, is exported with calibrated confidence, and says what a picture shows.

Needs the extra ``export``, and faces in folders, ``train/LABEL/*.jpg`` and ``test/LABEL/*.jpg``. Without them
it draws people who do not exist. Two cores take about two minutes. Stopped with Ctrl-C, the same command
goes on.

    python examples/few_labels.py
    python examples/few_labels.py --data my_faces --unlabeled more_faces.zip --labels 20 --out runs/mine
"""

from __future__ import annotations

import sys
from pathlib import Path

import tyro

import halfsmile
from halfsmile.data.synthetic import write_data_set
from halfsmile.evaluation.compare import compare
from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.recipes.config import Preset
from halfsmile.utils.console import make_console
from halfsmile.utils.errors import StopRequestedError


def main(
    data: Path | None = None,
    unlabeled: tuple[Path, ...] = (),
    labels: str = "10",
    picture: Path | None = None,
    preset: Preset = "tiny",
    settings: tuple[str, ...] = (),
    draw: int = 4800,
    out: Path = Path("runs/few_labels"),
) -> None:
    """Train with and without unlabeled faces, compare, report, export, and name a picture.

    Args:
        data: Folder with train/LABEL/ and test/LABEL/.
        unlabeled: Folders or archives of more faces.
        labels: How many to learn from: 10 of each class, or a share as 10%.
        picture: Whose faces are named at the end; some test faces by default.
        preset: Size of the network and of the training.
        settings: Fields of the recipe to replace, such as finetune.epochs=10.
        draw: Number of faces to draw where none are given.
        out: Where everything goes.
    """
    console = make_console()

    # 1. The faces. Half of the drawn ones have no label, and of most others the label is not used.
    if data is None:
        drawn, begun = out / "drawn", out / "begun"
        if not drawn.exists():
            console.print(f"Drawing {draw:,} faces of people who do not exist …")
            write_data_set(begun, train=draw // 4, test=draw // 4, unlabeled=draw // 2, difficulty=0.3)
            begun.rename(drawn)
        data, unlabeled = drawn / "labeled", (drawn / "unlabeled.zip",)

    # 2. Cut each face out by eyes, nose and mouth: the finished model is shown faces cut like this, so it
    #    must learn from faces cut like this. Labels and splits come along.
    store, more = out / "labeled", out / "unlabeled"
    prepare([data], store, layout="class_folders").render(console)
    if unlabeled:
        prepare(unlabeled, more, layout="folder").render(console)

    # 3. Train. The budget is drawn by the seed, so both learn from the same labels. SSFER takes all other
    #    faces as well: it pre-trains on them, and at the end an averaged teacher names them.
    baseline = halfsmile.train(
        "supervised",
        preset=preset,
        data=store,
        labels=labels,
        settings=[text for text in settings if text.startswith("finetune.")],
        out=out / "supervised",
    )
    ssfer = halfsmile.train(
        "ssfer",
        preset=preset,
        data=store,
        unlabeled=[more] if unlabeled else [],
        labels=labels,
        settings=settings,
        out=out / "ssfer",
    )

    # 4. Compare on the same test faces, with an interval around the difference.
    for run in (baseline, ssfer):
        run.evaluate()
    compare([baseline.path, ssfer.path]).render(console)
    console.print(f"Report: {ssfer.report()}", soft_wrap=True)

    # 5. Export: an ONNX file that needs no torch and says how sure it is. A twentieth of the training faces,
    #    whose labels trained nothing, calibrates it.
    console.print(f"Model: {ssfer.export().folder / 'model.onnx'}", soft_wrap=True)

    # 6. Use it: on a picture of yours, or on the first test face of each class.
    classes = sorted((data / "test").iterdir())
    pictures = [picture] if picture else [path for name in classes for path in sorted(name.glob("*.*"))[:1]]
    for face in ssfer.predictor().predict_many(pictures):
        if isinstance(face, halfsmile.NoFace):
            console.print(f"{face.source}: {face.reason}", soft_wrap=True)
            continue
        likely = sorted(face.probabilities.items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{label} {share:.0%}" for label, share in likely)
        console.print(f"{face.source}: {shares}{' (uncertain)' if face.uncertain else ''}", soft_wrap=True)


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except (KeyboardInterrupt, StopRequestedError):
        sys.exit(130)
