"""Training a recipe beside the answers: prepared, run in its own process, and its model takes over.

The model's own answers are the newest then; heads are learned on its features from labels that come later.
Its logits are divided by one temperature that the faces kept apart choose: it was trained on all other
labels, so it is surer of them than it should be. No accuracy depends on the temperature.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from halfsmile.data.manifest import Manifest
from halfsmile.label.asking import Asking
from halfsmile.label.learn.extractors import LEAST, RecipeFeatures, own_head
from halfsmile.label.learn.features import Extractor, Features
from halfsmile.label.learn.knowledge import PastHead
from halfsmile.label.learn.looking import Looking
from halfsmile.label.learn.recipe import (
    FOLDER,
    STOPPED,
    Prepared,
    RecipeError,
    RecipeName,
    all_prepared,
    run_recipe,
)
from halfsmile.label.learn.trainer import Learned, save_head
from halfsmile.label.output import labeled_manifest, with_taught_classes
from halfsmile.label.pool import Pool
from halfsmile.metrics.calibration import fit_temperature
from halfsmile.metrics.intervals import Z

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

LEAST_JUDGED = 30
"""Labels that a recipe has not learned from before a head is learned on its features: they choose its penalty
and temperature, since the others look easy on features that know them."""
GOES_ON = 1.1
"""A recipe that was stopped goes on while labels have not grown by more than this; else it begins anew."""


class WorseError(RecipeError):
    """A recipe's model is worse than the one before."""


class FineTuning(Looking):
    """Recipes of a session.

    Args:
        labeling: The session.
        pool: Its faces.
        asking: Tells which faces are kept apart.
        extractor: Makes what makes the features to begin with.
    """

    def __init__(
        self, labeling: Parts, pool: Pool, asking: Asking, extractor: Callable[[], Extractor] | None
    ) -> None:
        super().__init__(labeling, pool, asking, extractor)
        self._recipe: threading.Thread | None = None
        self._recipe_stop = threading.Event()
        self._recipe_name = ""
        self.taught = np.zeros(0, np.int64)
        """Rows whose labels the present features were learned from."""
        self.recipe: dict[str, Any] | None = None
        self.recipe_last: dict[str, Any] | None = None
        unfinished = self._unfinished()
        if unfinished is not None:
            told = _stopped(unfinished)
            self.recipe_last = {"what": unfinished.what, "seconds": 0.0, "error": told, "says": told}
            if unfinished.stopped != STOPPED:
                self._problems["recipe"] = told

    def begin_recipe(self, what: str) -> None:
        """Train in the background; the guard is held.

        Raises:
            RecipeError: If one is being trained, or it can't be.
        """
        name = _named(what)
        if self._recipe is not None and self._recipe.is_alive():
            raise RecipeError("A recipe is being trained already.")
        if not self._tested()[1]:
            raise RecipeError("The recipe needs a labeled face that is kept apart to measure.")
        self._recipe_stop.clear()
        self._recipe_name = name
        self.recipe = {"what": name, "share": 0.0, "says": "beginning"}
        self._recipe = threading.Thread(target=self._run_recipe, args=(name,), name="recipe", daemon=True)
        self._recipe.start()
        self._threads.append(self._recipe)

    def stop_recipe(self) -> None:
        """End the recipe that is being trained, if any; asked for again, it goes on."""
        self._recipe_stop.set()

    def _unfinished(self) -> Prepared | None:
        """The newest recipe, where it has not ended."""
        prepared = all_prepared(self._labeling.out)
        last = prepared[-1] if prepared else None
        return None if last is None or last.finished or last.refused else last

    def _prepare(self, what: RecipeName) -> Prepared:
        """A recipe that was stopped, or a new one on the labels so far.

        Raises:
            RecipeError: If there are too few labels.
            OSError: If there is no room.
        """
        manifest = with_taught_classes(labeled_manifest(self._labeling))
        splits = np.array([split or "" for split in manifest.column("split")], str)
        labels = int((splits == "train").sum())
        before = self._unfinished()
        if before is not None and before.what == what and labels <= GOES_ON * before.labels:
            return before
        with self._condition:
            number = 1 + max([past.number for past in self._heads], default=0)
            answers = self._labeling.state.answered
        folder = self._labeling.out / FOLDER / f"{number:05d}"
        while folder.exists():
            folder = folder.with_name(f"{int(folder.name) + 1:05d}")
        prepared = Prepared(folder, what, int(folder.name), labels, answers)
        manifest.take(np.flatnonzero(splits != "").tolist()).save(_made(prepared.labels_list))
        if what == "recipe":
            rows = self._unlabeled()
            if not len(rows):
                raise RecipeError("No face without a label is left for Stage III; choose fine-tuning alone.")
            self._pool.manifest.without_labels().take(rows.tolist()).save(prepared.unlabeled_list)
        return prepared.save()

    def _unlabeled(self) -> npt.NDArray[np.int64]:
        """Rows without a label that are not kept apart, nor copies of such."""
        with self._condition:
            state, asking = self._labeling.state, self._asking
            free = np.ones(len(self._pool), np.bool_)
            free[list(asking.reserve | asking.unreadable)] = False
            free[[row for row in state.by_face if state.votes(row) or state.is_left_out(row)]] = False
            kept_apart = np.array([asking.groups[row] for row in state.random_faces], np.int64)
            return np.flatnonzero(free & ~np.isin(asking.groups, kept_apart)).astype(np.int64)

    def _run_recipe(self, what: RecipeName) -> None:
        """Fine-tune the face network on the labels; what comes out is the newest model."""
        begin, error = time.monotonic(), None
        prepared: Prepared | None = None

        def progress(says: str, share: float) -> None:
            self.recipe = {"what": what, "share": round(share, 3), "says": says}

        try:
            prepared = self._prepare(what)
            model = prepared.model
            if not model.is_file():
                model = run_recipe(prepared, progress, self._recipe_stop)
            self._looked(0.0)
            found = prepared
            extractor, worse = RecipeFeatures(model), list[str]()
            self._compute(
                extractor,
                prepared.features,
                welcome=lambda features: not self._worse(found, extractor.classes, features, worse),
                taken=lambda features: self._adopt(found, features),
            )
            if worse:
                raise WorseError(worse[0])
            if self._stop.is_set():
                raise RecipeError(STOPPED)
            prepared.save(finished=True)
        except (ValueError, OSError) as problem:
            error = " ".join(str(problem).split())
            if prepared is not None:
                self._note_stop(prepared, error, refused=isinstance(problem, WorseError))
        with self._condition:
            seconds = time.monotonic() - begin
            labels = prepared.labels if prepared else 0
            says = error or f"{labels:,} labels in {seconds / 60:.0f} minutes"
            self.recipe_last = {"what": what, "seconds": seconds, "error": error, "says": says}
            self.recipe = None
            self._problems.pop("recipe", None)
            if error and error != STOPPED:
                self._problems["recipe"] = error
            self._condition.notify_all()

    def _note_stop(self, prepared: Prepared, error: str, *, refused: bool) -> None:
        with suppress(OSError):  # the disk is full: what is there says already that it has not finished
            prepared.save(stopped=error, refused=refused)

    def _looked(self, share: float) -> None:
        self.recipe = {
            "what": self._recipe_name,
            "share": round(share, 3),
            "says": "looking at all faces with the new model",
        }

    def _worse(self, recipe: Prepared, classes: tuple[str, ...], features: Features, told: list[str]) -> bool:
        """Whether a recipe's model is surely worse than the newest one, on the faces kept apart.

        By pairs, as models are compared on the curve: the upper end of the 95 % interval of what it has right
        beyond the newest is below 0. With few labels fine-tuning may end in one answer for all faces.
        """
        rows, labels = self._tested()
        if self.learned is None or not len(rows):
            return False
        resolve, right = self._labeling.state.resolve, []
        own = own_head(classes, features.values.shape[1])
        for said, names in (
            (own(features.values[rows]), classes),
            (self.learned.probabilities[rows], self.learned.head.classes),
        ):
            best = said.argmax(axis=1)
            right.append(
                np.array([resolve(names[k]) == label for k, label in zip(best, labels, strict=True)], float)
            )
        difference = right[0] - right[1]
        error = max(float(difference.std()), 1 / len(rows)) / np.sqrt(len(rows))
        if difference.mean() + Z * error >= 0:
            return False
        told.append(
            f"The recipe on {recipe.labels:,} labels is right for {100 * right[0].mean():.0f} % of the faces "
            f"kept apart, the model before for {100 * right[1].mean():.0f} %: it does not take over. Label "
            "more before you train it again."
        )
        return True

    def _adopt(self, recipe: Prepared, features: Features) -> None:
        """The model of a recipe becomes the newest; the guard is held."""
        self._note_taught(recipe)
        classes = RecipeFeatures(recipe.model).classes
        width = features.values.shape[1]
        head = own_head(classes, width)
        rows, labels = self._tested()
        names = [self._labeling.state.resolve(name) for name in classes]
        present = list(dict.fromkeys(names))  # two classes may have been merged meanwhile
        judged = [i for i, label in enumerate(labels) if label in present]
        if judged:
            columns = [[k for k, name in enumerate(names) if name == one] for one in present]
            logits = head.logits(features.values[rows[judged]])
            together = np.stack([logsumexp(logits[:, own], axis=1) for own in columns], axis=1)
            targets = np.array([present.index(labels[i]) for i in judged], np.int64)
            head = own_head(classes, width, fit_temperature(together, targets).value)
        number = 1 + max([past.number for past in self._heads], default=0)
        past = PastHead(number, recipe.answers, recipe.labels, head, features.values, self._name, recipe.what)
        self._heads.append(past)
        self._lead_with(past, features)
        save_head(
            self._labeling.out / "models",
            number,
            head,
            answers=recipe.answers,
            labels=recipe.labels,
            features=self._name,
            what=recipe.what,
        )

    def _begin_with(self, recipe: Prepared, features: Features) -> None:
        own = [past for past in self._heads if past.name == self._name]
        if own:
            self._note_taught(recipe)
            self._lead_with(own[-1], features)
        else:
            self._adopt(recipe, features)

    def _note_taught(self, recipe: Prepared) -> None:
        taught = Manifest.load(recipe.labels_list)
        rows = {locator: row for row, locator in enumerate(self._pool.locators)}
        pairs = zip(taught.column("image"), taught.column("split"), strict=True)
        found = [rows[image] for image, split in pairs if split == "train" and image in rows]
        self.taught = np.array(found, np.int64)

    def _judges(self) -> bool:
        """Whether enough labels are there that the present features were not learned from."""
        if not len(self.taught):
            return True
        state, groups, taught = self._labeling.state, self._asking.groups, set(self.taught.tolist())
        kept_apart = {int(groups[row]) for row in state.random_faces}
        known = self._seen().known
        fresh = (
            row
            for row in reversed(state.by_face)  # the newest come last
            if row not in taught and known[row] and int(groups[row]) not in kept_apart
            if state.votes(row) and not state.is_left_out(row)
        )
        return len(list(islice(fresh, LEAST_JUDGED))) == LEAST_JUDGED

    def _lead_with(self, past: PastHead, features: Features) -> None:
        """A head that is there becomes the newest model."""
        sampled, out_of_sample = np.zeros(0, np.int64), np.zeros((0, len(past.head.bias)), np.float32)
        before = () if self.learned is None else self.learned.head.classes
        if self.learned is not None and set(past.head.classes) <= set(before):
            kept = self.learned.out_of_sample[:, [before.index(name) for name in past.head.classes]]
            sampled, out_of_sample = self.learned.sampled, kept / kept.sum(axis=1, keepdims=True).clip(LEAST)
        probabilities = past.head(features.values)
        probabilities[~features.known] = 0
        self.learned = Learned(
            past.number, past.head, past.answers, past.labels, probabilities, sampled, out_of_sample, 0.0
        )
        self._labels_trained = past.labels
        self._draw()


def _named(what: str) -> RecipeName:
    if what == "finetune":
        return "finetune"
    if what == "recipe":
        return "recipe"
    raise RecipeError(f"Nothing is called {what!r}; there are head, finetune, recipe and stop.")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _stopped(recipe: Prepared) -> str:
    if recipe.stopped == STOPPED:
        return f"The recipe on {recipe.labels:,} labels was stopped; asked for again, it goes on."
    why = f" ({recipe.stopped})" if recipe.stopped else ""
    return f"The recipe on {recipe.labels:,} labels was interrupted{why}; asked for again, it goes on."
