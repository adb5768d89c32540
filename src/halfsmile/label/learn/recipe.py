"""The whole few-label recipe, in processes of their own: the face network fine-tuned on the labels.

``halfsmile train supervised --init face`` on the folder of the answers: it trains on the split ``train`` and
never sees the faces that are kept apart to measure. The exported model then makes new features for the head.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_PARTS = re.compile(r"(\d+)/(\d+)")
_LINES = 30


class RecipeError(ValueError):
    """The recipe ended without a model."""


def commands(data: Path, run: Path) -> list[list[str]]:
    """What is run, one after the other.

    Args:
        data: Folder of the answers.
        run: Folder of the run.
    """
    train = [
        "train",
        "supervised",
        "--init",
        "face",
        "--data",
        str(data),
        "--labels",
        "all",
        "--out",
        str(run),
    ]
    return [train, ["evaluate", str(run)], ["export", str(run)]]


def run_recipe(data: Path, run: Path, progress: Callable[[str, float], None], stop: threading.Event) -> Path:
    """Train, evaluate and export; minutes on a processor.

    Args:
        data: Folder of the answers, with its table written.
        run: Folder of the run; where it is there already, the run goes on.
        progress: Told what is running and the share of it that is done.
        stop: Ends the process at hand.

    Returns:
        The exported model.

    Raises:
        RecipeError: With the last line that a command said.
    """
    for arguments in commands(data, run):
        progress(arguments[0], 0.0)
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "halfsmile", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            waiter = threading.Thread(target=_end, args=(process, stop), daemon=True)
            waiter.start()
            said: list[str] = []
            for line in process.stdout or ():
                said = [*said, line.strip()][-_LINES:]
                if (parts := _PARTS.search(line)) and int(parts[2]):
                    progress(arguments[0], min(1.0, int(parts[1]) / int(parts[2])))
        if stop.is_set():
            raise RecipeError("The recipe was stopped; asked again, it goes on.")
        if process.returncode:
            errors = [line for line in said if line.startswith("error:")] or [line for line in said if line]
            raise RecipeError(
                f"halfsmile {' '.join(arguments)}: {errors[-1] if errors else 'it was killed.'}"
            )
    model = run / "export" / "model.onnx"
    if not model.is_file():
        raise RecipeError(f"{run} has no exported model.")
    return model


def _end(process: subprocess.Popen[str], stop: threading.Event) -> None:
    """End a process when it is wanted."""
    while process.poll() is None:
        if stop.wait(0.2):
            process.terminate()
            return
