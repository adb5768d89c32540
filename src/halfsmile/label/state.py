"""What all answers come to, rebuilt from the journal's events one by one.

==========  ======================================================================================
event       holds
==========  ======================================================================================
``begin``   ``version``, ``data``, ``faces``, ``seed``, ``classes``: the first line
``answer``  ``face``, ``image``, ``annotator``, ``kind``, ``labels`` or ``votes``, ``random``, ``token``
``undo``    ``annotator``, ``undone``: the numbers of the answers that no longer count
``class``   ``add`` a name, or ``rename`` or ``merge`` ``[from, to]``
``rule``    ``rule``: what picks the faces from now on
==========  ======================================================================================

A class that is renamed or merged takes its answers along; the lines of the journal keep the names that they
were written with, and :meth:`State.resolve` still understands an old name.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from halfsmile.label.journal import Event

Kind = Literal["label", "votes", "not_a_face", "cant_tell", "skip"]
KINDS: tuple[Kind, ...] = get_args(Kind)
VERSION = 1


class UnknownClassError(ValueError):
    """A name that is no class."""


class NothingToUndoError(ValueError):
    """This annotator has no answer that counts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said of a face.

    Args:
        seq: Number in the journal.
        face: Row of the pool.
        annotator: Who.
        kind: What sort of answer.
        votes: Class to weight, positive; empty where the kind is not label or votes.
        is_random: Whether the face had been picked by chance, to measure.
        time: When, UTC, ISO 8601.
        batch: Number of the first answer that was sent together with this one.
        token: By which the sender knows it.
    """

    seq: int
    face: int
    annotator: str
    kind: Kind
    votes: dict[str, float]
    is_random: bool
    time: str
    batch: int
    token: str | None = None


@dataclass
class State:
    """Classes and answers as they are now.

    Args:
        classes: Names, in the order of the keys.
        rule: What picks the faces, as far as it was chosen in the journal.
    """

    classes: list[str] = field(default_factory=list)
    rule: str | None = None
    seed: int = 0
    data: str = ""
    faces: int = 0
    names: dict[str, str] = field(default_factory=dict)
    by_face: dict[int, dict[str, Answer]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    random_faces: set[int] = field(default_factory=set)
    answered_faces: set[int] = field(default_factory=set)
    confirmed: set[int] = field(default_factory=set)
    fingerprint: str = ""
    changes: int = 0
    class_changes: int = 0
    _history: dict[str, list[Answer]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _labels: dict[int, str] = field(default_factory=dict)
    _label_counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, events: Iterable[Event]) -> State:
        """The state after some events."""
        state = cls()
        for event in events:
            state.apply(event)
        return state

    def apply(self, event: Event) -> None:
        """Take one event in; kinds of later versions that are not known are passed over.

        Raises:
            ValueError: If the event lacks what it should hold.
        """
        kind = event["event"]
        self.changes += 1
        try:
            if kind == "begin":
                self.classes = list(event["classes"])
                self.names = {name: name for name in self.classes}
                self.seed, self.data, self.faces = event["seed"], event["data"], event["faces"]
                self.fingerprint = event["fingerprint"]
            elif kind == "answer":
                self._answer(event)
            elif kind == "undo":
                self._undo(event["annotator"], set(event["undone"]))
            elif kind == "class":
                self._class(event)
            elif kind == "rule":
                self.rule = event["rule"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"Event {event['seq']} of the journal lacks {error}.") from error

    def resolve(self, name: str) -> str:
        """The class that a name, perhaps an old one, means now.

        Raises:
            UnknownClassError: If it never was a class.
        """
        seen = set()
        while name in self.names and self.names[name] != name and name not in seen:
            seen.add(name)
            name = self.names[name]
        if name not in self.classes:
            raise UnknownClassError(
                f"{name!r} is no class here; the classes are {', '.join(self.classes) or 'none yet'}."
            )
        return name

    def votes(self, face: int) -> dict[str, float]:
        """Weight of each class by all annotators together, one of weight 1 a person; empty without labels."""
        total: dict[str, float] = {}
        for answer in self.by_face.get(face, {}).values():
            for name, weight in self.labels_of(answer).items():
                total[name] = total.get(name, 0.0) + weight
        return total

    def labels_of(self, answer: Answer) -> dict[str, float]:
        """The classes that an answer names, weights summing to 1."""
        whole = sum(answer.votes.values())
        return {name: weight / whole for name, weight in answer.votes.items()}

    def label(self, face: int) -> str | None:
        """The class of most weight; None without labels or where two are level."""
        return self._labels.get(face)

    def _label(self, face: int) -> str | None:
        if self.is_left_out(face):
            return None
        ordered = sorted(self.votes(face).items(), key=lambda item: -item[1])
        if not ordered or (len(ordered) > 1 and ordered[1][1] > ordered[0][1] - 1e-9):
            return None
        return ordered[0][0]

    def is_left_out(self, face: int) -> bool:
        """Whether as many people say that it is no face as give it a label."""
        kinds = [answer.kind for answer in self.by_face.get(face, {}).values()]
        no = kinds.count("not_a_face")
        return no > 0 and no >= sum(kind in ("label", "votes") for kind in kinds)

    def is_disputed(self, face: int) -> bool:
        """Whether two people give it different labels, or one a label and one none because it is no face."""
        said = set()
        for answer in self.by_face.get(face, {}).values():
            if answer.kind in ("label", "votes"):
                labels = self.labels_of(answer)
                said.add(max(labels, key=lambda name: (labels[name], name)))
            elif answer.kind == "not_a_face":
                said.add("")
        return len(said) > 1

    def is_answered(self, face: int) -> bool:
        """Whether somebody answered in any way but by skipping it."""
        return any(answer.kind != "skip" for answer in self.by_face.get(face, {}).values())

    @property
    def answered(self) -> int:
        """Number of faces that somebody answered, skips not counted."""
        return len(self.answered_faces)

    def answered_by(self, annotator: str) -> int:
        """Number of answers of one person that count, skips not among them."""
        return self._counts[annotator]

    @property
    def annotators(self) -> list[str]:
        """Everybody who has answered, the most diligent first."""
        return [name for name, count in self._counts.most_common() if count]

    def history(self, annotator: str) -> Sequence[Answer]:
        """Answers of one person that were not undone, oldest first; the last may be undone next."""
        return self._history.get(annotator, ())

    def to_undo(self, annotator: str, token: str | None = None) -> list[Answer]:
        """The answers that this person sent last, together; or the one of a token, if it still counts.

        Raises:
            NothingToUndoError: If there is none and no token was given.
        """
        history = self._history.get(annotator, [])
        if token is not None:
            return [answer for answer in history if answer.token == token]
        if not history:
            raise NothingToUndoError(f"{annotator} has given no answer that could be taken back.")
        return [answer for answer in history if answer.batch == history[-1].batch]

    def per_class(self) -> dict[str, int]:
        """Number of faces whose label each class is."""
        return {name: self._label_counts[name] for name in self.classes}

    def _answer(self, event: Event) -> None:
        votes: dict[str, float] = {}
        for name, weight in (event.get("votes") or dict.fromkeys(event.get("labels", ()), 1.0)).items():
            now = sys.intern(self.resolve(name))
            votes[now] = votes.get(now, 0.0) + weight
        seq, batch = event["seq"], int(event.get("batch") or 0)
        answer = Answer(
            seq=seq,
            face=int(event["face"]),
            annotator=sys.intern(event["annotator"]),  # one string for all answers, not one each
            kind=event["kind"],
            votes=votes,
            is_random=bool(event.get("random")),
            time=event["time"],
            batch=seq if batch in (0, seq) else batch,
            token=event.get("token"),
        )
        if event.get("token"):
            self.tokens.add(event["token"])
        self._history.setdefault(answer.annotator, []).append(answer)
        self._set(answer.face, answer.annotator, answer)

    def _undo(self, annotator: str, undone: set[int]) -> None:
        history = self._history.get(annotator, [])
        faces = {answer.face for answer in history if answer.seq in undone}
        history[:] = [answer for answer in history if answer.seq not in undone]
        for face in faces:
            earlier = [answer for answer in history if answer.face == face]
            self._set(face, annotator, earlier[-1] if earlier else None)

    def _set(self, face: int, annotator: str, answer: Answer | None) -> None:
        """Let an answer be the one of this person about this face."""
        given = self.by_face.setdefault(face, {})
        before = given.pop(annotator, None)
        self._counts[annotator] -= before is not None and before.kind != "skip"
        is_repeated = before is not None and answer is not None and before.votes == answer.votes != {}
        (self.confirmed.add if is_repeated else self.confirmed.discard)(face)
        if answer is not None:
            given[annotator] = answer
            self._counts[annotator] += answer.kind != "skip"
        if not given:
            del self.by_face[face]
        if any(other.kind != "skip" for other in given.values()):
            self.answered_faces.add(face)
        else:
            self.answered_faces.discard(face)
        if any(other.is_random for other in given.values()):
            self.random_faces.add(face)
        else:
            self.random_faces.discard(face)
        old, new = self._labels.pop(face, None), self._label(face)
        if old is not None:
            self._label_counts[old] -= 1
        if new is not None:
            self._labels[face] = new
            self._label_counts[new] += 1

    def _class(self, event: Mapping[str, Any]) -> None:
        self.class_changes += 1
        if "add" in event:
            self.classes.append(event["add"])
            self.names[event["add"]] = event["add"]
            return
        is_rename = "rename" in event
        old, new = event["rename"] if is_rename else event["merge"]
        place = self.classes.index(old)
        self.names[old] = new
        self.names[new] = new
        if is_rename:
            self.classes[place] = new
        else:
            del self.classes[place]
        for answer in (answer for history in self._history.values() for answer in history):
            if old in answer.votes:
                answer.votes[new] = answer.votes.get(new, 0.0) + answer.votes.pop(old)
        self._labels = {face: label for face in self.by_face if (label := self._label(face)) is not None}
        self._label_counts = Counter(self._labels.values())
