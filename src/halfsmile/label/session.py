"""Labeling as a Python object: faces in, questions out, answers in, a model that learns meanwhile.

    from halfsmile import Labeling

    with Labeling.open("faces", out="labels", classes=["calm", "glad"]) as labeling:
        face = labeling.next("me")[0]
        labeling.answer("me", [{"face": face["id"], "kind": "label", "labels": ["glad"]}])

The HTTP interface calls nothing else. Every method may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from halfsmile.label.asking import SHARE, Asking
from halfsmile.label.inputs import checked_answer, first_classes, import_answers, open_faces
from halfsmile.label.journal import Journal
from halfsmile.label.learn.acquisition import DEFAULT
from halfsmile.label.learn.extractors import choose_extractor
from halfsmile.label.learn.features import Extractor
from halfsmile.label.learn.learning import Learning
from halfsmile.label.names import checked_change, checked_name, named_classes, require_rule
from halfsmile.label.pool import Pool
from halfsmile.label.preparing import Preparing
from halfsmile.label.speed import Speed
from halfsmile.label.state import VERSION, State
from halfsmile.label.views import face_of

ME = "me"


class NotReadyError(ValueError):
    """The faces are still being prepared."""


class UnknownFaceError(ValueError):
    """An id that no face has."""


class Labeling:
    """Faces, what people said of them, and what was learned from that. Use :meth:`open`.

    Args:
        pool: The faces; None where they are being prepared.
        out: Folder of the answers.
        journal: Of the answers.
        state: What the journal says so far.
        extractor: Makes features; None learns nothing.
        preparing: Brings the pool.
        share: Of the questions that is kept apart to measure.
        trains: Whether to train in the background.
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

    @classmethod
    def open(
        cls,
        faces: str | Path,
        *,
        out: str | Path,
        classes: Sequence[str] | str | None = None,
        model: str | Path | None = None,
        labels: Sequence[str | Path] = (),
        rule: str | None = None,
        seed: int = 0,
        share: float = SHARE,
        aligned: bool | None = None,
        detector: str = "auto",
        extractor: Callable[[], Extractor] | None = None,
        trains: bool = True,
    ) -> Labeling:
        """Begin, or go on where an earlier call with the same ``out`` ended.

        Args:
            faces: A store, or a folder, archive, video or data set; what is not cut out yet is prepared
                first.
            out: Folder of the answers; made if missing.
            classes: Names, or the name of a taxonomy; by default those of the data, or FERPlus's eight. Of a
                folder that has been labeled before, those of the journal, which change by
                :meth:`change_classes`.
            model: An exported model whose features are learned on and whose guesses come first; the face
                network's features by default.
            labels: Files of labels to start from: tables, Label Studio, CVAT.
            rule: What picks the faces, of :data:`halfsmile.label.learn.acquisition.RULES`.
            seed: Of everything that is left to chance.
            share: Of the questions that is kept apart to measure, 0 to 0.5.
            aligned: Take pictures as they are, each as one face; None does so where the layout tells.
            detector: Finds the faces otherwise.
            extractor: Features of one's own.
            trains: Whether to train in the background.

        Raises:
            ValueError: If there are no faces, the classes are no classes, another process is labeling there,
                or the folder holds answers about other faces.
            OSError: If the folder can't be written.
        """
        out = Path(out)
        if rule is not None:
            require_rule(rule)
        wanted = named_classes(classes)
        pool, preparing = open_faces(Path(faces), out, aligned=aligned, detector=detector)
        journal = Journal(out)
        try:
            state = State.of(journal.events())
            model_path = None if model is None else Path(model)
            labeling = cls(
                pool,
                out,
                journal,
                state,
                extractor=extractor or (lambda: choose_extractor(model_path)),
                preparing=preparing,
                classes=wanted,
                seed=seed,
                share=share,
                trains=trains,
                data=Path(faces),
            )
        except BaseException:
            journal.close()
            raise
        try:
            if labels and pool is None:
                raise ValueError(
                    "Labels are matched with faces that are cut out: run `halfsmile data prepare` first, and "
                    "give its store."
                )
            for path in labels:
                import_answers(labeling, Path(path))
            if rule is not None and rule != labeling.rule:
                labeling.change_rule(rule)
        except BaseException:
            labeling.close()
            raise
        return labeling

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
        if not self.state.classes:
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

    def next(
        self, annotator: str = ME, *, count: int = 1, rule: str | None = None, second: bool = False
    ) -> list[dict[str, Any]]:
        """Faces to ask somebody now, the most useful first, see :func:`halfsmile.label.views.face_of`.

        Args:
            annotator: Who will answer.
            count: Number of faces; fewer where fewer are left.
            rule: Takes the place of the present rule for good.
            second: Ask for a second opinion on faces that others answered.

        Raises:
            ValueError: If the rule is unknown.
            NotReadyError: While faces are being prepared.
        """
        with self.guard:
            if rule and rule != self.rule:
                self.change_rule(rule)
            if second:
                picked = self.learning.second_opinions(annotator, count)
                for row, _ in picked:
                    self.asking.lease(row, annotator)
            else:
                picked = self.asking.next(annotator, count)
                if len(picked) < count or self.asking.is_short:
                    self.learning.wake()
            return [face_of(self, row, why) for row, why in picked]

    def answer(self, annotator: str, answers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Take answers; when this returns, they are on the disk.

        Args:
            annotator: Who answered.
            answers: Each with ``face`` (its id), ``kind`` (``label``, ``votes``, ``not_a_face``,
                ``cant_tell``, ``skip``), ``labels`` or ``votes``, and perhaps ``token``: an answer whose
                token is known counts as taken.

        Returns:
            ``answered``, the number of faces answered by anybody, and ``mine``.

        Raises:
            AnswerError: If one is malformed; none was taken.
            UnknownFaceError: If there is no such face.
            UnknownClassError: If there is no such class.
            DiskFullError: If they could not be written; none was taken.
        """
        with self.guard:
            name = checked_name(annotator, self.state.annotators)
            fresh: list[dict[str, Any]] = []
            tokens: set[str] = set()
            for given in answers:
                event = checked_answer(self, name, given)
                token = event.get("token")
                if token is None or (token not in self.state.tokens and token not in tokens):
                    tokens.add(token or "")
                    fresh.append(event)
            if fresh:
                first = self.journal.next_number
                self._record([{**event, "batch": first} for event in fresh])
                for event in fresh:
                    self._mark(int(event["face"]))
                    self.learning.note_answer(int(event["face"]))
                self._speed.note(name, sum(event["kind"] != "skip" for event in fresh))
                self.learning.wake()
            return self._told(name)

    def undo(self, annotator: str = ME, token: str | None = None) -> dict[str, Any]:
        """Take back what somebody sent last, all of it, or the one answer of a token.

        Args:
            annotator: Who answered.
            token: Of the answer; where none of theirs that counts has it (any more), nothing happens, so
                that it does no harm to ask again.

        Returns:
            ``face``, the last of its faces or None, ``faces`` all of them, ``answered`` and ``mine``.

        Raises:
            NothingToUndoError: If there is nothing and no token was given.
        """
        with self.guard:
            undone = self.state.to_undo(annotator, token)
            if not undone:
                return {"face": None, "faces": [], **self._told(annotator)}
            self._record(
                [{"event": "undo", "annotator": annotator, "undone": [answer.seq for answer in undone]}]
            )
            for answer in undone:
                self._mark(answer.face)
                self.asking.lease(answer.face, annotator)
            faces = [face_of(self, answer.face, "taken back") for answer in undone]
            self.learning.wake()
            return {"face": faces[-1], "faces": faces, **self._told(annotator)}

    def change_classes(
        self,
        *,
        add: str | None = None,
        rename: tuple[str, str] | None = None,
        merge: tuple[str, str] | None = None,
    ) -> None:
        """Add a class, rename one, or merge the first into the second; answers go along.

        Raises:
            ValueError: If not exactly one is asked for, a name is empty or there already, or a class is
                unknown.
        """
        with self.guard:
            change = checked_change(self.state.classes, add=add, rename=rename, merge=merge)
            self._record([{"event": "class", **change}])
            if self._learning is not None:
                self.learning.classes_changed()

    def change_rule(self, rule: str) -> None:
        """Let another rule pick the faces from now on.

        Raises:
            ValueError: If it is unknown.
        """
        require_rule(rule)
        with self.guard:
            self._record([{"event": "rule", "rule": rule}])
            if self._learning is not None:
                self.learning.rank_again()

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

    def __enter__(self) -> Labeling:
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
        """Faces have answers that came another way than by :meth:`answer`."""
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

    def _told(self, annotator: str) -> dict[str, int]:
        return {"answered": self.state.answered, "mine": self.state.answered_by(annotator)}
