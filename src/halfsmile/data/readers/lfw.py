"""Labeled Faces in the Wild: 13,233 pictures of 5,749 people, without expressions (Huang et al. 2007).

``root/Aaron_Eckhart/Aaron_Eckhart_0001.jpg``, one folder a person, in the original, the funneled and the
deep-funneled version; below a folder of any name, in one folder without folders for people, or in an archive
(``lfw.tgz``). The person is the file's name without the number.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.folder import list_images

COMPLETE = (13_233, 5_749)
PICTURE = re.compile(r"(?P<person>.+)_\d{4}")


def read(root: Path) -> Manifest:
    """Read all pictures with the person that each one shows.

    Args:
        root: Folder or archive.

    Returns:
        Rows in the order of the names with ``person``; nothing is labeled. Pictures whose name is not a
        person and four digits are left out and counted.

    Raises:
        ValueError: If there is no picture of LFW.
    """
    locators, notes = list_images(root)
    rows, others = [], []
    for locator in locators:
        match = PICTURE.fullmatch(PurePosixPath(locator).stem)
        if match:
            rows.append({"image": locator, "person": match["person"]})
        else:
            others.append(locator)
    if not rows:
        raise ValueError(
            f"{root} holds no LFW: expected files like Aaron_Eckhart_0001.jpg, found {others[0]}."
        )
    if others:
        notes.append(
            f"{len(others)} images are not named <person>_<0001> and were left out, first {others[0]}."
        )
    people = len({row["person"] for row in rows})
    if (len(rows), people) != COMPLETE:
        notes.append(
            f"LFW is not complete: {len(rows):,} of {COMPLETE[0]:,} pictures and {people:,} of "
            f"{COMPLETE[1]:,} people."
        )
    return Manifest.from_rows(rows, root, None, notes)
