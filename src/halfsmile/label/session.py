"""Labeling as a Python object: faces in, questions out, answers in, a model that learns meanwhile.

    from halfsmile import Labeling

    with Labeling.open("faces", out="labels", classes=["calm", "glad"]) as labeling:
        face = labeling.next("me")[0]
        labeling.answer("me", [{"face": face["id"], "kind": "label", "labels": ["glad"]}])

The HTTP interface calls nothing else. Every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from halfsmile.label.asking import SHARE
from halfsmile.label.inputs import checked_answer, import_answers, open_faces
from halfsmile.label.journal import Journal
from halfsmile.label.learn.extractors import choose_extractor
from halfsmile.label.learn.features import Extractor
from halfsmile.label.names import checked_change, checked_name, named_classes, require_rule
from halfsmile.label.parts import Parts
from halfsmile.label.state import State
from halfsmile.label.views import face_of

ME = "me"


class Labeling(Parts):
    """Faces, what people said of them, and what was learned from that. Use :meth:`open`."""

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
            ValueError: If there are no faces, the classes are no classes, the folder can't be written,
                another process is labeling there, or it holds answers about other faces.
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

    def release(self, annotator: str, faces: Sequence[str]) -> int:
        """Let others be asked faces that were handed to somebody who will not answer them now.

        Args:
            annotator: Who was asked.
            faces: Their ids.

        Returns:
            How many of them had been kept for this person.

        Raises:
            UnknownFaceError: If there is no such face.
            NotReadyError: While faces are being prepared.
        """
        with self.guard:
            rows = [self.row(face) for face in faces]
            return sum(self.asking.release(row, annotator) for row in rows)

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
            NotReadyError: While faces are being prepared.
        """
        with self.guard:
            learning = self.learning
            change = checked_change(self.state.classes, add=add, rename=rename, merge=merge)
            self._record([{"event": "class", **change}])
            learning.classes_changed()

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

    def _told(self, annotator: str) -> dict[str, int]:
        return {"answered": self.state.answered, "mine": self.state.answered_by(annotator)}
