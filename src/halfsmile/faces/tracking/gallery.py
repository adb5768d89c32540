"""Who was seen before in a video, so that somebody who comes back keeps their number.

A gallery, as in person re-identification, holds a few descriptors of each person. Who begins to be followed
is compared with everybody who is not in view, and is the one who is most alike, if alike enough. Under one
number for two people every average over time is wrong, under two for one person it only knows less. So the
least similarity is high: who turns their head or comes back in another light may get a new number.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.descriptor import Descriptor, describe


@dataclass(frozen=True, eq=False)
class _Known:
    time: float  # of the latest descriptor
    descriptors: tuple[Descriptor, ...]


class Gallery:
    """The people of a video.

    Args:
        min_similarity: Of descriptors, from which on two faces are one person. Of 5,100 pairs of different
            people in the same light and pose none reaches 0.72; of faces far out of focus, 6 % do.
        room: Number of people; who was seen longest ago makes room. 0 remembers nobody.
        descriptors: Number of them a person; the oldest makes room.
        seconds: Time from one descriptor of a person to the next.

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
    ) -> None:
        if not 0 <= min_similarity <= 1 or room < 0 or descriptors < 1 or seconds < 0:
            raise ValueError(
                f"Found min_similarity = {min_similarity}, room = {room}, descriptors = {descriptors}, "
                f"seconds = {seconds}; min_similarity lies between 0 and 1, descriptors is 1 or more, and "
                "the others are not negative."
            )
        self.min_similarity = min_similarity
        self.room = room
        self.descriptors = descriptors
        self.seconds = seconds
        self._people: dict[int, _Known] = {}  # who was seen longest ago first

    def see(self, person: int, image: Image, face: Detection, time: float) -> None:
        """Remember how somebody looks, unless that was done a moment ago.

        Args:
            person: Their number.
            image: (H, W, 3) uint8, RGB.
            face: Where they are in it.
            time: Seconds, rising.
        """
        known = self._people.pop(person, None)
        if known is None or time - known.time >= self.seconds:
            descriptor = describe(image, face)
            if descriptor is not None:
                before = () if known is None else known.descriptors
                known = _Known(time, (*before, descriptor)[-self.descriptors :])
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
                    max(float(known @ descriptor) for known in person.descriptors) for _, person in absent
                ]
        found: list[int | None] = [None] * len(faces)
        while similarity.size and similarity.max() >= self.min_similarity:
            row, column = divmod(int(similarity.argmax()), len(absent))
            found[row] = absent[column][0]
            similarity[row], similarity[:, column] = -1, -1
        return found
