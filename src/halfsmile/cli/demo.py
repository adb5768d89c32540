"""``halfsmile demo``: all stages on generated faces, beside a baseline that sees the same few labels only."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from halfsmile.utils.console import make_console

TRAIN, TEST, UNLABELED = 3000, 1000, 3000
DIFFICULTY = 0.3


@dataclass(frozen=True)
class Demo:
    """The whole idea on generated faces in a few minutes: all stages in small, a baseline, and a report.

    The stages learn from faces without labels, from a few labels, and from pseudo-labels: the sure answers of
    the model itself. The baseline has the few labels alone.

    Args:
        out: Where the generated faces and the run go.
        seed: Seed of faces and training.
    """

    out: Path = Path("runs/demo")
    seed: int = 0

    def run(self) -> None:
        """Generate, train, evaluate and report."""
        run_demo(self.out, seed=self.seed)


def run_demo(out: Path, *, seed: int = 0) -> Path:
    """Generate faces, train the baseline and all stages of SSFER, compare them, and write a report.

    Args:
        out: Folder for the faces and both runs; an interrupted demo goes on in it.
        seed: Of faces and training.

    Returns:
        The report.

    Raises:
        ValueError: If the folder holds something else.
        OSError: If it can't be written.
    """
    from halfsmile import api, recipes
    from halfsmile.data.synthetic import write_data_set
    from halfsmile.evaluation.compare import compare

    console = make_console()
    data = out / "faces"
    if not data.exists():
        console.print(f"Drawing {TRAIN + TEST + UNLABELED:,} faces of people who do not exist …")
        unfinished = out / ".faces"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_data_set(
            unfinished,
            train=TRAIN,
            test=TEST,
            unlabeled=UNLABELED,
            size=64,
            seed=seed,
            difficulty=DIFFICULTY,
            progress=True,
        )
        unfinished.rename(data)
    console.rule("baseline: the labeled tenth only")
    baseline = api.train(recipes.supervised("tiny"), data=data / "labeled", out=out / "baseline", seed=seed)
    baseline.evaluate()
    baseline.report()
    console.rule("ssfer: all three stages")
    ssfer = api.train(
        recipes.ssfer("tiny"),
        data=data / "labeled",
        unlabeled=[data / "unlabeled.zip"],
        out=out / "ssfer",
        seed=seed,
    )
    ssfer.evaluate()
    report = ssfer.report()
    compare([baseline.path, ssfer.path]).render(console)
    console.print(f"Report: {report}", soft_wrap=True)
    return report
