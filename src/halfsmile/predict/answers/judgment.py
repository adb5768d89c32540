"""What follows from the probabilities of a face: expression, certainty, doubt, possible labels, votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from halfsmile.predict.answers.doubt import UNSURE, strange_in
from halfsmile.predict.answers.votes import vote_shares
from halfsmile.predict.face import Faces
from halfsmile.predict.model_facts import ModelFacts


class Judgment(TypedDict):
    """The fields of a :class:`~halfsmile.predict.face.Face` that follow from its probabilities."""

    expression: str
    probabilities: dict[str, float]
    confidence: float
    uncertain: bool | None
    doubt: str | None
    possible: tuple[str, ...] | None
    votes: dict[str, float] | None


class Judge:
    """Reads probabilities by what a model says of itself.

    Args:
        facts: The model's.
        threshold: Confidence from which an answer counts as certain; None where nobody knows.
    """

    def __init__(self, facts: ModelFacts, threshold: float | None) -> None:
        self.facts = facts
        self.threshold = threshold

    def judgment(self, probabilities: npt.NDArray[np.floating], strange: Sequence[str] = ()) -> Judgment:
        """What follows from the probabilities (classes,) of a face.

        Args:
            probabilities: They sum to 1.
            strange: What is strange about the face itself, so that no answer about it is certain.
        """
        labels = self.facts.labels
        ranked = np.argsort(-probabilities, kind="stable")
        best, floor = int(ranked[0]), self.facts.set_floor
        confidence = float(probabilities[best])
        possible = (labels[i] for i in ranked if i == best or probabilities[i] >= (floor or 0))
        unsure = self.is_uncertain(confidence)
        doubts = [UNSURE] * bool(unsure) + [*strange] * (unsure is not None)
        votes = vote_shares(probabilities, self.facts)
        return {
            "expression": labels[best],
            "probabilities": dict(zip(labels, map(float, probabilities), strict=True)),
            "confidence": confidence,
            "uncertain": None if unsure is None else bool(doubts),
            "doubt": "; ".join(doubts) or None,
            "possible": None if floor is None else tuple(possible),
            "votes": None if votes is None else dict(zip(labels, map(float, votes), strict=True)),
        }

    def judged(self, faces: Faces, rows: Sequence[npt.NDArray[np.floating]]) -> Faces:
        """The same faces with other probabilities (classes,), and what follows from them."""
        changed = Faces(
            replace(face, **self.judgment(row, strange_in(face.doubt)))
            for face, row in zip(faces, rows, strict=True)
        )
        changed.left_out = faces.left_out
        return changed

    def is_uncertain(self, confidence: float) -> bool | None:
        """Whether a confidence lies below the threshold of certainty; with one of 1 all do, 1 itself too.

        None where there is no threshold: nobody knows.
        """
        if self.threshold is None:
            return None
        return confidence < self.threshold or self.threshold >= 1
