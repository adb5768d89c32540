"""What a session stands on: the journal and, once the faces are there, who is asked what and what learns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from halfsmile.label.asking import SHARE, Asking
from halfsmile.label.inputs import first_classes
from halfsmile.label.journal import Journal
from halfsmile.label.learn.acquisition import DEFAULT
from halfsmile.label.learn.features import Extractor
from halfsmile.label.learn.learning import Learning
from halfsmile.label.pool import Pool
from halfsmile.label.preparing import Preparing
from halfsmile.label.speed import Speed
from halfsmile.label.state import VERSION, State


class NotReadyError(ValueError):
    """The faces are still being prepared."""


class UnknownFaceError(ValueError):
    """An id that no face has."""


class Parts:
    """The parts of a :class:`~halfsmile.label.session.Labeling`, from the first answer on disk to the last.

    Args:
        pool: The faces; None where they are being prepared.
        out: Folder of the answers.
        journal: Of the answers.
        state: What the journal says so far.
        extractor: Makes features; None learns nothing.
        preparing: Brings the pool.
        classes: Those of a session that begins; None takes those of the faces.
        seed: Of everything that is left to chance.
        share: Of the questions that is kept apart to measure.
        trains: Whether to train in the background.
        data: Where the faces come from.
    """

    def __init__(
        self,
        pool: Pool | None,
        out: Path,
        journal: Journal,
        state: State,
        *,
        extractor: Callable[[], Extractor] | None,
        preparing: Preparing | None = None,
        classes: Sequence[str] | None = None,
        seed: int = 0,
        share: float = SHARE,
        trains: bool = True,
        data: Path | None = None,
    ) -> None:
        self.out = Path(out)
        self.state = state
        self.guard = threading.RLock()
        self.journal = journal
        self.preparing = preparing
        self._extractor, self._trains = extractor, trains
        self._classes, self._seed, self.share = classes, seed, share
        self.data = data
        self.last_list: tuple[Any, Any] | None = None
        """Rows of the list that was shown last, and what they depend on (:mod:`halfsmile.label.views`)."""
        self._speed = Speed()
        self._pool: Pool | None = None
        self._learning: Learning | None = None
        self._asking: Asking | None = None
        self._problem: str | None = None
        self._is_closed = False
        if pool is not None:
            self._begin(pool)
        elif preparing is not None:
            preparing.start(self._prepared)

    def _prepared(self, pool: Pool | None, problem: str | None) -> None:
        """Called by the thread that prepares."""
        with self.guard:
            try:
                if pool is not None:
                    self._begin(pool)
            except ValueError as error:
                problem = str(error)
            self._problem = problem

    def _begin(self, pool: Pool) -> None:
        is_learned = any((self.out / "models").glob("head-*.npz"))
        is_empty = not self.state.by_face and not self.state.class_changes and not is_learned
        is_other = self._classes is not None and list(self._classes) != self.state.classes
        if not self.state.classes or (is_empty and is_other):
            names = self._classes or first_classes(pool)
            event = {
                "event": "begin",
                "version": VERSION,
                "data": str(pool.root.resolve()),
                "faces": len(pool),
                "fingerprint": pool.fingerprint,
                "seed": self._seed,
                "classes": list(names),
            }
            self._record([event])
        elif self.state.faces != len(pool) or self.state.fingerprint != pool.fingerprint:
            raise ValueError(
                f"{self.out} holds answers about {self.state.faces:,} faces of {self.state.data}, and these "
                f"are {len(pool):,} others of {pool.root}. Give the same faces, or another --out."
            )
        self._pool = pool
        self._asking = Asking(len(pool), seed=self.state.seed, share=self.share)
        for face, answers in self.state.by_face.items():
            self._mark(face)
            if any(answer.is_random for answer in answers.values()):
                self._asking.mark_random(face)
        self._learning = Learning(self, pool, self._asking, self._extractor, trains=self._trains)
        self._learning.start()

    @property
    def is_ready(self) -> bool:
        """Whether the faces are there."""
        return self._learning is not None

    @property
    def pool(self) -> Pool:
        """The faces.

        Raises:
            NotReadyError: While they are being prepared.
        """
        if self._pool is None:
            raise self._not_ready()
        return self._pool

    def _not_ready(self) -> NotReadyError:
        return NotReadyError(
            self._problem or "The faces are still being prepared; see `preparing` of /v1/project."
        )

    @property
    def asking(self) -> Asking:
        """Who is asked what; see :attr:`pool`."""
        if self._asking is None:
            raise self._not_ready()
        return self._asking

    @property
    def learning(self) -> Learning:
        """What is learned; see :attr:`pool`."""
        if self._learning is None:
            raise self._not_ready()
        return self._learning

    @property
    def classes(self) -> list[str]:
        """Their names; while faces are being prepared those that were asked for."""
        return self.state.classes or list(self._classes or ())

    @property
    def rule(self) -> str:
        """What picks the faces."""
        return self.state.rule or DEFAULT

    def row(self, face: str) -> int:
        """Row of a face by its id.

        Raises:
            UnknownFaceError: If there is none.
        """
        if not (face.isascii() and face.isdigit()) or len(face) > 12 or int(face) >= len(self.pool):
            raise UnknownFaceError(f"There is no face {face[:40]!r}; ids are 0 to {len(self.pool) - 1}.")
        return int(face)

    def per_minute(self, annotator: str | None = None) -> float | None:
        """Answers a minute of one person or of all together; see :class:`~halfsmile.label.speed.Speed`."""
        with self.guard:
            return self._speed.per_minute(annotator)

    def problems(self) -> list[str]:
        """What went wrong and did not stop the work, in sentences."""
        with self.guard:
            found = [self._problem] if self._problem else []
            return found + (self._learning.problems() if self._learning is not None else [])

    def close(self) -> None:
        """Stop the background work, write the table, and let others in; a second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.preparing is not None:
            self.preparing.stop()
        if self._learning is not None:
            self._learning.stop()
            self._learning.write_table()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events to the journal and take them in."""
        with self.guard:
            self._record(events)

    def _record(self, events: Sequence[Mapping[str, Any]]) -> None:
        for event in self.journal.append(events):
            self.state.apply(event)

    def mark(self, faces: Sequence[int]) -> None:
        """Faces have answers that came another way than by the page, as from a file."""
        with self.guard:
            for face in faces:
                self._mark(face)
            self.learning.wake()

    def _mark(self, face: int) -> None:
        """Tell who asks what is known of a face now."""
        answers = self.state.by_face.get(face, {})
        self.asking.mark(face, is_answered=self.state.is_answered(face))
        for answer in answers.values():
            if answer.kind == "skip":
                self.asking.mark_skipped(face, answer.annotator)
