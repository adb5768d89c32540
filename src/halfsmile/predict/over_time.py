"""Answers that depend on several frames of a person, put back into their frames while a video runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from halfsmile.predict.face import Face, Faces

if TYPE_CHECKING:
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video import Seen

Row = npt.NDArray[np.float64]
Decided = tuple[float, Row | None]
"""Time of a frame, and its probabilities (classes,); None for a frame that needs none."""


class PersonOverTime(Protocol):
    """The frames of one person, from the first in which they are seen."""

    def push(self, time: float, face: Face | None, feature: npt.NDArray[np.float32] | None) -> list[Decided]:
        """Take a frame; give those that are now decided.

        Args:
            time: Seconds, rising.
            face: The person in this frame; None where they are not seen.
            feature: (F,) of the model of single frames; None likewise.
        """
        ...

    def finish(self) -> list[Decided]:
        """Decide all frames that are left: the person is gone, or the video is over."""
        ...


@dataclass(eq=False)
class _Waiting:
    seen: Seen
    rows: dict[int, Row]  # by track


def over_time(
    looked: Iterator[Seen],
    predictor: Predictor,
    new_person: Callable[[], PersonOverTime],
    *,
    patience: float,
) -> Iterator[Seen]:
    """The same frames in the same order, each face with the probabilities that are decided for its track.

    A frame is given out when all its faces are decided. Expression, confidence and certainty follow the new
    probabilities. Nothing reaches from one shot into the next: there everybody begins anew.

    Args:
        looked: Frames in order of time.
        predictor: Its labels and threshold are used.
        new_person: Called for each track of each shot.
        patience: Seconds out of sight after which a person is gone.
    """
    waiting: deque[_Waiting] = deque()
    people: dict[tuple[int, int], PersonOverTime] = {}  # by shot and track
    last_seen: dict[tuple[int, int], float] = {}

    def decide(who: tuple[int, int], done: list[Decided]) -> None:
        decided = {time: row for time, row in done if row is not None}
        for frame in waiting if decided else ():
            row = decided.get(frame.seen.frame.time)
            if row is not None and frame.seen.shot == who[0]:
                frame.rows[who[1]] = row

    def ready() -> Iterator[Seen]:
        while waiting and all((face.track or 0) in waiting[0].rows for face in waiting[0].seen.faces):
            yield _with_rows(waiting.popleft(), predictor)

    for seen in looked:
        time = seen.frame.time
        waiting.append(_Waiting(seen, {}))
        present = {(seen.shot, face.track or 0): place for place, face in enumerate(seen.faces)}
        for who in {*people, *present}:
            place = present.get(who)
            if who not in people:
                people[who] = new_person()
            if place is None:
                decide(who, people[who].push(time, None, None))
            else:
                last_seen[who] = time
                decide(who, people[who].push(time, seen.faces[place], seen.features[place]))
            if time - last_seen[who] > patience:
                decide(who, people.pop(who).finish())
                del last_seen[who]
        yield from ready()
    for who, person in people.items():
        decide(who, person.finish())
    yield from ready()


def _with_rows(frame: _Waiting, predictor: Predictor) -> Seen:
    faces = Faces()
    for face in frame.seen.faces:
        faces.append(replace(face, **predictor.judgment(frame.rows[face.track or 0])))
    return replace(frame.seen, faces=faces)
