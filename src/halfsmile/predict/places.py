"""Where what is written about a source goes within a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from halfsmile.faces.sources import Source


def places(sources: Iterable[Source]) -> dict[str, PurePosixPath]:
    """For each source a path of its own without a suffix, close to its name; names that clash are numbered.

    The same sources in the same order get the same paths.
    """
    taken: set[str] = set()
    found = {}
    for source in sources:
        place = source.place.with_suffix("") if source.kind in ("picture", "video") else source.place
        candidate, number = place, 1
        while str(candidate).lower() in taken:
            number += 1
            candidate = place.with_name(f"{place.name}-{number}")
        taken.add(str(candidate).lower())
        found[source.name] = candidate
    return found


def annotated(source: Source, place: PurePosixPath) -> PurePosixPath:
    """Where the annotated copy of a source goes within the folder for them: a JPEG as JPEG, others as PNG."""
    if source.kind != "picture":
        return place.with_name(f"{place.name}.mp4")
    is_jpeg = source.place.suffix.lower() in (".jpg", ".jpeg", ".jpe")
    return place.with_name(f"{place.name}{'.jpg' if is_jpeg else '.png'}")
