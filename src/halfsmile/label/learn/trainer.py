"""Training in the background: the newest model, and what it said of every face."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfsmile.label.learn.features import Features
from halfsmile.label.learn.head import Head

Floats = npt.NDArray[np.float32]
FIRST = 8
"""Labels before the first training."""
MOST = 50
"""The largest number of new labels that a training waits for."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A head with what it says.

    Args:
        number: Counts trainings from 1.
        head: The head for whole features; its classes are those of the time.
        answers: Faces answered when it was trained.
        labels: Labels that it learned from.
        probabilities: (N, K) of all faces; 0 where a face has no features yet.
        sampled: Rows of labeled faces that were in folds, at this training or a little earlier.
        out_of_sample: (L, K) probabilities of those, from heads that had not learned from them.
        seconds: What the training took.
    """

    number: int
    head: Head
    answers: int
    labels: int
    probabilities: Floats
    sampled: npt.NDArray[np.int64]
    out_of_sample: Floats
    seconds: float


def due(labels: int) -> int:
    """After how many new labels the next training is worth it: a tenth more, 5 at least, 50 at most.

    Example:
        >>> due(0), due(40), due(200), due(2000)
        (8, 5, 20, 50)
    """
    return FIRST if labels < FIRST else min(MOST, max(5, labels // 10))


def predict_all(head: Head, features: Features) -> Floats:
    """Probabilities (N, K) of all faces by a head for reduced features; rows without features are 0."""
    found = head(features.reduced)
    if not features.known.all():
        found[~features.known] = 0
    return found


def save_head(folder: Path, number: int, head: Head, **more: Any) -> None:
    """Write a head as ``folder/head-00012.npz``."""
    from halfsmile.utils.files import atomic_write

    with atomic_write(folder / f"head-{number:05d}.npz") as path:
        np.savez(
            path,
            weight=head.weight,
            bias=head.bias,
            temperature=head.temperature,
            penalty=head.penalty,
            classes=np.array(head.classes, str),
            time=time.time(),
            **more,
        )


def load_head(path: Path) -> tuple[Head, dict[str, Any]]:
    """A head and what was saved with it.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with np.load(path) as saved:
            head = Head(
                saved["weight"],
                saved["bias"],
                float(saved["temperature"]),
                float(saved["penalty"]),
                tuple(saved["classes"].tolist()),
            )
            known = {"weight", "bias", "temperature", "penalty", "classes"}
            return head, {name: saved[name].item() for name in saved.files if name not in known}
    except (OSError, KeyError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a head written by halfsmile: {error}") from error
