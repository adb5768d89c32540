"""Looking at all faces: features to begin with, near copies, and features of a recipe that was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.check.duplicates import Signatures, group_duplicates
from halfsmile.label.asking import Asking
from halfsmile.label.learn.extractors import ModelFeatures
from halfsmile.label.learn.features import Extractor, FeatureFile, Features
from halfsmile.label.learn.knowledge import Knowledge, PastHead, TooFewLabelsError
from halfsmile.label.learn.recipe import run_recipe
from halfsmile.label.learn.trainer import load_head
from halfsmile.label.output import write_table
from halfsmile.label.pool import Pool

if TYPE_CHECKING:
    from halfsmile.label.session import Labeling

FEATURES = "features"
"""Folder of the features to begin with; those of a recipe have its number behind."""


class Looking(Knowledge):
    """Features of all faces.

    Args:
        labeling: The session.
        pool: Its faces.
        asking: Is told of copies and of faces that can't be read.
        extractor: Makes what makes features; None looks at nothing.
    """

    def __init__(
        self, labeling: Labeling, pool: Pool, asking: Asking, extractor: Callable[[], Extractor] | None
    ) -> None:
        super().__init__(labeling, pool, asking)
        self._make_extractor = extractor
        self._stop = threading.Event()
        self._condition = threading.Condition(labeling.guard)
        self._threads: list[threading.Thread] = []
        self._labels_trained = 0
        self._name = FEATURES
        self._recipe: threading.Thread | None = None
        self.recipe: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None

    def _look(self) -> None:
        """Compute the features: those of the newest recipe that was finished, or those to begin with."""
        if self._make_extractor is None:
            return
        try:
            out = self._labeling.out
            done = sorted(path.parent.name for path in out.glob("features-*/features.npy"))
            model = (
                out / "runs" / done[-1].removeprefix("features-") / "export" / "model.onnx" if done else None
            )
            if model is not None and model.is_file():
                self._compute(ModelFeatures(model), done[-1])
            else:
                self._compute(self._make_extractor(), FEATURES)
        except (ValueError, OSError, ImportError) as error:
            with self._condition:
                self._problems["features"] = (
                    f"The faces could not be looked at, so nothing is learned: {error}"
                )

    def _compute(self, extractor: Extractor, name: str, *, shows_parts: bool = True) -> None:
        """Compute features into a folder; they take over part by part, or when they are whole."""
        file = FeatureFile(
            self._labeling.out / name,
            self._pool.image,
            len(self._pool),
            self._pool.fingerprint,
            self._asking.order,
            extractor,
        )
        for features in file.compute(self._groups, self._stop):
            with self._condition:
                if features.groups is not None:
                    self._asking.set_groups(features.groups)
                    self._labels_trained = (
                        -1
                    )  # the newest model knows nothing of some faces, or of these features
                    self._take_up(features, name)
                elif not shows_parts:
                    continue
                self.features = features
                self.features_done = int(features.known.sum()) + len(features.bad)
                self._asking.unreadable = set(features.bad)
                if features.bad:
                    reason = next(iter(features.bad.values()))
                    self._problems["bad"] = (
                        f"{len(features.bad):,} pictures can't be read and are not asked, first {reason}"
                    )
                self._condition.notify_all()

    def _take_up(self, features: Features, name: str) -> None:
        """Heads on some features of this and earlier processes: they draw the curve."""
        known = {past.number for past in self._heads}
        self._heads = [
            replace(past, features=features) if past.name == name else past for past in self._heads
        ]
        for path in sorted((self._labeling.out / "models").glob("head-*.npz")):
            try:
                head, about = load_head(path)
            except ValueError as error:
                self._problems["heads"] = str(error)
                continue
            if (number := int(path.stem[5:])) not in known and about["features"] == name:
                past = PastHead(number, about["answers"], about["labels"], head, features, name)
                self._heads.append(past)
        last = {(past.name, past.labels): past for past in sorted(self._heads, key=lambda past: past.number)}
        self._heads = sorted(last.values(), key=lambda past: past.number)
        self._name = name

    def _groups(self, signatures: Signatures) -> npt.NDArray[np.int64]:
        """Groups of near copies and neighbors."""
        groups = self._pool.neighbors()
        for copies in group_duplicates(signatures).groups:
            numbers = groups[list(copies)]
            groups[np.isin(groups, numbers)] = numbers.min()
        return groups

    def _begin_recipe(self) -> None:
        if self._recipe is not None and self._recipe.is_alive():
            raise TooFewLabelsError("The recipe is being trained already.")
        if not self._tested()[1]:
            raise TooFewLabelsError("The recipe needs a labeled face that is kept apart to measure.")
        self._recipe = threading.Thread(target=self._run_recipe, name="recipe", daemon=True)
        self._recipe.start()
        self._threads.append(self._recipe)

    def _run_recipe(self) -> None:
        """Fine-tune the face network on the labels; its features take the place of those before."""
        begin, error = time.monotonic(), None
        number = 1 + max((past.number for past in self._heads), default=0)
        out = self._labeling.out

        def progress(what: str, share: float) -> None:
            self.recipe = {"what": "recipe", "share": round(share, 3), "says": f"recipe: {what}"}

        try:
            write_table(self._labeling)
            model = run_recipe(out, out / "runs" / f"{number:05d}", progress, self._stop)
            progress("looking at all faces", 0.0)
            self._compute(ModelFeatures(model), f"features-{number:05d}", shows_parts=False)
        except (ValueError, OSError) as problem:
            error = str(problem)
        with self._condition:
            seconds = time.monotonic() - begin
            says = error or f"the recipe on {self._labels_trained} labels in {seconds / 60:.0f} minutes"
            self.last = {"what": "recipe", "seconds": seconds, "error": error, "says": says}
            self.recipe = None
            if error:
                self._problems["recipe"] = error
            self._condition.notify_all()

    def write_table(self) -> None:
        """Write ``labels.csv``; a full disk is told among the problems."""
        try:
            write_table(self._labeling)
            self._problems.pop("table", None)
        except OSError as error:
            self._problems["table"] = (
                f"labels.csv could not be written ({error.strerror}); the answers are safe."
            )
