"""Slots for the people of a video: as many as there is room for, given to those who are seen longest."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Generic, TypeVar

T = TypeVar("T")


class PersonSlots(Generic[T]):
    """Something about each person, for a limited number of them.

    When a new person comes and there is no room, they take the place of the one who was seen in the fewest
    frames and is not in view. Somebody who lost their place begins anew when they come back.

    Args:
        room: People that something is kept of at a time.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.kept: dict[int, T] = {}  # by track
        self._frames: dict[int, int] = {}
        self._known: set[int] = set()

    def see(self, track: int, in_view: Container[int], new: Callable[[], T]) -> T | None:
        """Count a frame in which a person is seen.

        Args:
            track: The person.
            in_view: Everybody in this frame.
            new: Makes what is kept of a person.

        Returns:
            What is kept of this one; None if there is no room.
        """
        self._known.add(track)
        if track not in self.kept:
            if len(self.kept) >= self.room:
                gone = [other for other in self.kept if other not in in_view]
                if not gone:
                    return None
                least = min(gone, key=self._frames.__getitem__)
                del self.kept[least], self._frames[least]
            self.kept[track], self._frames[track] = new(), 0
        self._frames[track] += 1
        return self.kept[track]

    def longest(self, count: int) -> list[int]:
        """Tracks of those who were seen in the most frames, in order of their numbers."""
        return sorted(sorted(self.kept, key=lambda track: -self._frames[track])[:count])

    @property
    def num_seen(self) -> int:
        """How many were seen at all."""
        return len(self._known)
