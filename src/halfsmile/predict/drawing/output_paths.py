"""Where what is written about a source goes: close to its name, never over another's or over a source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import split_locator
from halfsmile.faces.sources import MediaSource

_LIKE_A_FILE = re.compile(r".*\.(jpg|png|mp4|svg)", re.IGNORECASE)
_LONGEST = 200  # bytes of a name; the longest that is put behind it leaves it below the 255 that disks take
_COPIES = (".jpg", ".png", ".mp4")  # suffixes of annotated copies
_EXPLANATION = re.compile(r"(.*)-(?:face-\d+|person-\d+-frame-\d+)\.png", re.DOTALL)


class OutputPaths:
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

    def reserve(self, name: str) -> None:
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


def output_paths_after(done: Iterable[str], sources: Iterable[MediaSource]) -> OutputPaths:
    """The paths for a run that goes on with an earlier one's table.

    Args:
        done: Names of the sources in the table, in its order.
        sources: Of this run.
    """
    paths = OutputPaths()
    named = {source.key: source for source in sources}
    for name in dict.fromkeys(done):
        source = named.get(name) or named.get(os.path.abspath(name))
        if source is None:
            paths.reserve(name)
        else:
            paths.of(source)
    return paths


def copy_path(source: MediaSource, place: PurePosixPath) -> PurePosixPath:
    """Where the annotated copy of a source goes within the folder for them: a JPEG as JPEG, others as PNG."""
    if source.kind != "picture":
        return place.with_name(f"{place.name}.mp4")
    is_jpeg = source.place.suffix.lower() in (".jpg", ".jpeg", ".jpe")
    return place.with_name(f"{place.name}{'.jpg' if is_jpeg else '.png'}")


def require_originals_kept(
    sources: Iterable[MediaSource], paths: OutputPaths, *, annotate: Path | None, explain: Path | None
) -> None:
    """Refuse folders in which results would take the place of a source.

    As sources that can't be read leave their places to others, no copy may take one, of whatever kind it is.

    Raises:
        ValueError: If a copy or an explanation would.
    """
    files = [source for source in sources if not source.is_remote]
    if annotate is not None:
        candidates = [annotate / f"{paths.of(source)}{suffix}" for source in files for suffix in _COPIES]
        copies = {_identity(path) for path in candidates if path.exists()}
        for source in files if copies else ():
            if source.file.exists() and _identity(source.file) in copies:
                raise ValueError(
                    f"An annotated copy would take the place of {source.name} in {annotate}. Choose another "
                    "folder for --annotate."
                )
    if explain is not None:
        begun = {os.path.abspath(explain / paths.of(source)) for source in files}
        for source in files:
            match = _EXPLANATION.fullmatch(os.path.abspath(source.file))
            if match and match[1] in begun:
                raise ValueError(
                    f"An explanation would take the place of {source.name} in {explain}. Choose another "
                    "folder for --explain."
                )


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
