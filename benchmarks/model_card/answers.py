"""Answers of a model on the sets of the card, kept, so that each face is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.real_faces import LEAST, RealFaces, press, sequences, spoiled, studio

from halfsmile.data.manifest import Manifest
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.evaluation.face_answers import answer_faces
from halfsmile.evaluation.labeled_rows import labeled_rows
from halfsmile.faces.detect import detector
from halfsmile.predict.model import ExpressionModel
from halfsmile.utils.files import atomic_write

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PUBLIC, PRIVATE = "PublicTest", "PrivateTest"
REAL = {"press": press, "studio": studio, "sequences": sequences, "spoiled": spoiled}


@dataclass(frozen=True, eq=False)
class SetAnswers:
    """What a model says of one labeled set.

    Args:
        name: Of the set.
        logits: (N, classes) up to a constant of each face, of those that were found.
        targets: (N,) of those.
        missed: Targets of those that were not found, which count as wrong.
        rows: (N,) which faces of the set they are; None where nobody asks.
    """

    name: str
    logits: Floats
    targets: Ints
    missed: Ints
    rows: Ints | None = None

    def probabilities(self, temperature: float, ratio: Floats | None = None) -> Floats:
        """(N, classes) at a temperature, each class as many times more likely as ``ratio`` says."""
        scaled = self.logits / temperature + (0 if ratio is None else np.log(ratio))
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def scores(self, probabilities: Floats) -> tuple[float, float]:
        """Accuracy, and mean recall over the classes of at least twenty faces."""
        right = probabilities.argmax(axis=1) == self.targets
        truth = np.concatenate([self.targets, self.missed])
        is_right = np.concatenate([right, np.zeros(len(self.missed), bool)])
        counts = np.bincount(truth, minlength=probabilities.shape[1])
        recalls = [is_right[truth == k].mean() for k in np.flatnonzero(counts >= LEAST)]
        return float(is_right.mean()), float(np.mean(recalls)) if recalls else float("nan")


def answers_of(
    model: ExpressionModel, shared: Path, ferplus: Path | None, cache: Path, *, found_by: str = "auto"
) -> dict[str, SetAnswers]:
    """Answers on all sets by name, from ``cache`` where it has them.

    Args:
        model: The model, with the prior of its labels.
        shared: Folder with ``faces_lfw`` and ``sequences_london``.
        ferplus: FERPlus, or a prepared store of it; None leaves its two test splits out.
        cache: Folder for the answers.
        found_by: Detector of the other sets; ``given`` takes their faces as they are cut.
    """
    found = {}
    for split, name in (("valid", PUBLIC), ("test", PRIVATE)):
        if ferplus is None:
            break
        rows = labeled_rows(ferplus, model.labels, protocol_of(ferplus), split=split)
        found[name] = _kept(model, cache, name, rows.manifest, rows.targets, "given")
    for name, make in REAL.items():
        faces = make(shared)
        targets = np.array([model.labels.index(label) for _, label in faces.rows])
        found[name] = _kept(model, cache, name, manifest_of(faces), targets, found_by)
    return found


def manifest_of(faces: RealFaces) -> Manifest:
    """The pictures of a set."""
    return Manifest.from_rows([{"image": locator} for locator, _ in faces.rows], faces.root)


def _kept(
    model: ExpressionModel, cache: Path, name: str, manifest: Manifest, targets: Ints, found_by: str
) -> SetAnswers:
    path = cache / f"{name}-{found_by}-{(model.sha256 or '')[:12]}.npz"
    if not path.exists():
        finder = None if found_by == "given" else detector("auto")
        answers = answer_faces(model, manifest, targets, detector=finder, mistakes=0)
        rows = np.array(answers.rows, np.int64)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, rows=rows, probabilities=answers.probabilities)
    with np.load(path) as kept:
        rows, probabilities = kept["rows"], kept["probabilities"].astype(np.float64)
    logits = model.temperature * np.log(probabilities.clip(1e-12))
    return SetAnswers(name, logits, targets[rows], np.delete(targets, rows), rows)


def in_order(answers: dict[str, SetAnswers], names: Sequence[str]) -> list[SetAnswers]:
    """Those of the sets that are there."""
    return [answers[name] for name in names if name in answers]
