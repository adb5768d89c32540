"""Find the reader for a path.

Recognizing reads names and headers only, and opens no picture. Layouts with files of their own are certain;
folders of pictures are guessed from the folders' names.
"""

from __future__ import annotations

import itertools
from pathlib import Path, PurePosixPath

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES
from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.readers.recognition.file import MAX_WRAPPED, of_file
from halfsmile.data.readers.recognition.folder import by_contents, by_sign
from halfsmile.data.readers.recognition.glance import MAX_ENTRIES, entries_of, tree_of
from halfsmile.data.readers.recognition.layout import LAYOUTS, Layout
from halfsmile.data.readers.unread.conversions import how_to_convert, how_to_unpack
from halfsmile.data.readers.words import expression_of, split_of

PICTURES_AND_VIDEOS = (
    "Pictures and videos lie in its folders, which are named after expressions. Videos with labels are read "
    "from a folder of their own: put one kind of them elsewhere."
)


def recognize(path: Path) -> Layout:
    """Find the reader for a path.

    Args:
        path: A folder, a table, an archive, a ``.rec`` or a ``.parquet`` file. A folder that holds nothing
            but one other folder stands for that one, up to three levels deep.

    Raises:
        ValueError: If there is no such path or no reader fits; the message lists what was found.
    """
    path = Path(path)
    if path.is_file():
        return of_file(path)
    if not path.is_dir():
        raise ValueError(f"{path} does not exist; expected a folder, a table or an archive of faces.")
    folder = path
    for level in itertools.count():
        if layout := by_sign(folder):
            return layout
        inner = [entry for entry in entries_of(folder, MAX_ENTRIES) if not entry[0].startswith(".")]
        is_wrapper = len(inner) == 1 and inner[0][1]
        if not is_wrapper or split_of(inner[0][0]) or expression_of(inner[0][0]) or level == MAX_WRAPPED:
            break
        folder = folder / inner[0][0]
    if layout := by_contents(folder, tree_of(folder)):
        return layout
    layouts = "\n".join(f"  {name}: {what}" for name, what in LAYOUTS.items())
    names = [name for name, _ in inner]
    found = f"{names[:12]}{' …' if len(names) > 12 else ''}" if names else "nothing"
    raise ValueError(
        f"{folder} fits no reader; it holds {found}.{_way_out(folder)} Known layouts:\n{layouts}"
    )


def labels_of_videos(folder: Path) -> bool:
    """Whether videos lie in folders that are named after expressions."""
    if not folder.is_dir():
        return False
    videos = [PurePosixPath(name) for name in tree_of(folder) if has_video_suffix(name)]
    return any(expression_of(path.parent.name) for path in videos)


def _way_out(folder: Path) -> str:
    """What to type for the first files below a folder that are known and not read."""
    files = [folder / name for name, is_folder in tree_of(folder).items() if not is_folder]
    archives = [path for path in files if path.name.lower().endswith(ARCHIVE_SUFFIXES)]
    if archives:
        return (
            f" Give one of its archives, as {archives[0]}, or unpack each into a folder of its name (folders "
            f"called train, valid and test are splits): {how_to_unpack(archives[0])} …"
        )
    last = (".json", ".xml")  # of which many data sets have some beside what they are made of
    files.sort(key=lambda path: path.suffix.lower() in last)
    return next((f" {text}" for path in files if (text := how_to_convert(path))), "")
