"""A photograph of a person's resting face, and who in a video is that person.

The rest of somebody else is no reference: their faces differ by more than a faint smile adds. So the face
network compares the photograph with each person of a video, by the best of a few looks. Who is less alike
than :data:`SAME` is answered as if there were no photograph (by their own rest in the video, where that was
asked for), and that is said.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from halfsmile.data.decode import BadImageError
from halfsmile.data.file_kind import file_kind
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.identity import Embedding, FaceIdentity
from halfsmile.predict.inputs import Picture, read_picture, rgb
from halfsmile.predict.person_slots import PersonSlots

if TYPE_CHECKING:
    from halfsmile.data.preprocess import Image
    from halfsmile.predict.face import Face
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video import Seen

SAME = 0.91
"""Cosine of the face network's numbers from which on two faces are taken for one person (lab book)."""

LOOKS, SECONDS, PEOPLE = 6, 0.3, 256


@dataclass(frozen=True, eq=False)
class NeutralFace:
    """What a photograph says of a resting face.

    Args:
        probabilities: By label.
        name: Of the photograph, for people.
        embedding: Who it shows, (128,); None where the face has no landmarks.
    """

    probabilities: Mapping[str, float]
    name: str = "the neutral photograph"
    embedding: Embedding | None = None


def neutral_face(predictor: Predictor, picture: Picture) -> NeutralFace:
    """The one face of a photograph.

    Args:
        predictor: Finds and answers it.
        picture: See :meth:`Predictor.predict`.

    Raises:
        BadImageError: If it can't be read.
        ValueError: If it does not show one face.
    """
    try:
        image, name = read_picture(_photograph(picture))
    except BadImageError as error:
        raise BadImageError(f"The neutral photograph can't be taken: {error}") from error
    faces = predictor.faces([image], [name])[0]
    if len(faces) != 1:
        raise ValueError(
            f"The neutral photograph shows {len(faces) or 'no'} face{'s' * (len(faces) != 1)}; expected "
            "one, of the person in the video."
        )
    has_points = faces[0].landmarks is not None
    embedding = FaceIdentity(threads=1).embed(rgb(image), _detection(faces[0])) if has_points else None
    return NeutralFace(faces[0].probabilities, name, embedding)


def _photograph(picture: Picture) -> Picture:
    """The same, if it is not the path of something that is no picture."""
    if not isinstance(picture, str | os.PathLike) or str(picture).startswith(("http://", "https://")):
        return picture
    path = Path(picture)
    if path.is_dir() or file_kind(path) == "video":
        kind = "folder" if path.is_dir() else "video"
        raise BadImageError(f"{path} is a {kind}; expected one picture of the person's resting face.")
    return picture


@dataclass(eq=False)
class _Looks:
    """How alike a person was at best, the looks so far, and the time of the next."""

    best: float = -1.0
    count: int = 0
    due: float = float("-inf")


class Likeness:
    """Who of the people of a video is not the person of a photograph.

    Args:
        neutral: The photograph.
        identity: The face network; loaded at the first look if None.
        own_rest: Whether everybody else is answered relative to their own resting face.
    """

    def __init__(
        self, neutral: NeutralFace, identity: FaceIdentity | None = None, *, own_rest: bool = False
    ) -> None:
        self.neutral = neutral
        self._own_rest = own_rest
        self._given = identity
        self._people = PersonSlots[_Looks](PEOPLE)
        self._others: dict[int, float] = {}

    def look(self, image: Image, faces: Iterable[Face], time: float) -> frozenset[int]:
        """Look at the people of a frame, unless they are known or were looked at a moment ago.

        Args:
            image: (H, W, 3) uint8, RGB.
            faces: Of the frame.
            time: Seconds, rising.

        Returns:
            Tracks of those who are somebody else, as far as they were seen. Faces without landmarks, there
            or in the photograph, tell nothing, and are taken for the person's.
        """
        if self.neutral.embedding is None:
            return frozenset()
        present = {face.track or 0: face for face in faces if face.landmarks is not None}
        others = set()
        for track, face in present.items():
            looks = self._people.see(track, present, _Looks)
            if looks is None:
                continue
            if looks.best < SAME and looks.count < LOOKS and time >= looks.due:
                found = self._identity.embed(image, _detection(face))
                looks.count, looks.due = looks.count + 1, time + SECONDS
                if found is not None:
                    looks.best = max(looks.best, float(found @ self.neutral.embedding))
            if looks.best < SAME:
                others.add(track)
                self._others[track] = looks.best
            else:
                self._others.pop(track, None)
        return frozenset(others)

    def told(self) -> str | None:
        """A sentence on those who are somebody else; None where nobody is."""
        if not self._others:
            return None
        people, best = sorted(self._others), f"{max(self._others.values()):.2f}"
        if len(people) == 1:
            who, likeness = f"Person {people[0]} looks", best
        else:
            shown = ", ".join(map(str, people[:8])) + (" and others" if len(people) > 8 else "")
            who, likeness = f"People {shown} look", f"{best} at best"
        relative = "relative to their own rest instead" if self._own_rest else "not relative to it"
        return (
            f"{who} like somebody else than {self.neutral.name} shows (likeness {likeness}, of one person "
            f"{SAME} or more): their answers are {relative}."
        )

    @cached_property
    def _identity(self) -> FaceIdentity:
        return self._given or FaceIdentity(threads=1)


def tell_others(frames: Iterable[Seen], likeness: Likeness, problems: list[str] | None) -> Iterator[Seen]:
    """The same frames, each with the tracks of those who are not the person of the photograph.

    Args:
        frames: Of a video, with pictures.
        likeness: To the photograph.
        problems: Gets a sentence on them at the end; if None, they are warned of.
    """
    try:
        for seen in frames:
            yield replace(seen, others=likeness.look(seen.frame.image, seen.faces, seen.frame.time))
    finally:
        told = likeness.told()
        if told and problems is None:
            warnings.warn(told, stacklevel=2)
        elif told and problems is not None:
            problems.append(told)


def _detection(face: Face) -> Detection:
    return Detection(np.array(face.box, np.float32), np.array(face.landmarks, np.float32), face.score)
