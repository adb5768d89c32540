"""What runs beside the answers: features, trainings, rankings; and what the newest model says.

Two threads: one looks at all faces once, the other trains when enough new labels are there, when it is asked,
or when the ranking is used up. Both read what they need under the session's guard, work without it, and put
down what they found under it again, so no answer ever waits for them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.check.duplicates import Signatures, group_duplicates
from halfsmile.label.asking import Asking
from halfsmile.label.learn.acquisition import RULES, Situation
from halfsmile.label.learn.curve import Point, expected_gain, stop_advice
from halfsmile.label.learn.features import Extractor, FeatureFile, Features
from halfsmile.label.learn.head import PENALTIES, Fit, Head, fit_head
from halfsmile.label.learn.trainer import FIRST, Learned, due, load_head, predict_all, save_head
from halfsmile.label.output import write_table
from halfsmile.label.pool import Pool
from halfsmile.metrics.label_errors import find_label_errors

if TYPE_CHECKING:
    from halfsmile.label.session import Labeling

RANKED = 128
CANDIDATES = 20_000
AGREED = 100

Floats = npt.NDArray[np.float32]


class TooFewLabelsError(ValueError):
    """There is not enough to learn from."""


class Learning:
    """Features, models and rankings of a session.

    Args:
        labeling: The session.
        pool: Its faces.
        asking: Takes the rankings.
        extractor: Makes what makes features; None learns nothing.
        trains: Whether trainings start by themselves.
    """

    def __init__(
        self,
        labeling: Labeling,
        pool: Pool,
        asking: Asking,
        extractor: Callable[[], Extractor] | None,
        *,
        trains: bool = True,
    ) -> None:
        self._labeling, self._pool, self._asking = labeling, pool, asking
        self._make_extractor, self._trains = extractor, trains
        self._stop = threading.Event()
        self._condition = threading.Condition(labeling.guard)
        self.features: Features | None = None
        self.features_done = 0
        self.learned: Learned | None = None
        self.training: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self._asked_for: str | None = None
        self._ranks_again = self._is_ranking = False
        self._heads: list[tuple[int, int, int, Head]] = []
        self._points: list[Point] = []
        self._labels_trained = 0
        self._failed_at = -1
        self._doubts: tuple[tuple[int, int], dict[int, tuple[str, float]]] = ((-1, -1), {})
        self._agreed: deque[bool] = deque(maxlen=AGREED)
        self._problems: dict[str, str] = {}
        self._fit: tuple[Features, int, Fit] | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin with what earlier processes have learned."""
        self._load_heads()
        for name, work in (("features", self._look), ("training", self._run)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the threads; a training in hand is finished first."""
        self._stop.set()
        with self._condition:
            self._condition.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=120)

    def wake(self) -> None:
        """Something has changed."""
        with self._condition:
            self._condition.notify_all()

    def train(self, what: str = "head") -> None:
        """Train as soon as possible.

        Raises:
            TooFewLabelsError: If there are too few labels, or the faces were not looked at yet.
        """
        with self._condition:
            rows, targets, _ = self._training_set()
            classes = int((targets.sum(axis=0) > 0).sum()) if len(rows) else 0
            if len(rows) < 2 or classes < 2:
                raise TooFewLabelsError(
                    f"A model needs labels of two classes at least: there are {len(rows)} of {classes}, "
                    "the faces kept apart to measure not counted."
                )
            self._asked_for = what
            self._condition.notify_all()

    def rank_again(self) -> None:
        """The rule has changed."""
        with self._condition:
            self._ranks_again = True
            self._asking.rank([])
            self._condition.notify_all()

    def classes_changed(self) -> None:
        """A class was added, renamed or merged: train as soon as there is something to learn."""
        with self._condition:
            self._labels_trained = -1
            self._doubts = ((-1, -1), {})
            self._condition.notify_all()

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until all faces were looked at and nothing is to be done; whether that came true."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._condition:
                looked = self.features is not None and self.features.groups is not None
                if looked and self.training is None and not self._is_ranking and not self._is_due():
                    return True
            time.sleep(0.005)
        return False

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
            raise TooFewLabelsError("The faces are being looked at; train when the first thousand are done.")
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

    def told(self) -> dict[str, Any] | None:
        """The newest model for people."""
        if self.learned is None:
            return None
        point = self._points[-1].told() if self._points else {"accuracy": None, "interval": None, "tested": 0}
        return {
            "number": self.learned.number,
            "answers": self.learned.answers,
            "labels": self.learned.labels,
            "accuracy": point["accuracy"],
            "interval": point["interval"],
            "tested": point["tested"],
        }

    def problems(self) -> list[str]:
        """What went wrong, in sentences."""
        return list(self._problems.values())

    def write_table(self) -> None:
        """Write ``labels.csv``; a full disk is told among the problems."""
        try:
            write_table(self._labeling)
            self._problems.pop("table", None)
        except OSError as error:
            self._problems["table"] = (
                f"labels.csv could not be written ({error.strerror}); the answers are safe."
            )

    def _look(self) -> None:
        """Compute the features."""
        if self._make_extractor is None:
            return
        try:
            file = FeatureFile(
                self._labeling.out / "features",
                self._pool.image,
                len(self._pool),
                self._pool.fingerprint,
                self._asking.order,
                self._make_extractor(),
            )
            for features in file.compute(self._groups, self._stop):
                with self._condition:
                    self.features = features
                    self.features_done = int(features.known.sum()) + len(features.bad)
                    self._asking.unreadable = set(features.bad)
                    if features.bad:
                        reason = next(iter(features.bad.values()))
                        self._problems["bad"] = (
                            f"{len(features.bad):,} pictures can't be read and are not asked, first {reason}"
                        )
                    if features.groups is not None:
                        self._asking.set_groups(features.groups)
                    self._condition.notify_all()
        except (ValueError, OSError, ImportError) as error:
            with self._condition:
                self._problems["features"] = (
                    f"The faces could not be looked at, so nothing is learned: {error}"
                )

    def _groups(self, signatures: Signatures) -> npt.NDArray[np.int64]:
        """Groups of near copies and neighbors."""
        groups = self._pool.neighbors()
        for copies in group_duplicates(signatures).groups:
            numbers = groups[list(copies)]
            groups[np.isin(groups, numbers)] = numbers.min()
        return groups

    def _run(self) -> None:
        """Train and rank until stopped."""
        while not self._stop.is_set():
            with self._condition:
                if not self._is_due():
                    self._condition.wait(timeout=5.0)
                if self._stop.is_set() or not self._is_due():
                    continue
                asked, self._asked_for = self._asked_for, None
                trains = bool(asked) or self._trains_now()
                self._is_ranking = True
                self._ranks_again = False
                self.training = (
                    {"what": asked or "head", "share": 0.0, "says": "training"} if trains else self.training
                )
            begin = time.monotonic()
            error: str | None = None
            try:
                if trains:
                    self._train()
                self._rank()
            except (ValueError, FloatingPointError, MemoryError) as problem:
                error = str(problem) or type(problem).__name__
            with self._condition:
                if trains:
                    seconds = time.monotonic() - begin
                    says = f"{self._labels_trained} labels in {seconds:.1f} s"
                    self.last = {
                        "what": asked or "head",
                        "seconds": seconds,
                        "error": error,
                        "says": error or says,
                    }
                    self.training = None
                self._is_ranking = False
                if error:
                    self._failed_at = self._labeling.state.changes
                    self._problems["training"] = f"The last training failed: {error}"
                else:
                    self._problems.pop("training", None)
            if trains:
                self.write_table()

    def _is_due(self) -> bool:
        if self.features is None or self._failed_at == self._labeling.state.changes:
            return False
        if self._asked_for or self._trains_now():
            return True
        return self.learned is not None and (
            self._ranks_again or (self._asking.is_short and len(self._asking.open_rows()) > 16)
        )

    def _trains_now(self) -> bool:
        if not self._trains:
            return False
        per_class = [count for count in self._labeling.state.per_class().values() if count]
        labels = sum(per_class) - self._random_labels()
        if labels < FIRST or len(per_class) < 2:
            return False
        return labels - self._labels_trained >= due(max(self._labels_trained, 0)) or self._labels_trained < 0

    def _random_labels(self) -> int:
        state = self._labeling.state
        return sum(state.label(row) is not None for row in state.random_faces)

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

    def _train(self) -> None:
        with self._condition:
            features = self._seen()
            rows, targets, names = self._training_set()
            answers = self._labeling.state.answered
            groups = self._asking.groups[rows]
            labels = sum(self._labeling.state.per_class().values()) - self._random_labels()
        begin = time.monotonic()

        def progress(share: float) -> None:
            self.training = {
                "what": "head",
                "share": round(share, 3),
                "says": f"learning from {len(rows)} labels",
            }

        try:
            fit = self._learn(features, rows, targets, names, groups, progress)
        finally:
            with self._condition:
                self._labels_trained = labels
        inner = fit.head
        weight, bias = features.reduction.whole(inner.weight, inner.bias)
        head = replace(inner, weight=weight, bias=bias)
        probabilities = predict_all(inner, features)
        with self._condition:
            number = self.learned.number + 1 if self.learned else len(self._heads) + 1
            self.learned = Learned(
                number,
                head,
                answers,
                len(rows),
                probabilities,
                rows,
                fit.out_of_sample,
                time.monotonic() - begin,
            )
            self._heads.append((number, answers, len(rows), head))
            self._draw()
        save_head(self._labeling.out / "models", number, head, answers=answers, labels=len(rows))

    def _learn(
        self,
        features: Features,
        rows: npt.NDArray[np.int64],
        targets: Floats,
        names: list[str],
        groups: npt.NDArray[np.int64],
        progress: Callable[[float], None],
    ) -> Fit:
        """A head; the penalty is chosen anew when labels have grown by half."""
        before, penalties = None, PENALTIES
        if self._fit is not None and self._fit[0] is features and self._fit[2].head.classes == tuple(names):
            before = self._fit[2]
            if len(rows) < 1.5 * self._fit[1]:
                penalties = (before.head.penalty,)
        fit = fit_head(
            features.reduced[rows].astype(np.float32),
            targets,
            tuple(names),
            groups=groups,
            before=before,
            penalties=penalties,
            progress=progress,
        )
        chosen_at = len(rows) if len(penalties) > 1 or self._fit is None else self._fit[1]
        self._fit = features, chosen_at, fit
        return fit

    def _draw(self) -> None:
        """The curve anew: every head on all faces that measure by now."""
        rows, labels = self._tested()
        values = np.asarray(self._seen().values[rows])
        state = self._labeling.state
        self._points = []
        for number, answers, count, head in self._heads:
            if len(head.weight) != values.shape[1]:
                continue
            names = [state.resolve(name) for name in head.classes]
            said = head.logits(values).argmax(axis=1) if len(rows) else []
            right = np.array(
                [names[int(k)] == label for k, label in zip(said, labels, strict=True)], np.bool_
            )
            self._points.append(Point(number, answers, count, right))

    def _rank(self) -> None:
        """Let the rule pick the next faces."""
        with self._condition:
            learned, features = self.learned, self.features
            if learned is None or features is None:
                return
            rule = self._labeling.rule
            rows = self._asking.open_rows()
            rows = rows[learned.probabilities[rows].any(axis=1)]
            state = self._labeling.state
            labeled = np.array([row for row in state.by_face if features.known[row]], np.int64)
            counts = np.array([state.per_class().get(name, 0) for name in self.class_names()], float)
        rng = np.random.default_rng([self._labeling.state.seed, 3, learned.number, len(labeled)])
        if len(rows) > CANDIDATES:
            rows = np.sort(rng.choice(rows, CANDIDATES, replace=False))
        situation = Situation(
            learned.probabilities[rows],
            features.reduced[rows].astype(np.float32),
            features.reduced[labeled].astype(np.float32),
            counts,
        )
        picked = RULES[rule](situation, RANKED, rng)
        why = {"random": "picked by chance", "core-set": "unlike those before"}.get(
            rule, "uncertain, unlike those before"
        )
        with self._condition:
            if rule == self._labeling.rule:
                self._asking.rank([(int(row), why) for row in rows[picked]])

    def _load_heads(self) -> None:
        """Take up heads of earlier processes: they draw the curve, the last one guesses until the next."""
        for path in sorted((self._labeling.out / "models").glob("head-*.npz")):
            try:
                head, about = load_head(path)
            except ValueError as error:
                self._problems["heads"] = str(error)
                continue
            self._heads.append((int(path.stem[5:]), about["answers"], about["labels"], head))
