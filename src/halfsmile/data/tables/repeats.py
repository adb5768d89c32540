"""Rows of a table that say the same once more."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from halfsmile.data.manifest import LeftOut

Row = dict[str, Any]


def without_repeats(rows: list[Row], table: str, notes: list[str]) -> list[Row]:
    """Each face once, where all its rows say the same; a note on the others.

    Rows that give a face different labels or splits are all kept: they are a fault, told elsewhere.

    Args:
        rows: As they will be in a manifest.
        table: Name of the table, for the note.
        notes: Where the note is added.
    """
    times = Counter(row["image"] for row in rows)
    if len(times) == len(rows):
        return rows
    of_face: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if times[row["image"]] > 1:
            of_face[repr((row["image"], row.get("box"), row.get("landmarks")))].append(number)
    idle = {
        number
        for numbers in of_face.values()
        if all(rows[number] == rows[numbers[0]] for number in numbers)
        for number in numbers[1:]
    }
    if idle:
        notes.append(
            LeftOut(
                f"{len(idle):,} rows of {table} say only what another one says and count once, first that of "
                f"{rows[min(idle)]['image']}."
            )
        )
    return [row for number, row in enumerate(rows) if number not in idle]
