"""A semi-supervised method of one's own, in this one file, against FixMatch on the same labels.

The idea: a pseudo-label shall count where the most probable class is well ahead of the second one,
p₁ − p₂ ≥ g, in place of FixMatch's p₁ ≥ τ. A method is a frozen dataclass of its hyper-parameters, which is
kept with the run, and a task, which is a torch module. Nothing of the package is edited: the recipe gets the
method as an object. Exact resuming, metrics for every class, evaluation, report and export work with it as
with any other, from Python and from the command line.

Needs the extra ``train``, and faces in folders, ``train/LABEL/*.jpg`` and ``test/LABEL/*.jpg``. Without them
it draws people who do not exist. Two cores take about two minutes. Stopped with Ctrl-C, the same command
goes on.

    python examples/new_method.py
    python examples/new_method.py --data my_faces --labels 5% --gap 0.3 --out runs/gap_of_mine
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import tyro
from torch import Tensor, nn

import halfsmile
from halfsmile import recipes
from halfsmile.data.synthetic import write_data_set
from halfsmile.evaluation.compare import compare
from halfsmile.methods import PseudoLabels, SemiSettings, SemiTask
from halfsmile.recipes.config import Preset
from halfsmile.utils.console import make_console
from halfsmile.utils.errors import StopRequestedError


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Hyper-parameters.

    Args:
        gap: g in [0, 1]; higher values accept fewer but purer pseudo-labels.
    """

    name: str = "gap"
    gap: float = 0.5

    def task(self, model: nn.Module, **settings: Unpack[SemiSettings]) -> GapTask:
        """The task that trains a classifier so."""
        return GapTask(model, self, **settings)


class GapTask(SemiTask):
    """Semi-supervised step that accepts by the gap.

    The base class makes the views, asks the averaged teacher, and adds the losses up. A method may override
    ``observe`` (statistics of each batch, kept as buffers), ``unlabeled_loss``, or all of ``step`` as well.
    """

    def __init__(self, model: nn.Module, method: Gap, **settings: Unpack[SemiSettings]) -> None:
        super().__init__(model, **settings)
        self.method = method

    def pseudo_label(self, logits: Tensor) -> PseudoLabels:
        """The most probable class by the teacher's logits (M, classes), accepted if it leads by the gap."""
        probabilities = logits.softmax(dim=1)
        best, labels = probabilities.topk(2, dim=1)
        accepted = best[:, 0] - best[:, 1] >= self.method.gap
        return PseudoLabels(probabilities, labels[:, 0], accepted.float())


def main(
    data: Path | None = None,
    labels: str = "20",
    gap: float = 0.5,
    preset: Preset = "tiny",
    settings: tuple[str, ...] = (),
    draw: int = 2000,
    out: Path = Path("runs/new_method"),
) -> None:
    """Train by FixMatch and by the method above, and compare them.

    Args:
        data: Folder with train/LABEL/ and test/LABEL/.
        labels: How many to learn from: 20 of each class, or a share as 10%.
        gap: See the method.
        preset: Size of the network and of the training.
        settings: Fields of the recipe to replace, such as semi.epochs=10.
        draw: Number of faces to draw where none are given.
        out: Where everything goes.
    """
    console = make_console()
    if data is None:
        drawn, begun = out / "drawn", out / "begun"
        if not drawn.exists():
            console.print(f"Drawing {draw:,} faces of people who do not exist …")
            write_data_set(begun, train=draw - draw // 4, test=draw // 4, unlabeled=0, difficulty=0.3)
            begun.rename(drawn)
        data = drawn / "labeled"

    # Only Stage III differs: by the same seed both learn from the same labels, and Stages I and II, which are
    # trained for each, end in the same bits.
    folders = []
    for recipe in (recipes.semi("fixmatch", preset), recipes.semi(Gap(gap=gap), preset)):
        run = halfsmile.train(recipe, data=data, labels=labels, settings=settings, out=out / recipe.name)
        run.evaluate()
        console.print(f"Report: {run.report()}", soft_wrap=True)
        folders.append(run.path)

    # What the teacher says of training faces whose labels were put aside to watch it, if there were enough.
    for folder in folders:
        lines = (folder / "semi" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        for last in [line for line in map(json.loads, lines) if "precision" in line][-1:]:
            accepted, right = last["held_out/acceptance"], last["precision"]
            console.print(
                f"{folder.name} accepts {accepted:.0%} of its labels, and {right:.0%} of them are right."
            )
    compare(folders).render(console)


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except (KeyboardInterrupt, StopRequestedError):
        sys.exit(130)
