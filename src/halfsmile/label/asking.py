"""Who is asked which face next: the ranking of a rule, a share by chance, nobody twice, no two at once.

A permutation drawn once from the seed decides everything that is left to chance. Its first faces, up to the
share that is kept apart, are the reserve: they are asked in that order, are what accuracy is measured on, and
are never picked by a rule or trained on. So they are a plain random sample of the pool, whatever else is
asked. Faces of one group (near copies, one person in neighboring frames) are one question.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

LEASE_SECONDS = 120.0
HELD_SECONDS = 3.0
"""After so long somebody who asks for more is taken to have lost what is leased to them."""
SHARE = 0.15
"""Share of the questions that is kept apart to measure."""
_MOST = 0.5

Rows = npt.NDArray[np.int64]


@dataclass(eq=False)
class Asking:
    """What has been handed out and what comes next; used under one lock.

    Args:
        count: Number of faces.
        seed: Of the permutation.
        share: Of the questions that are picked by chance to measure, 0 to 0.5.
        clock: Seconds that only go forward.

    Raises:
        ValueError: If the share is out of its range.
    """

    count: int
    seed: int = 0
    share: float = SHARE
    clock: Callable[[], float] = time.monotonic
    order: Rows = field(init=False)
    groups: Rows = field(init=False)
    unreadable: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not 0 <= self.share <= _MOST:
            raise ValueError(
                f"The share kept apart to measure lies between 0 and {_MOST}, found {self.share}."
            )
        self.order = np.random.default_rng([self.seed, 1]).permutation(self.count).astype(np.int64)
        self._leases: dict[int, tuple[str, float]] = {}
        self._handed_random: set[int] = set()
        self.rank([])
        self._done = np.zeros(self.count, np.bool_)
        self._skipped: dict[str, set[int]] = {}
        self._chance_at = self._reserve_at = 0
        self._asked = [0, 0]
        self.set_groups(np.arange(self.count, dtype=np.int64))

    @property
    def reserve(self) -> set[int]:
        """Rows that are kept apart, whole groups."""
        return self._reserve

    def set_groups(self, groups: Rows) -> None:
        """Say which faces are one question, (N,) numbers."""
        self.groups = groups
        self._members: dict[int, list[int]] = {}
        values, counts = np.unique(groups, return_counts=True)
        shared = set(values[counts > 1].tolist())
        if shared:
            for row, group in enumerate(groups.tolist()):
                if group in shared:
                    self._members.setdefault(group, []).append(row)
        wanted = round(self.share * self.count)
        first = self.order[:wanted]
        self._reserve_order = first
        self._reserve = set(np.flatnonzero(np.isin(groups, groups[first])).tolist())
        self._closed = np.zeros(self.count, np.bool_)
        for row in np.flatnonzero(self._done).tolist():
            self._closed[self.alike(row)] = True
        self._chance_at = self._reserve_at = 0

    @property
    def is_short(self) -> bool:
        """Whether the ranking is nearly used up."""
        return len(self._ranked) < 16

    def alike(self, row: int) -> list[int]:
        """The rows of one question, this one among them."""
        return self._members.get(int(self.groups[row]), [row])

    def rank(self, ranked: Iterable[tuple[int, str]]) -> None:
        """Take a new ranking, (row, why) best first."""
        self._ranked = list(ranked)[::-1]
        self._places = {row: place for place, (row, _) in enumerate(self._ranked)}
        self._taken: dict[int, str] = {}  # rows handed out of this ranking, and why

    def mark(self, row: int, *, is_answered: bool) -> None:
        """A face was answered, or its last answer taken back."""
        self._leases.pop(row, None)
        if is_answered:
            self._done[row] = self._closed[self.alike(row)] = True
        elif self._done[row]:
            self._done[row] = False
            alike = self.alike(row)
            self._closed[alike] = self._done[alike].any()
            self._chance_at = self._reserve_at = 0

    def mark_skipped(self, row: int, annotator: str) -> None:
        """Somebody wants this face later."""
        self._leases.pop(row, None)
        self._skipped.setdefault(annotator, set()).add(row)

    def mark_random(self, row: int) -> None:
        """A face that was picked by chance to measure, as an earlier process handed it out."""
        self._handed_random.add(row)

    def is_random(self, row: int) -> bool:
        """Whether a face was handed out as one of the reserve: its answer measures and teaches nothing."""
        return row in self._handed_random and row in self._reserve

    def lease(self, row: int, annotator: str) -> None:
        """Keep a face from others for a while."""
        self._leases[row] = annotator, self.clock() + LEASE_SECONDS

    def release(self, row: int, annotator: str) -> bool:
        """Let others have a face that is kept for this person, as early as it was ranked; whether it was."""
        lease = self._leases.get(row)
        if lease is None or lease[0] != annotator:
            return False
        del self._leases[row]
        why = self._taken.pop(row, None)
        if why is not None:
            insort(self._ranked, (row, why), key=lambda one: self._places[one[0]])
        return True

    def open_rows(self) -> Rows:
        """Rows that a rule may pick: one of each question that is open and not of the reserve."""
        allowed = ~self._closed
        allowed[list(self._reserve)] = False
        if self.unreadable:
            allowed[list(self.unreadable)] = False
        rows = np.flatnonzero(allowed)
        if self._members:
            _, firsts = np.unique(self.groups[rows], return_index=True)
            rows = rows[np.sort(firsts)]
        return rows.astype(np.int64)

    def next(self, annotator: str, count: int) -> list[tuple[int, str]]:
        """Faces to ask this person now, (row, why), leased; fewer where fewer are left."""
        now = self.clock()
        self._leases = {row: lease for row, lease in self._leases.items() if lease[1] > now}
        mine = self._skipped.get(annotator, set())
        found: list[tuple[int, str]] = []
        while len(found) < count:
            picked = self._pick(mine)
            if picked is None:
                picked = next(
                    ((row, "you skipped it before") for row in sorted(mine) if self._is_free(row)), None
                )
            if picked is None:
                picked = self._held(annotator, now)
            if picked is None:
                break
            self.lease(picked[0], annotator)
            mine.discard(picked[0])
            found.append(picked)
        return found

    def _held(self, annotator: str, now: float) -> tuple[int, str] | None:
        """Where nothing else is left, a face that this person has had for a while and did not answer."""
        for row, (who, until) in self._leases.items():
            if who == annotator and until - now <= LEASE_SECONDS - HELD_SECONDS and not self._is_closed(row):
                return row, "you were asked before"
        return None

    def _pick(self, skipped: set[int]) -> tuple[int, str] | None:
        to_measure = self._asked[1] < self.share * (sum(self._asked) + 1)
        for is_random in (to_measure, not to_measure):
            picked = self._random(skipped) if is_random else self._ruled(skipped)
            if picked is not None:
                self._asked[is_random] += 1
                return picked
        return None

    def _random(self, skipped: set[int]) -> tuple[int, str] | None:
        order = self._reserve_order
        while self._reserve_at < len(order) and self._is_closed(int(order[self._reserve_at])):
            self._reserve_at += 1
        for row in map(int, order[self._reserve_at :]):
            if self._is_free(row) and row not in skipped:
                self._handed_random.add(row)
                return row, "picked by chance: kept apart to measure"
        return None

    def _ruled(self, skipped: set[int]) -> tuple[int, str] | None:
        later = []
        picked = None
        while self._ranked and picked is None:
            row, why = self._ranked.pop()
            if self._is_closed(row) or row in self._reserve:
                continue
            if row in skipped:
                continue
            if self._is_free(row):
                picked = row, why
                self._taken[row] = why
            else:
                later.append((row, why))
        self._ranked += later[::-1]
        if picked is not None:
            return picked
        while self._chance_at < self.count and (
            self._is_closed(row := int(self.order[self._chance_at])) or row in self._reserve
        ):
            self._chance_at += 1
        for row in self._chance_rows():
            if self._is_free(row) and row not in skipped and row not in self._reserve:
                return row, "picked by chance"
        return None

    def _chance_rows(self) -> Iterator[int]:
        for place in range(self._chance_at, self.count):
            yield int(self.order[place])

    def _is_closed(self, row: int) -> bool:
        return bool(self._closed[row]) or row in self.unreadable

    def _is_free(self, row: int) -> bool:
        return not self._is_closed(row) and not any(other in self._leases for other in self.alike(row))
