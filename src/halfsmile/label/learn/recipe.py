"""The few-label recipe, in a process of its own: the face network fine-tuned on the labels so far.

What it learns from is written down when it begins, so that answers that come meanwhile change nothing, and a
recipe that was stopped goes on with the same faces::

    recipes/00012/about.json          what it is, the number of labels, whether it is finished
    recipes/00012/labels.parquet      the labels: faces that are kept apart are its test split
    recipes/00012/unlabeled.parquet   faces without labels, for Stage III; none that is kept apart
    recipes/00012/run/                the run folder
    recipes/00012/features/           what the exported model says of all faces

``finetune`` is Stage II alone (minutes), ``recipe`` goes on with Stage III on the faces without labels.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from halfsmile.utils.cpu import processors
from halfsmile.utils.files import read_json, write_json

FOLDER = "recipes"
MODULE = "halfsmile"
START = ("--init", "face", "--labels", "all")
"""Where it begins, and what it learns from."""
RecipeName = Literal["finetune", "recipe"]
WORDS: dict[str, str] = {
    "finetune": "fine-tuning",
    "semi": "learning from faces without labels",
    "export": "writing the model",
}
_PARTS = re.compile(r"(\w+): (\d+)/(\d+)")
_LEFT = re.compile(r"([\d.]+ (?:s|min|h)) left")
_LINES = 30
_ABOUT = "about.json"
STOPPED = "The recipe was stopped; asked for again, it goes on."


class RecipeError(ValueError):
    """The recipe ended without a model."""


@dataclass(frozen=True)
class Prepared:
    """A recipe that was begun.

    Args:
        folder: Where all of it lies.
        what: ``finetune`` or ``recipe``.
        number: Of the training, as heads are numbered.
        labels: Labels that it learns from.
        answers: Faces answered when it was begun.
        finished: Whether its model has looked at all faces.
        stopped: Why it ended before, in a sentence; empty where it didn't.
        refused: Whether that is because its model is worse than the one before.
    """

    folder: Path
    what: RecipeName
    number: int
    labels: int
    answers: int
    finished: bool = False
    stopped: str = ""
    refused: bool = False

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "run"

    @property
    def model(self) -> Path:
        """The exported model."""
        return self.run / "export" / "model.onnx"

    @property
    def features(self) -> str:
        """Where its features lie, below the folder of the answers."""
        return f"{FOLDER}/{self.folder.name}/features"

    @property
    def labels_list(self) -> Path:
        """The labels."""
        return self.folder / "labels.parquet"

    @property
    def unlabeled_list(self) -> Path:
        """The faces without labels."""
        return self.folder / "unlabeled.parquet"

    def save(self, *, finished: bool | None = None, stopped: str = "", refused: bool = False) -> Prepared:
        """Write it down, perhaps with its end."""
        now = replace(
            self,
            finished=self.finished if finished is None else finished,
            stopped=" ".join(stopped.split()),
            refused=refused,
        )
        about = asdict(now)
        del about["folder"]
        write_json(self.folder / _ABOUT, about)
        return now


def all_prepared(out: Path) -> list[Prepared]:
    """The recipes of a folder of answers, oldest first; what is damaged is passed over."""
    found: list[Prepared] = []
    for path in sorted((out / FOLDER).glob(f"*/{_ABOUT}")):
        try:
            found.append(Prepared(folder=path.parent, **read_json(path)))
        except (ValueError, TypeError):
            continue
    return found


def newest_finished(out: Path) -> Prepared | None:
    """The newest recipe whose model has looked at all faces, if it is still there."""
    done = [recipe for recipe in all_prepared(out) if recipe.finished and recipe.model.is_file()]
    return done[-1] if done else None


def commands(recipe: Prepared) -> list[list[str]]:
    """What is run, one after the other; anybody could type it."""
    stages = (
        ["--last-stage", "finetune"]
        if recipe.what == "finetune"
        else ["--unlabeled", str(recipe.unlabeled_list)]
    )
    train = ["train", "ssfer", "--data", str(recipe.labels_list), *stages]
    return [
        [*train, *START, "--threads", str(max(1, processors() - 1)), "--out", str(recipe.run)],
        ["export", str(recipe.run)],
    ]


def run_recipe(recipe: Prepared, progress: Callable[[str, float], None], stop: threading.Event) -> Path:
    """Train and export; minutes to hours on a processor.

    Args:
        recipe: What was prepared; where its run is there already, it goes on.
        progress: Told in words what is running and for how long, and the share of that part that is done.
        stop: Ends the process at hand, which keeps its checkpoint.

    Returns:
        The exported model.

    Raises:
        RecipeError: If it was stopped, or with what a command said.
    """
    for arguments in commands(recipe):
        progress(WORDS.get(arguments[0], "beginning"), 0.0)
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "halfsmile.label.learn.attached", MODULE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        ) as process:
            waiter = threading.Thread(target=_end, args=(process, stop), daemon=True)
            waiter.start()
            said: list[str] = []
            for line in process.stdout or ():
                said = [*said, line.strip()][-_LINES:]
                if (parts := _PARTS.search(line)) and int(parts[3]) and parts[1] in WORDS:
                    left = _LEFT.search(line)
                    words = f"{WORDS[parts[1]]}, {left[1]} left" if left else WORDS[parts[1]]
                    progress(words, min(1.0, int(parts[2]) / int(parts[3])))
        if stop.is_set():
            raise RecipeError(STOPPED)
        if process.returncode:
            errors = [line for line in said if line.startswith("error:")] or [line for line in said if line]
            raise RecipeError(
                f"halfsmile {' '.join(arguments)}: {errors[-1] if errors else 'it was killed.'}"
            )
    if not recipe.model.is_file():
        raise RecipeError(f"{recipe.run} has no exported model.")
    return recipe.model


def _end(process: subprocess.Popen[str], stop: threading.Event) -> None:
    """Ask a process to stop when it is wanted; see :mod:`halfsmile.label.learn.attached`."""
    while process.poll() is None:
        if stop.wait(0.2):
            if process.stdin is not None:
                process.stdin.close()
            return
