"""What runs beside the answers: features, trainings, rankings; and what the newest model says.

Two threads: one looks at all faces once, the other trains when enough new labels are there, when it is asked,
or when the ranking is used up. Both read what they need under the session's guard, work without it, and put
down what they found under it again, so no answer ever waits for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.label.asking import Asking
from halfsmile.label.learn.acquisition import RULES, Situation
from halfsmile.label.learn.features import Extractor, Features
from halfsmile.label.learn.fine_tuning import LEAST_JUDGED, FineTuning
from halfsmile.label.learn.head import PENALTIES, Fit, fit_head, refit_head
from halfsmile.label.learn.knowledge import Floats, PastHead, TooFewLabelsError
from halfsmile.label.learn.reduction import Reduction
from halfsmile.label.learn.trainer import FIRST, Learned, due, predict_all, save_head
from halfsmile.label.pool import Pool

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

RANKED = 128
CANDIDATES = 20_000
CROSSED_AGAIN = 1.2
CHOSEN_AGAIN = 1.5


@dataclass(frozen=True, eq=False)
class _Known:
    """The last fit, and how many labels there were when its folds were learned and its penalty was chosen."""

    reduction: Reduction
    fit: Fit
    crossed_at: int
    chosen_at: int


class Learning(FineTuning):
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
        labeling: Parts,
        pool: Pool,
        asking: Asking,
        extractor: Callable[[], Extractor] | None,
        *,
        trains: bool = True,
    ) -> None:
        super().__init__(labeling, pool, asking, extractor)
        self._trains = trains
        self.training: dict[str, Any] | None = None
        self._asked_for: str | None = None
        self._ranks_again = self._is_ranking = False
        self._failed_at = -1
        self._fit: _Known | None = None
        self._ranked_at: tuple[int, int, int] | None = None

    def start(self) -> None:
        """Begin."""
        for name, work in (("features", self._look), ("training", self._run)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the threads; a training in hand is finished first."""
        self._stop.set()
        self.stop_recipe()
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

        Args:
            what: ``head``, in seconds; ``finetune``, Stage II of the recipe, or ``recipe``, all of it, in a
                process of its own; ``stop`` ends that.

        Raises:
            TooFewLabelsError: If there are too few labels, or a recipe is asked for before faces were looked
                at; a head waits for that.
            RecipeError: If a recipe is being trained already, or can't be.
        """
        if what == "stop":
            self.stop_recipe()
            return
        with self._condition:
            if what == "head" and self.features is None and self._make_extractor is not None:
                self._asked_for = what  # as soon as the first faces were looked at
                return
            rows, targets, _ = self._training_set()
            classes = int((targets.sum(axis=0) > 0).sum()) if len(rows) else 0
            if len(rows) < 2 or classes < 2:
                raise TooFewLabelsError(
                    f"A model needs labels of two classes at least: there are {len(rows)} of {classes}, "
                    "the faces kept apart to measure not counted."
                )
            if what == "head" and not self._judges():
                raise TooFewLabelsError(
                    f"The recipe's model has learned from all labels but a few: with {LEAST_JUDGED} more, a "
                    "head can be learned on top."
                )
            self._failed_at = -1
            if what == "head":
                self._asked_for = what
            else:
                self.begin_recipe(what)
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
                if trains and not self._train(anew=bool(asked)):
                    self._asked_for = asked  # of features that are gone: once more
                self._rank()
            except Exception as problem:  # whatever it is, answers go on, and the page says so
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
            self._ranks_again or (self._asking.is_short and self._ranked_at != self._situation())
        )

    def _situation(self) -> tuple[int, int, int]:
        """What a ranking depends on."""
        number = 0 if self.learned is None else self.learned.number
        return number, self._labeling.state.changes, self.features_done

    def _trains_now(self) -> bool:
        if not self._trains:
            return False
        per_class = [count for count in self._labeling.state.per_class().values() if count]
        labels = sum(per_class) - self._random_labels()
        if labels < FIRST or len(per_class) < 2 or not self._judges():
            return False
        return labels - self._labels_trained >= due(max(self._labels_trained, 0)) or self._labels_trained < 0

    def _train(self, *, anew: bool) -> bool:
        """Learn a head; False where better features took over meanwhile, so that nothing came of it."""
        with self._condition:
            features = self._seen()
            rows, targets, names = self._training_set()
            answers = self._labeling.state.answered
            groups = self._asking.groups[rows]
            judged = ~np.isin(rows, self.taught)
            labels = sum(self._labeling.state.per_class().values()) - self._random_labels()
            changes = self._labeling.state.class_changes
        begin = time.monotonic()

        def progress(share: float) -> None:
            self.training = {
                "what": "head",
                "share": round(share, 3),
                "says": f"learning from {len(rows)} labels",
            }

        try:
            fit = self._learn(features, rows, targets, names, groups, judged, progress, anew=anew)
        finally:
            with self._condition:
                is_same = features.reduction is self._seen().reduction
                if is_same:
                    is_present = changes == self._labeling.state.class_changes
                    self._labels_trained = labels if is_present else -1
        if not is_same:
            return False
        inner = fit.head
        weight, bias = features.reduction.whole(inner.weight, inner.bias)
        head = replace(inner, weight=weight, bias=bias)
        probabilities = predict_all(inner, features)
        with self._condition:
            number = 1 + max((past.number for past in self._heads), default=0)
            in_folds = judged[: len(fit.out_of_sample)]  # none where only the head itself was learned
            sampled, out_of_sample = rows[: len(in_folds)][in_folds], fit.out_of_sample[in_folds]
            if self.learned is not None and self.learned.head.classes == head.classes:
                older = ~np.isin(self.learned.sampled, sampled)
                sampled = np.concatenate([sampled, self.learned.sampled[older]])
                out_of_sample = np.concatenate([out_of_sample, self.learned.out_of_sample[older]])
            self.learned = Learned(
                number,
                head,
                answers,
                len(rows),
                probabilities,
                sampled,
                out_of_sample,
                time.monotonic() - begin,
            )
            key = len(rows), self._name, "head"
            self._heads = [past for past in self._heads if (past.labels, past.name, past.what) != key]
            self._heads.append(PastHead(number, answers, len(rows), head, features.values, self._name))
            self._draw()
        save_head(
            self._labeling.out / "models",
            number,
            head,
            answers=answers,
            labels=len(rows),
            features=self._name,
        )
        return True

    def _learn(
        self,
        features: Features,
        rows: npt.NDArray[np.int64],
        targets: Floats,
        names: list[str],
        groups: npt.NDArray[np.int64],
        judged: npt.NDArray[np.bool_],
        progress: Callable[[float], None],
        *,
        anew: bool,
    ) -> Fit:
        """A head.

        Folds are learned anew when it was asked for or labels have grown by a fifth, the penalty is chosen
        anew when they have grown by half; between, only the head itself is learned.
        """
        x, names_now = features.reduced[rows].astype(np.float32), tuple(names)
        known = self._fit
        if known is not None and (
            known.reduction is not features.reduction or known.fit.head.classes != names_now
        ):
            known = None
        if known is not None and not anew and len(rows) < CROSSED_AGAIN * known.crossed_at:
            fit = refit_head(x, targets, names_now, known.fit)
            self._fit = replace(known, fit=fit)
            return fit
        again = known is None or len(rows) >= CHOSEN_AGAIN * known.chosen_at
        fit = fit_head(
            x,
            targets,
            names_now,
            groups=groups,
            judged=judged,
            before=None if known is None else known.fit,
            penalties=PENALTIES if again or known is None else (known.fit.head.penalty,),
            progress=progress,
        )
        chosen_at = len(rows) if again or known is None else known.chosen_at
        self._fit = _Known(features.reduction, fit, len(rows), chosen_at)
        return fit

    def _rank(self) -> None:
        """Let the rule pick the next faces."""
        with self._condition:
            learned, features = self.learned, self.features
            if learned is None or features is None:
                return
            self._ranked_at = self._situation()
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
            features.reduced[rows],
            features.reduced[labeled],
            counts,
        )
        picked = RULES[rule](situation, RANKED, rng)
        why = {"random": "picked by chance", "core-set": "unlike those before"}.get(
            rule, "uncertain, unlike those before"
        )
        with self._condition:
            if rule == self._labeling.rule:
                self._asking.rank([(int(row), why) for row in rows[picked]])
