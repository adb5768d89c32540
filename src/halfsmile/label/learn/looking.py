"""Looking at all faces: features to begin with or of a recipe, and which faces are near copies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.data.check.duplicates import Signatures, group_duplicates
from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image
from halfsmile.label.asking import Asking
from halfsmile.label.learn.extractors import RecipeFeatures
from halfsmile.label.learn.features import Extractor, FeatureFile, Features, Halves
from halfsmile.label.learn.knowledge import Knowledge, PastHead, thinned
from halfsmile.label.learn.recipe import Prepared, newest_finished
from halfsmile.label.learn.trainer import load_head
from halfsmile.label.output import write_table
from halfsmile.label.pool import Pool

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

FEATURES = "features"
"""Folder of the features to begin with; those of a recipe lie in its own."""


AGAIN_SECONDS = 30.0
"""After so long a full disk, or faces that are gone, are tried again."""


class Looking(Knowledge):
    """Features of all faces.

    Args:
        labeling: The session.
        pool: Its faces.
        asking: Is told of copies and of faces that can't be read.
        extractor: Makes what makes features; None looks at nothing.
    """

    def __init__(
        self, labeling: Parts, pool: Pool, asking: Asking, extractor: Callable[[], Extractor] | None
    ) -> None:
        super().__init__(labeling, pool, asking)
        self._make_extractor = extractor
        self._stop = threading.Event()
        self._condition = threading.Condition(labeling.guard)
        self._threads: list[threading.Thread] = []
        self._labels_trained = 0
        self._name = FEATURES
        self.last: dict[str, Any] | None = None

    def _look(self) -> None:
        """Compute the features: those of the newest recipe that was finished, or those to begin with."""
        while self._make_extractor is not None and not self._stop.is_set():
            if self._look_once(self._make_extractor):
                return
            self._stop.wait(AGAIN_SECONDS)

    def _look_once(self, make: Callable[[], Extractor]) -> bool:
        """Whether that is the end of it; False where disk or faces fail, which somebody may mend."""
        try:
            recipe = newest_finished(self._labeling.out)
            if recipe is not None:
                self._compute(
                    RecipeFeatures(recipe.model),
                    recipe.features,
                    taken=lambda features: self._begin_with(recipe, features),
                )
            else:
                self._compute(make(), FEATURES)
        except (ValueError, OSError, ImportError) as error:
            with self._condition:
                self._problems["features"] = (
                    f"The faces could not be looked at, so nothing is learned: {error}"
                )
            return not isinstance(error, OSError)
        return True

    def _compute(
        self,
        extractor: Extractor,
        name: str,
        *,
        welcome: Callable[[Features], bool] = lambda features: True,
        taken: Callable[[Features], None] | None = None,
    ) -> None:
        """Compute features into a folder; they take over part by part, or, with ``taken``, when whole.

        Args:
            extractor: Makes them.
            name: Of the folder.
            welcome: Asked, under the guard, whether whole features shall take over.
            taken: Called, under the guard, when they have taken over.
        """
        file = FeatureFile(
            self._labeling.out / name,
            self._image,
            len(self._pool),
            self._pool.fingerprint,
            self._asking.order,
            extractor,
        )
        for features in file.compute(self._groups, self._stop):
            with self._condition:
                self._problems.pop("features", None)
                known = int(features.known.sum()) + len(features.bad)
                if features.groups is None and taken is not None:
                    self._looked(known / max(1, len(self._pool)))
                    continue
                if features.groups is not None and not welcome(features):
                    return
                if features.groups is not None:
                    self._asking.set_groups(features.groups)
                    self._labels_trained = -1  # the newest model knows nothing of these features
                    self._take_up(features, name)
                self.features = features
                self.features_done = known
                self._asking.unreadable = set(features.bad)
                if features.bad:
                    reason = next(iter(features.bad.values()))
                    self._problems["bad"] = (
                        f"{len(features.bad):,} pictures can't be read and are not asked, first {reason}"
                    )
                if features.groups is not None and taken is not None:
                    taken(features)
                self._condition.notify_all()

    def _image(self, row: int) -> Image:
        """The face of a row.

        Raises:
            BadImageError: If this one can't be read.
            FileNotFoundError: If all faces are gone: they may come back, and none is damaged.
        """
        try:
            return self._pool.image(row)
        except BadImageError:
            root = self._pool.root
            if root.exists():
                raise
            raise FileNotFoundError(
                f"{root} is no longer there. Bring it back, or begin again with the place where the faces "
                "are now and the same --out; all answers are safe."
            ) from None

    def _begin_with(self, recipe: Prepared, features: Features) -> None:
        """A recipe of an earlier process is the newest model."""

    def _looked(self, share: float) -> None:
        """A share of all faces was looked at for features that have not taken over yet."""

    def _take_up(self, features: Features, name: str) -> None:
        """Heads of this and earlier processes: they draw the curve."""
        known = {past.number for past in self._heads}
        values = {name: features.values}
        self._heads = [
            replace(past, values=features.values) if past.name == name else past for past in self._heads
        ]
        for path in sorted((self._labeling.out / "models").glob("head-*.npz")):
            try:
                head, about = load_head(path)
            except ValueError as error:
                self._problems["heads"] = str(error)
                continue
            number, own = int(path.stem[5:]), about["features"]
            if own not in values:
                values[own] = self._earlier(own)
            if number not in known and len(values[own]):
                past = PastHead(
                    number,
                    about["answers"],
                    about["labels"],
                    head,
                    values[own],
                    own,
                    about.get("what", "head"),
                )
                self._heads.append(past)
        last = {
            (past.name, past.what, past.labels): past
            for past in sorted(self._heads, key=lambda past: past.number)
        }
        self._heads = thinned(sorted(last.values(), key=lambda past: past.number))
        self._name = name

    def _earlier(self, name: str) -> Halves:
        """Features that another model made before, mapped from their file; none where they are gone."""
        none = np.zeros((0, 0), np.float16)
        try:
            values: Halves = np.load(self._labeling.out / name / "features.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return none
        return values if len(values) == len(self._pool) else none

    def _groups(self, signatures: Signatures) -> npt.NDArray[np.int64]:
        """Groups of near copies and neighbors."""
        groups = self._pool.neighbors()
        for copies in group_duplicates(signatures).groups:
            numbers = groups[list(copies)]
            groups[np.isin(groups, numbers)] = numbers.min()
        return groups

    def write_table(self) -> None:
        """Write ``labels.csv``; a full disk is told among the problems."""
        try:
            write_table(self._labeling)
            self._problems.pop("table", None)
        except OSError as error:
            self._problems["table"] = (
                f"labels.csv could not be written ({error.strerror}); the answers are safe."
            )
