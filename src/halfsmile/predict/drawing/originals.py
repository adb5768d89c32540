"""What is looked at is never written over."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from halfsmile.faces.sources import MediaSource
from halfsmile.predict.drawing.places import Places

_COPIES = (".jpg", ".png", ".mp4")  # suffixes of annotated copies
_EXPLANATION = re.compile(r"(.*)-(?:face-\d+|person-\d+-frame-\d+)\.png", re.DOTALL)


def require_originals_kept(
    sources: Iterable[MediaSource], places: Places, *, annotate: Path | None, explain: Path | None
) -> None:
    """Refuse folders in which results would take the place of a source.

    As sources that can't be read leave their places to others, no copy may take one, of whatever kind it is.

    Raises:
        ValueError: If a copy or an explanation would.
    """
    files = [source for source in sources if not source.is_live]
    if annotate is not None:
        paths = [annotate / f"{places.of(source)}{suffix}" for source in files for suffix in _COPIES]
        copies = {_identity(path) for path in paths if path.exists()}
        for source in files if copies else ():
            if source.file.exists() and _identity(source.file) in copies:
                raise ValueError(
                    f"An annotated copy would take the place of {source.name} in {annotate}. Choose another "
                    "folder for --annotate."
                )
    if explain is not None:
        begun = {os.path.abspath(explain / places.of(source)) for source in files}
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
