"""What is known: features, the newest model and those before it, and what they say of faces and labels."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.label.asking import Asking
from halfsmile.label.learn.curve import LEAST_POINTS, Point, expected_gain, stop_advice
from halfsmile.label.learn.features import Features, Halves
from halfsmile.label.learn.head import Head
from halfsmile.label.learn.pays import recipe_advice
from halfsmile.label.learn.trainer import Learned
from halfsmile.label.pool import Pool
from halfsmile.metrics.label_errors import find_label_errors

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

MOST_HEADS = 64
"""Models that the curve shows."""
AGREED = 100
"""Newest answers that the agreement with the model is told of."""

Floats = npt.NDArray[np.float32]


class TooFewLabelsError(ValueError):
    """There is not enough to learn from."""


@dataclass(frozen=True, eq=False)
class PastHead:
    """A head of the curve.

    Args:
        number: Of the training.
        answers: Faces answered when it was trained.
        labels: Labels that it learned from.
        head: The head.
        values: (N, D), the features that it reads.
        name: Of their folder.
        what: ``head``, or the recipe whose own answers it gives.
    """

    number: int
    answers: int
    labels: int
    head: Head
    values: Halves
    name: str
    what: str = "head"


def thinned(heads: Sequence[PastHead]) -> list[PastHead]:
    """At most :data:`MOST_HEADS` models, so that neither memory nor the curve grows with each training.

    Of more, the head whose neighbors of its series are closest over the logarithm of labels is left out,
    again and again; never the first or last of a series, a recipe's own, or the :data:`LEAST_POINTS` newest
    of the newest series, which the expected gain needs.

    Args:
        heads: Oldest first.
    """
    kept = list(heads)
    newest = {id(past) for past in [past for past in kept if past.name == kept[-1].name][-LEAST_POINTS:]}
    while len(kept) > MOST_HEADS:
        steps: dict[int, float] = {}
        for name in {past.name for past in kept}:
            series = [i for i, past in enumerate(kept) if past.name == name]
            for before, i, after in zip(series, series[1:], series[2:], strict=False):
                if kept[i].what == "head" and id(kept[i]) not in newest:
                    labels = max(1, kept[before].labels), max(1, kept[after].labels)
                    steps[i] = abs(math.log(labels[1] / labels[0]))
        if not steps:
            break
        del kept[min(steps, key=lambda i: (steps[i], i))]
    return kept


class Knowledge:
    """What the newest models say. The session's guard is held wherever it is asked.

    Args:
        labeling: The session.
        pool: Its faces.
        asking: What has been asked.
    """

    def __init__(self, labeling: Parts, pool: Pool, asking: Asking) -> None:
        self._labeling, self._pool, self._asking = labeling, pool, asking
        self.features: Features | None = None
        self.features_done = 0
        self.learned: Learned | None = None
        self._heads: list[PastHead] = []
        self._points: list[Point] = []
        self._doubts: tuple[tuple[int, int], dict[int, tuple[str, float]]] = ((-1, -1), {})
        self._agreed: deque[bool] = deque(maxlen=AGREED)
        self._problems: dict[str, str] = {}

    def class_names(self) -> list[str]:
        """Classes of the newest model by today's names, one a column of :meth:`probabilities`."""
        if self.learned is None:
            return []
        return [self._labeling.state.resolve(name) for name in self.learned.head.classes]

    def probabilities(self) -> Floats | None:
        """(N, K) of the newest model; rows are 0 without features; None without a model."""
        return None if self.learned is None else self.learned.probabilities

    def guess(self, row: int) -> list[dict[str, Any]] | None:
        """Classes with probabilities, best first; None without a model or features of the face."""
        if self.learned is None or not self.learned.probabilities[row].any():
            return None
        together: dict[str, float] = {}
        for name, value in zip(self.class_names(), self.learned.probabilities[row].tolist(), strict=True):
            together[name] = together.get(name, 0.0) + value
        return [
            {"name": name, "probability": round(value, 4)}
            for name, value in sorted(together.items(), key=lambda item: -item[1])
        ]

    def guessed(self, name: str) -> npt.NDArray[np.bool_]:
        """Which faces the newest model takes for a class, (N,)."""
        if self.learned is None:
            return np.zeros(len(self._pool), np.bool_)
        best = self.learned.probabilities.argmax(axis=1)
        is_known = self.learned.probabilities.any(axis=1)
        columns = [k for k, own in enumerate(self.class_names()) if own == name]
        return np.asarray(np.isin(best, columns) & is_known, np.bool_)

    def closest(self, rows: npt.NDArray[np.int64], count: int) -> list[int]:
        """The first of some rows and those that look most like it."""
        if not len(rows) or self.features is None:
            return []
        values = self.features.reduced[rows].astype(np.float32)
        order = np.argsort(((values - values[0]) ** 2).sum(axis=1), kind="stable")
        return [int(row) for row in rows[order[:count]]]

    def _seen(self) -> Features:
        """The present features.

        Raises:
            TooFewLabelsError: If there are none yet.
        """
        if self.features is None:
            raise TooFewLabelsError("The faces are being looked at first; ask again when some are.")
        return self.features

    def doubts(self) -> dict[int, tuple[str, float]]:
        """Rows whose label is doubted: what the model says instead, and the probability of the label."""
        state, learned = self._labeling.state, self.learned
        if learned is None:
            return {}
        key = learned.number, state.changes
        if self._doubts[0] == key:
            return self._doubts[1]
        names = self.class_names()
        index = {name: k for k, name in enumerate(names)}
        sampled = {int(row): i for i, row in enumerate(learned.sampled)}
        rows, labels, probabilities = [], [], []
        for row in state.by_face:
            label = state.label(row)
            if label not in index:
                continue
            if row in sampled:
                said = learned.out_of_sample[sampled[row]]
            elif self._asking.is_random(row) and learned.probabilities[row].any():
                said = learned.probabilities[row]
            else:
                continue
            rows.append(row)
            labels.append(index[label])
            probabilities.append(said)
        found: dict[int, tuple[str, float]] = {}
        if rows:
            errors = find_label_errors(np.array(probabilities), np.array(labels))
            for place, k, confidence in zip(errors.rows, errors.suggested, errors.confidence, strict=True):
                if rows[place] not in state.confirmed:
                    found[rows[place]] = names[int(k)], float(confidence)
        self._doubts = key, found
        return found

    def second_opinions(self, annotator: str, count: int) -> list[tuple[int, str]]:
        """Faces that others answered and this person did not: disputed ones first, then doubted, then any."""
        state = self._labeling.state
        doubts = self.doubts()
        rows = [
            row
            for row, answers in state.by_face.items()
            if annotator not in answers and state.is_answered(row)
        ]
        rows.sort(
            key=lambda row: (not state.is_disputed(row), row not in doubts, len(state.by_face[row]), row)
        )
        return [(row, "a second opinion") for row in rows[:count]]

    def note_answer(self, row: int) -> None:
        """Compare a new answer with what the newest model guessed."""
        label, guess = self._labeling.state.label(row), self.guess(row)
        if label is not None and guess:
            self._agreed.append(guess[0]["name"] == label)

    def curve(self) -> dict[str, Any]:
        """Points, counts, speed, expected gain, and whether to stop."""
        labeling = self._labeling
        gain = expected_gain(self._points)
        return {
            "points": [point.told() for point in self._points],
            "per_class": labeling.state.per_class(),
            "per_minute": labeling.per_minute(),
            "agreement_with_model": sum(self._agreed) / len(self._agreed) if self._agreed else None,
            "expected_gain": None if gain is None else gain.value,
            "stop": self.stop_advice(),
        }

    def stop_advice(self) -> dict[str, Any]:
        """Whether to stop asking, and why."""
        left = len(self._pool) - len(self._labeling.state.answered_faces)
        return stop_advice(self._points, left=left)

    def recipe_advice(self) -> dict[str, Any]:
        """Whether to train the recipe, and why."""
        return recipe_advice(self._points)

    def told(self) -> dict[str, Any] | None:
        """The newest model for people."""
        if self.learned is None:
            return None
        point = (
            self._points[-1].told()
            if self._points
            else {"what": "head", "accuracy": None, "interval": None, "tested": 0}
        )
        return {
            "number": self.learned.number,
            "what": point["what"],
            "answers": self.learned.answers,
            "labels": self.learned.labels,
            "accuracy": point["accuracy"],
            "interval": point["interval"],
            "tested": point["tested"],
        }

    def problems(self) -> list[str]:
        """What went wrong, in sentences."""
        return list(self._problems.values())

    def _training_set(self) -> tuple[npt.NDArray[np.int64], Floats, list[str]]:
        """Rows, targets (L, K) and names of the classes; faces of the random share are not in it."""
        state, asking, features = self._labeling.state, self._asking, self._seen()
        names = list(state.classes)
        index = {name: k for k, name in enumerate(names)}
        kept_apart = {int(asking.groups[row]) for row in state.random_faces}
        rows, targets = [], []
        for row in state.by_face:
            if int(asking.groups[row]) in kept_apart or not features.known[row] or state.is_left_out(row):
                continue
            votes = state.votes(row)
            if votes:
                target = np.zeros(len(names), np.float32)
                for name, weight in votes.items():
                    target[index[name]] = weight
                rows.append(row)
                targets.append(target / target.sum())
        return np.array(rows, np.int64), np.array(targets, np.float32).reshape(-1, len(names)), names

    def _tested(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Rows of the random share that have a label and features, and the labels."""
        state, features = self._labeling.state, self._seen()
        pairs = [
            (row, label)
            for row in sorted(state.random_faces)
            if (label := state.label(row)) is not None and features.known[row]
        ]
        return np.array([row for row, _ in pairs], np.int64), [label for _, label in pairs]

    def _draw(self) -> None:
        """The curve anew: every head on all faces that measure by now."""
        rows, labels = self._tested()
        state = self._labeling.state
        self._heads, self._points = thinned(self._heads), []
        read: dict[int, npt.NDArray[Any]] = {}
        for past in self._heads:
            if id(past.values) not in read:
                read[id(past.values)] = np.asarray(past.values[rows])
            if past.values.shape[1] != len(past.head.weight):
                continue
            names = [state.resolve(name) for name in past.head.classes]
            said = past.head.logits(read[id(past.values)]).argmax(axis=1) if len(rows) else []
            right = np.array([names[k] == label for k, label in zip(said, labels, strict=True)], np.bool_)
            self._points.append(Point(past.number, past.answers, past.labels, right, past.what, past.name))

    def _random_labels(self) -> int:
        state = self._labeling.state
        return sum(state.label(row) is not None for row in state.random_faces)
