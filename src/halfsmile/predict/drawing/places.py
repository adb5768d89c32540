"""Where what is written about a source goes within a folder: close to its name, never where another's is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import split_locator
from halfsmile.faces.sources import MediaSource

_LIKE_A_FILE = re.compile(r".*\.(jpg|png|mp4|svg)", re.IGNORECASE)
_LONGEST = 200  # bytes of a name; the longest that is put behind it leaves it below the 255 that disks take


class Places:
    """Gives each source a path of its own without a suffix; names that clash are numbered as they come.

    A path is given when it is first asked for, so a source that can't be read takes none. Asked for sources
    in the order of an earlier run's table, it gives them the paths that they had in that run.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._given: dict[str, PurePosixPath] = {}

    def of(self, source: MediaSource) -> PurePosixPath:
        """The path of a source, the same whenever it is asked for."""
        if source.key not in self._given:
            place = source.place.with_suffix("") if source.kind in ("picture", "video") else source.place
            self._given[source.key] = self._take(place)
        return self._given[source.key]

    def keep(self, name: str) -> None:
        """Keep free all that an earlier run may have given a source of which only the name is known."""
        archive, member = split_locator(name) or (name, "")
        parts = Path(os.path.abspath(archive)).with_suffix("").parts[1:]
        inside = PurePosixPath(member).with_suffix("") if member else PurePosixPath()
        for start in range(len(parts)):
            self._take(PurePosixPath(*parts[start:]) / inside)

    def _take(self, place: PurePosixPath) -> PurePosixPath:
        folders = [f"{part}_" if _LIKE_A_FILE.fullmatch(part) else part for part in place.parts[:-1]]
        name = place.name.encode()[:_LONGEST].decode(errors="ignore")
        candidate, number = PurePosixPath(*folders, name), 1
        while str(candidate).lower() in self._taken:
            number += 1
            candidate = PurePosixPath(*folders, f"{name}-{number}")
        self._taken.add(str(candidate).lower())
        return candidate


def places_after(done: Iterable[str], sources: Iterable[MediaSource]) -> Places:
    """The places for a run that goes on with an earlier one's table.

    Args:
        done: Names of the sources in the table, in its order.
        sources: Of this run.
    """
    places = Places()
    named = {source.key: source for source in sources}
    for name in dict.fromkeys(done):
        source = named.get(name) or named.get(os.path.abspath(name))
        if source is None:
            places.keep(name)
        else:
            places.of(source)
    return places


def annotated(source: MediaSource, place: PurePosixPath) -> PurePosixPath:
    """Where the annotated copy of a source goes within the folder for them: a JPEG as JPEG, others as PNG."""
    if source.kind != "picture":
        return place.with_name(f"{place.name}.mp4")
    is_jpeg = source.place.suffix.lower() in (".jpg", ".jpeg", ".jpe")
    return place.with_name(f"{place.name}{'.jpg' if is_jpeg else '.png'}")
