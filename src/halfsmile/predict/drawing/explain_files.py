"""Explanations as files, one for each face of a picture and one for each person of a video.

Of a video only the frame is explained in which the model was surest of a person, so that an hour of video
costs no more than a photograph of the same people. Memory does not grow: one crop is kept for each person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from halfsmile.data.preprocess import Image
from halfsmile.predict.drawing.explain_picture import draw_explanation
from halfsmile.predict.explain import Explanation, explain_answer
from halfsmile.predict.face import Face
from halfsmile.predict.person_slots import PersonSlots
from halfsmile.predict.predictor import Predictor
from halfsmile.utils.files import atomic_write

PEOPLE = 30  # of a video that are explained: those who are seen longest
SLOTS = 300  # people of whom a crop is kept at a time

Say = Callable[[str], None]
"""Is told which face is being explained."""


def write_explanation(path: Path, explanation: Explanation, where: str = "") -> None:
    """Write an explanation as a PNG file; see :mod:`halfsmile.predict.drawing.explain_picture`.

    Raises:
        OSError: If it can't be written.
    """
    pixels = cv2.cvtColor(draw_explanation(explanation, where), cv2.COLOR_RGB2BGR)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def explain_picture(
    predictor: Predictor, place: Path, image: Image, faces: Sequence[Face], *, say: Say
) -> list[Path]:
    """Explain all faces of a picture, in ``PLACE-face-1.png``, ``PLACE-face-2.png`` and so on.

    Args:
        predictor: The one that found them.
        place: Folder and beginning of the names.
        image: RGB (H, W, 3) or gray (H, W, 1), uint8.
        faces: In pixels of it.
        say: Gets a note before each face.
    """
    written = []
    for number, face in enumerate(faces, start=1):
        say(f"explaining face {number} of {len(faces)}")
        explanation = explain_answer(predictor.model, face, predictor.crop_of(image, face))
        written.append(place.with_name(f"{place.name}-face-{number}.png"))
        write_explanation(written[-1], explanation, f"{Path(face.source).name}, face {number}")
    return written


@dataclass(eq=False)
class _Person:
    face: Face
    crop: Image


class PeopleOfVideo:
    """Keeps the surest frame of each person while a video runs.

    Args:
        predictor: The one that finds the faces.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._people: PersonSlots[_Person] = PersonSlots(SLOTS)

    def add(self, image: Image, faces: Sequence[Face]) -> None:
        """Take a frame (H, W, 3) and its faces."""
        seen = {face.track or 0: face for face in faces}
        for track, face in seen.items():
            person = self._people.see(track, seen, partial(self._new, image, face))
            if person is not None and face.confidence > person.face.confidence:
                person.face, person.crop = face, self.predictor.crop_of(image, face)

    def _new(self, image: Image, face: Face) -> _Person:
        return _Person(face, self.predictor.crop_of(image, face))

    def write(self, place: Path, *, say: Say) -> list[Path]:
        """Explain each person, in ``PLACE-person-1-frame-27.png`` and so on.

        Args:
            place: Folder and beginning of the names.
            say: Gets a note before each person.
        """
        longest = self._people.longest(PEOPLE)
        written = []
        for number, track in enumerate(longest, start=1):
            say(f"explaining person {number} of {len(longest)}")
            face, crop = self._people.kept[track].face, self._people.kept[track].crop
            written.append(place.with_name(f"{place.name}-person-{track}-frame-{face.frame}.png"))
            where = f"{Path(face.source).name}, person {track} at {face.time or 0:.2f} s"
            write_explanation(written[-1], explain_answer(self.predictor.model, face, crop), where)
        return written
