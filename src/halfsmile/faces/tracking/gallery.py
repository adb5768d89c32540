"""Who was seen before in a video, so that somebody who comes back keeps their number.

A gallery, as in person re-identification, holds a few descriptors of each person. Who begins to be followed
is compared with everybody who is not in view, and is the one who is most alike, if alike enough. Under one
number for two people every average over time is wrong, under two for one person it only knows less. So the
least similarity is high: who turns their head or comes back in another light may get a new number. With the
face network they mostly keep theirs, as they do in another video, where trackers share a gallery.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.descriptor import Descriptor, describe
from halfsmile.faces.tracking.identity import Embedding, FaceIdentity


@dataclass(frozen=True, eq=False)
class _Known:
    time: float  # of the latest descriptor
    descriptors: tuple[Descriptor, ...]
    embeddings: tuple[Embedding, ...] = ()


class Gallery:
    """The people of a video.

    Args:
        min_similarity: Of descriptors, from which on two faces are one person. Of 5,100 pairs of different
            people in the same light and pose none reaches 0.72; of faces far out of focus, 6 % do.
        room: Number of people; who was seen longest ago makes room. 0 remembers nobody.
        descriptors: Number of them a person; the oldest makes room.
        seconds: Time from one descriptor of a person to the next.
        identity: The face network, to know people by, too; None for the descriptors alone.
        min_identity: Cosine of the network's numbers from which on two faces are one person. Of 19,700 pairs
            of different people on photographs (LFW) 2 reach 0.95.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        min_similarity: float = 0.72,
        room: int = 50,
        descriptors: int = 8,
        seconds: float = 0.5,
        identity: FaceIdentity | None = None,
        min_identity: float = 0.95,
    ) -> None:
        if not 0 < min_similarity <= 1 or room < 0 or descriptors < 1 or seconds < 0:
            raise ValueError(
                f"Found min_similarity = {min_similarity}, room = {room}, descriptors = {descriptors}, "
                f"seconds = {seconds}; min_similarity lies above 0 and up to 1, descriptors is 1 or more, "
                "and the others are not negative."
            )
        self.min_similarity = min_similarity
        self.room = room
        self.descriptors = descriptors
        self.seconds = seconds
        self.identity = identity
        self.min_identity = min_identity
        self._last = 0
        self._people: dict[int, _Known] = {}  # who was seen longest ago first

    def copy(self) -> Gallery:
        """The same people, apart from what is seen from now on."""
        other = copy(self)
        other._people = dict(self._people)
        return other

    def new_number(self) -> int:
        """A number that nobody has had, from 1."""
        self._last += 1
        return self._last

    def see(self, person: int, image: Image, face: Detection, time: float) -> None:
        """Remember how somebody looks, unless that was done a moment ago.

        Args:
            person: Their number.
            image: (H, W, 3) uint8, RGB.
            face: Where they are in it.
            time: Seconds, rising.
        """
        known = self._people.pop(person, None)
        if known is None or abs(time - known.time) >= self.seconds:
            descriptor = describe(image, face)
            embedding = None if self.identity is None else self.identity.embed(image, face)
            if descriptor is not None:
                before = _Known(time, ()) if known is None else known
                embeddings = before.embeddings if embedding is None else (*before.embeddings, embedding)
                known = _Known(
                    time,
                    (*before.descriptors, descriptor)[-self.descriptors :],
                    embeddings[-self.descriptors :],
                )
        if known is not None:
            self._people[person] = known
        while len(self._people) > self.room:
            del self._people[next(iter(self._people))]

    def identify(self, image: Image, faces: Sequence[Detection], in_view: Container[int]) -> list[int | None]:
        """Tell who some faces are.

        Args:
            image: (H, W, 3) uint8, RGB.
            faces: Of people who begin to be followed.
            in_view: Numbers that are given already in this frame.

        Returns:
            The number of each, all different; None for who was not seen before.
        """
        absent = [(number, person) for number, person in self._people.items() if number not in in_view]
        similarity = np.zeros((len(faces), len(absent)))
        for i, face in enumerate(faces) if absent else ():
            descriptor = describe(image, face)
            if descriptor is not None:
                similarity[i] = [
                    max(float(known @ descriptor) for known in person.descriptors) / self.min_similarity
                    for _, person in absent
                ]
            embedding = None if self.identity is None else self.identity.embed(image, face)
            for j, (_, person) in enumerate(absent):
                if embedding is not None and person.embeddings:
                    likeness = max(float(known @ embedding) for known in person.embeddings)
                    similarity[i, j] = max(similarity[i, j], likeness / self.min_identity)
        found: list[int | None] = [None] * len(faces)
        while similarity.size and similarity.max() >= 1:
            row, column = divmod(int(similarity.argmax()), len(absent))
            found[row] = absent[column][0]
            similarity[row], similarity[:, column] = -1, -1
        return found
