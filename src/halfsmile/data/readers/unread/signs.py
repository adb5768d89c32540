"""Signs of labels beside pictures that no reader takes: words in folders and names, tables, annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, inner_path, open_archive, split_locator
from halfsmile.data.manifest import LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.annotations.sidecars import ENDING
from halfsmile.data.readers.folder import is_image, walk, with_members
from halfsmile.data.readers.folders.meaning import MAX_CLASSES
from halfsmile.data.readers.picture_names import CODES, code_of, pattern_of, proposal
from halfsmile.data.readers.unread.conversions import (
    how_to_convert,
    how_to_unpack,
    labels_in_order,
    table_of_files,
)
from halfsmile.data.readers.words import expression_of, is_unlabeled, misspelt, split_in, split_of, word_in
from halfsmile.data.tables.columns import looks_like

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".xlsx", ".xlsm", ".xls", ".ods", ".mat", ".pkl", ".pickle",
          ".npy", ".npz", ".feather", ".arff", ".sav", ".dta", ".rds", ".sqlite", ".sqlite3",
          ".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz")  # fmt: skip
"""Files that hold labels more often than not."""
DOCUMENTS = (".txt", ".json", ".xml", ".yaml", ".yml", ".parquet")
"""Files that hold labels where their name says so."""
SIDECARS = (*DOCUMENTS, ".cls", ".label", ".lab", ".cat")
"""What a file beside each picture is called; WebDataset's ``.cls`` is one."""
_OTHERS = (".py", ".ipynb", ".m", ".sh", ".md", ".html", ".pdf", ".docx", ".log", ".pth", ".pt", ".onnx",
           ".safetensors", ".mp4", ".avi", ".mov", ".wav", *ARCHIVE_SUFFIXES)  # fmt: skip
"""Files that hold none, whatever they are called."""
_SAY_SO = ("label", "annot", "emotion", "expression", "class", "meta", "list", "coco", "partition")
_FOLDERS_SAY_SO = ("label", "annot", "emotion", "expression")
_HEAD = 1 << 20
_SHOWN = 6
_ALONE = "To take the pictures without labels: --unlabeled (of prepare), or --layout folder."


def require_no_labels(manifest: Manifest) -> None:
    """Refuse pictures that are read without labels though there are signs of some.

    Raises:
        UnreadLabelsError: With what was seen and what to type.
    """
    images = [inner_path(image) for image in manifest.column("image")]
    root = Path(manifest.root)
    if found := _words(images) or _in_files(root, images) or _in_names(images) or _splits(images):
        seen, mend = found
        raise UnreadLabelsError(
            f"{manifest.root}: {seen}, but no label is read.", f"{mend} {_ALONE}", manifest
        )


def note_on_names(manifest: Manifest, layout: str = "class_folders") -> list[str]:
    """A note where the names of a few folders, or a part of the pictures' names, could be classes.

    Args:
        manifest: Pictures or videos.
        layout: What reads their folders as classes.
    """
    images = manifest.column("image")
    folders = {PurePosixPath(image).parts[0] for image in images if "/" in image}
    if not 1 < len(folders) <= MAX_CLASSES:
        if (pattern := proposal(images)) is None:
            return []
        return [
            LeftOut(
                f"If a part of the pictures' names is the expression, as in {PurePosixPath(images[0]).name}, "
                f"--from-names '{pattern}' reads it ({{person}} reads people likewise)."
            )
        ]
    return [
        LeftOut(f"If the folders {_list(sorted(folders))} are classes, --layout {layout} reads them as such.")
    ]


def tables_beside(root: Path) -> list[str]:
    """Files on top of a folder or archive, or one folder below, that may hold labels, splits or pictures."""
    names = _top(root) if root.is_dir() else [name for name in _names(root) if name.count("/") <= 1]
    found = [
        name
        for name in names
        if _seems_to_hold_labels(root, name)
        or _lists_a_split(name)
        or ("/" not in name and name.lower().endswith(ARCHIVE_SUFFIXES))
    ]
    return found[:_SHOWN] + (["…"] if len(found) > _SHOWN else [])


def _top(root: Path) -> list[str]:
    """Files of a folder and of those in it."""
    inner = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not entry.name.startswith(".")]
    files = [path for folder in (root, *inner) for path in sorted(folder.iterdir()) if path.is_file()]
    return [path.relative_to(root).as_posix() for path in files]


def _folders(images: Iterable[str]) -> set[str]:
    return {part for image in images for part in PurePosixPath(image).parts[:-1]}


def _words(images: Sequence[str]) -> tuple[str, str] | None:
    folders = _folders(images)
    words = sorted(name for name in folders if expression_of(name))
    others = sorted(folders - set(words))
    if len(words) == 1 and not [name for name in others if not split_of(name)]:
        return (
            f"all folders of labels are named after {words[0]}, a single expression",
            "A classifier needs two classes at least: give the folder that holds all of them.",
        )
    if words:
        beside = f" beside {_list(others)}" if others else ""
        right = {name: word for name in others if (word := misspelt(name))}
        renames = " ".join(f"{name}={word}" for name, word in right.items())
        return (
            f"the folders {_list(words)} are named after expressions{beside}",
            "If all are classes: --layout class_folders"
            + (f" --label-names {renames}" if renames else "")
            + ". Else put those of other things elsewhere.",
        )
    return _words_in_names_of_folders(images)


def _words_in_names_of_folders(images: Sequence[str]) -> tuple[str, str] | None:
    """Folders called as ``train_happy``, whose words a pattern reads."""
    told = [
        (PurePosixPath(image), level)
        for image in images
        for level, name in enumerate(PurePosixPath(image).parts[:-1])
        if word_in(name)
    ]
    names = sorted({path.parts[level] for path, level in told})
    if len({word_in(name) for name in names}) < 2 or 2 * len(told) < len(images):
        return None
    path, level = told[0]
    pattern = pattern_of(path.parts[level]) + "/*" * (len(path.parts) - level - 1)
    return (
        f"the folders {_list(names)} have words for expressions in their names",
        f"To read them there: --from-names '{pattern}'. To take each name for a class: --layout "
        "class_folders.",
    )


def _splits(images: Iterable[str]) -> tuple[str, str] | None:
    folders = _folders(images)
    if splits := sorted(name for name in folders if split_of(name)):
        return (
            f"the folders {_list(splits)} are named after splits",
            "Put the pictures into a folder for each label, train/<label>/ and test/<label>/, or give a "
            "table with the columns image and label.",
        )
    if marked := sorted(name for name in folders if is_unlabeled(name)):
        return (
            f"the folders {_list(marked)} say that others have labels",
            "Give the folder that holds all of them.",
        )
    return None


def _in_files(root: Path, images: Sequence[str]) -> tuple[str, str] | None:
    names = _names(root)
    stems = {PurePosixPath(image).stem for image in images}
    near = [
        name
        for name in names
        if (name.count("/") <= 2 or split_locator(name))
        and not (name.lower().endswith(".txt") and PurePosixPath(name).stem in stems)
    ]
    if exports := [name for name in near if _has_answers(root / name)]:
        folder, export = quote(str(root)), quote(str(root / exports[0]))
        return (
            f"{_list(exports)} has answers given in Label Studio",
            f"`halfsmile data import {folder} {export} --layout folder --out list.parquet` reads them.",
        )
    if tables := [name for name in near if _seems_to_hold_labels(root, name)]:
        if member := split_locator(tables[0]):
            return (
                f"{_list(tables)} may hold labels",
                f"Unpack each archive into a folder of its name, {how_to_unpack(Path(root, member[0]))} …, "
                "and give a folder that has them all.",
            )
        beside = tables[0].lower().endswith(".npy") and root.is_dir()
        return (
            f"{_list(tables)} may hold labels",
            (labels_in_order(root, tables[0], images) if beside else "")
            + how_to_convert(Path(root, tables[0]))
            or "A table needs the name of a picture and its label in each row, as CSV, JSON Lines or "
            "Parquet: give its path, and name its columns by --columns image=COLUMN label=COLUMN if they are "
            "not recognized.",
        )
    sidecars = Counter(
        PurePosixPath(name).suffix
        for name in names
        if PurePosixPath(name).suffix.lower() in SIDECARS
        and ENDING.sub("", PurePosixPath(name).stem) in stems
    )
    endings = [PurePosixPath(name).stem for name in names if name.lower().endswith(".txt")]
    for suffix, count in sidecars.items():
        if 2 * count > len(images) or (count > 1 and suffix == ".txt" and any(map(ENDING.search, endings))):
            told = " If each has its label and nothing else: --layout sidecars."
            return (
                f"{count:,} pictures have a {suffix} file of the same name",
                table_of_files(root, suffix) + told,
            )
    return None


def _in_names(images: Sequence[str]) -> tuple[str, str] | None:
    """Pictures that are called as ``happy_01.jpg``."""
    if code := code_of(images):
        return (
            f"pictures are named as {CODES[code].title}'s are, whose names tell the expression",
            f"To read it there: --from-names {code}.",
        )
    words = Counter(word for image in images if (word := word_in(PurePosixPath(image).stem)))
    if len(words) > 1 and 2 * words.total() > len(images):
        return (
            f"{words.total():,} of {len(images):,} pictures have {_list(sorted(words))} in their name",
            "To read them there: --from-names words; or by a pattern, as --from-names "
            "'{person}_{label}_*', which tells people, too.",
        )
    return None


def _seems_to_hold_labels(root: Path, name: str) -> bool:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if is_image(path) or any(part.startswith(".") for part in path.parts):
        return False
    if "submission" in path.stem.casefold():
        return False
    if name.lower().endswith(TABLES):
        return True
    says_so = any(word in path.stem.casefold() for word in _SAY_SO)
    if suffix not in DOCUMENTS:
        return says_so and not name.lower().endswith(_OTHERS)
    says_so |= any(word in path.parent.name.casefold() for word in _FOLDERS_SAY_SO)
    return says_so or (suffix == ".txt" and root.is_dir() and looks_like(root / name) is not None)


def _has_answers(path: Path) -> bool:
    """Whether a file is an export of Label Studio whose tasks have annotations with a result."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return all(word in head for word in (b'"annotations"', b'"result"', b'"from_name"'))


def _lists_a_split(name: str) -> bool:
    """Whether a file is called as a list of what is in a split, as ``test.txt``."""
    path = PurePosixPath(name)
    return path.suffix.lower() in DOCUMENTS and split_in(path.stem) is not None


def _names(root: Path) -> Sequence[str]:
    """Of the files of a folder or an archive."""
    if root.is_dir():
        return with_members(root, walk(root)[0])[0]
    return open_archive(root).names if root.is_file() else ()


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
