"""What names of pictures, and of the folders that they lie in, tell of a layout."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from halfsmile.data.readers import lfw
from halfsmile.data.readers.folders.meaning import understand
from halfsmile.data.readers.recognition.layout import Layout
from halfsmile.data.readers.words import split_of_picture

SHOWN = 12


def of_pictures(root: Path, names: list[str]) -> Layout | None:
    """LFW, folders by class, or plain pictures, by the names of some of them."""
    if not names:
        return None
    paths = [PurePosixPath(name) for name in names]
    meaning = understand(path.parts[:-1] for path in paths)
    people = [lfw.PICTURE.fullmatch(path.stem) for path in paths]
    if not (meaning.kind == "words" or meaning.has_splits) and all(
        match and path.parent.name == match["person"] for match, path in zip(people, paths, strict=True)
    ):
        return Layout("lfw", root, f"pictures are named after their folder, as {names[0]}")
    said = ", ".join(meaning.names[:SHOWN]) + (" …" if len(meaning.names) > SHOWN else "")
    of_rafdb = all(split_of_picture(name) for name in names)
    if meaning.kind == "words":
        reason = f"its folders are named after expressions: {said}"
        return Layout("class_folders", root, reason, has_rafdb_names=of_rafdb)
    if meaning.kind == "numbers":
        reason = f"its folders are numbered: {said}"
        return Layout("class_folders", root, reason, is_certain=False, has_rafdb_names=of_rafdb)
    if meaning.kind == "names":
        return Layout("class_folders", root, f"its splits have the folders {said}", is_certain=False)
    folders = {path.parts[0] for path in paths if len(path.parts) > 1}
    found = f"{len(folders)} folders with other names" if folders else "no folders"
    reason = f"pictures in {found}, so nothing is labeled"
    return Layout("folder", root, reason, is_certain=False, has_rafdb_names=of_rafdb)
