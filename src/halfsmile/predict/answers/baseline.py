"""The person as their own reference: answers in a video relative to that person's resting face.

Resting faces differ by more than a faint smile adds: a model ranks a person's smiles above the same person's
neutral frames and still calls both neutral. So with m_c = log p_c − log p_neutral of a frame, and

    b_c = min(0, the 25th percentile of m_c over the frames of the person)

the answers are those of m′_c = max(m_c, m_c − b_c − t_c): what rises by more than t_c above the person's own
rest counts as shown, and nothing ever falls. A smile rises regularly; another expression needs a larger rise,
and odds from which it is possible at all. The numbers were chosen on made sequences (lab book).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from halfsmile.predict.answers.doubt import strange_in
from halfsmile.predict.answers.judgment import Judge
from halfsmile.predict.person_slots import PersonSlots

if TYPE_CHECKING:
    from halfsmile.predict.video import Seen

Baseline = Literal["person"]
Reference = Literal["own", "photograph"]
"""Whose rest an answer is relative to: the person's own in the video, or that of the neutral photograph."""

Floats = npt.NDArray[np.float64]
NEUTRAL = "neutral"
PEOPLE = 256
_LOW, _HIGH, _STEP = -14.0, 14.0, 0.05
_BINS = round((_HIGH - _LOW) / _STEP)


@dataclass(frozen=True)
class Rise:
    """What counts as shown, in natural logarithms of odds against neutral.

    Args:
        percentile: Of a person's frames, that is their rest.
        smile: t of happiness.
        other: t of the other expressions.
        least: m_c from which another expression is possible at all.
    """

    percentile: float = 25.0
    smile: float = 1.5
    other: float = 3.0
    least: float = -1.5


class PersonBaseline:
    """The resting faces of the people of a video, and answers relative to them.

    Args:
        labels: Of the model, ``neutral`` among them.
        rise: What counts as shown.

    Raises:
        ValueError: If there is no such class.

    Example:
        >>> baseline = PersonBaseline(("neutral", "happiness"))
        >>> for _ in range(9):
        ...     baseline.see(1, [0.99, 0.01], in_view=[1])
        >>> baseline.answer(1, [0.80, 0.20]).round(2).tolist()
        [0.16, 0.84]
    """

    def __init__(self, labels: Sequence[str], rise: Rise | None = None) -> None:
        if NEUTRAL not in labels:
            raise ValueError(
                f"A person's resting face is known by the class {NEUTRAL!r}, and the model has "
                f"{', '.join(labels)}. Leave --baseline and --neutral away."
            )
        self.labels = tuple(labels)
        self.rise = rise or Rise()
        self._neutral = self.labels.index(NEUTRAL)
        is_smile = np.array([label == "happiness" for label in self.labels])
        self._threshold = np.where(is_smile, self.rise.smile, self.rise.other)
        self._least = np.where(is_smile, -np.inf, self.rise.least)
        self._people = PersonSlots[npt.NDArray[np.int64]](PEOPLE)
        self._fixed: Floats | None = None

    def fix(self, probabilities: npt.ArrayLike) -> None:
        """Take a neutral photograph, (classes,), as the rest of whom it shows, whatever the video shows."""
        self._fixed = np.minimum(self._margins(probabilities), 0)

    def see(self, track: int, probabilities: npt.ArrayLike, *, in_view: Sequence[int]) -> None:
        """Count a frame of a person.

        Args:
            track: The person.
            probabilities: (classes,).
            in_view: Everybody in this frame.
        """
        counts = self._people.see(track, in_view, lambda: np.zeros((len(self.labels), _BINS), np.int64))
        if counts is not None:
            place = ((self._margins(probabilities) - _LOW) / _STEP).astype(int).clip(0, _BINS - 1)
            counts[np.arange(len(self.labels)), place] += 1

    def reference(self, track: int, *, is_other: bool = False) -> Reference | None:
        """Whose rest a person's answers are relative to; None where nothing is known of them.

        Args:
            track: The person.
            is_other: Whether the neutral photograph shows somebody else.
        """
        if self._fixed is not None and not is_other:
            return "photograph"
        return "own" if track in self._people.kept else None

    def rest(self, track: int, *, is_other: bool = False) -> Floats | None:
        """B (classes,) of a person; None where nothing is known of them; see :meth:`reference`."""
        if self._fixed is not None and not is_other:
            return self._fixed
        counts = self._people.kept.get(track)
        if counts is None:
            return None
        cumulated = counts.cumsum(axis=1)
        wanted = np.ceil(cumulated[:, -1:] * self.rise.percentile / 100).clip(1)
        place = (cumulated >= wanted).argmax(axis=1)
        return np.asarray(np.minimum(_LOW + _STEP * (place + 0.5), 0), np.float64)

    def answer(self, track: int, probabilities: npt.ArrayLike, *, is_other: bool = False) -> Floats:
        """Probabilities (classes,) relative to the person's rest; those given where nothing is known.

        Args:
            track: The person.
            probabilities: (classes,).
            is_other: As for :meth:`reference`.
        """
        given = np.asarray(probabilities, np.float64)
        rest = self.rest(track, is_other=is_other)
        if rest is None:
            return given
        margins = self._margins(given)
        risen = np.where(margins >= self._least, margins - rest - self._threshold, -np.inf)
        risen[self._neutral] = 0.0
        odds = np.exp(np.maximum(margins, risen).clip(_LOW, _HIGH))
        return np.asarray(odds / odds.sum(), np.float64)

    def _margins(self, probabilities: npt.ArrayLike) -> Floats:
        logs = np.log(np.asarray(probabilities, np.float64).clip(1e-6))
        return np.asarray((logs - logs[self._neutral]).clip(_LOW, _HIGH), np.float64)


def relate_to_rest(
    frames: Iterable[Seen],
    judge: Judge,
    person: PersonBaseline,
    *,
    first: Callable[[], Iterable[Seen]] | None = None,
    learn: bool = False,
) -> Iterator[Seen]:
    """The same frames in the same order, each answer relative to the rest of the person.

    Args:
        frames: Of a video, with answers.
        judge: Of the model's answers.
        person: What is known of the people.
        first: The same frames once more, to learn from before.
        learn: Learn from the frames as they come.
    """
    with suppress(Exception):  # where the video breaks off, the second look tells
        for seen in () if first is None else first():
            _learn(person, seen)
    for seen in frames:
        if learn:
            _learn(person, seen)
        rows: list[Floats] = []
        references: dict[int, Reference] = {}
        for face in seen.faces:
            track, is_other = face.track or 0, face.track in seen.others
            given = np.array(list(face.probabilities.values()), np.float64)
            if strange_in(face.doubt):  # too strange to tell of a rise
                rows.append(given)
                continue
            rows.append(person.answer(track, given, is_other=is_other))
            if reference := person.reference(track, is_other=is_other):
                references[track] = reference
        yield replace(seen, faces=judge.judged(seen.faces, rows), references=references)


def _learn(person: PersonBaseline, seen: Seen) -> None:
    in_view = [face.track or 0 for face in seen.faces]
    for face in (face for face in seen.faces if not strange_in(face.doubt)):
        person.see(face.track or 0, list(face.probabilities.values()), in_view=in_view)
