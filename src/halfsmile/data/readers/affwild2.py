"""Aff-Wild2 with the expression annotations of the ABAW challenges (Kollias and Zafeiriou, arXiv:1811.07770).

The layout, below one root, as the archives unpack; the folders may lie up to three levels deep::

    6th ABAW Annotations/EXPR_Recognition_Challenge/Train_Set/<person>.txt
                                                    Validation_Set/<person>.txt
    cropped_aligned/<person>/00001.jpg              and cropped_aligned_new_50_vids/<person>/…
    batch1/<person>/00001.jpg                       and batch2/, cropped/, cropped_new_50_vids/: not aligned

Older challenges call the annotations ``EXPR_Classification_Challenge``. An annotation file begins with the
eight class names; line i after them is the class of frame i, so frames count from 1; −1 is not annotated. A
picture is missing wherever no face was found.

A person is one annotated face of one recording: ``video5_left`` and ``video5_right`` are two people of the
recording ``video5``; in some recordings only one of the two has a suffix (``video59``, ``video59_right``).
Subjects have no names in Aff-Wild2, so the same subject in two recordings counts as two people here.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import AFFWILD2
from halfsmile.utils.progress import Progress

Crops = Literal["cropped_aligned", "cropped"]
CHALLENGES = ("EXPR_Recognition_Challenge", "EXPR_Classification_Challenge")
SPLIT_FOLDERS = {"Train_Set": "train", "Validation_Set": "valid"}
FACE_FOLDERS: dict[Crops, tuple[str, ...]] = {
    "cropped_aligned": ("cropped_aligned", "cropped_aligned_new_50_vids"),
    "cropped": ("cropped", "cropped_new_50_vids", "batch1", "batch2"),
}
HEADER = ",".join(label.capitalize() for label in AFFWILD2.labels)
NOT_ANNOTATED = -1
FRAMES_PER_SECOND = 30.0
"""Aff-Wild2 does not say its frame rates; most of its videos have this one."""

_LEVELS = 3
_PICTURE = re.compile(r"(\d+)\.(?:jpg|jpeg|png)", re.IGNORECASE)
_SIDE = re.compile(r"_(?:left|right)$")
_CONTAINERS = frozenset(name for names in FACE_FOLDERS.values() for name in names)


@dataclass
class _Rows:
    """Columns of a manifest in the making, and what there is to say about it."""

    images: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    affected: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def say(self, what: str, who: str, count: int) -> None:
        if count:
            self.counts[what] += count
            self.affected[what].append(who)

    def notes(self) -> list[str]:
        return [
            f"{self.counts[what]:,} {what} ({len(who):,} files or folders, first {who[0]})."
            for what, who in self.affected.items()
        ]

    def manifest(self, root: Path, notes: list[str]) -> Manifest:
        names = pa.array([*AFFWILD2.labels], pa.string())
        index = np.array(self.labels, np.int64)
        columns = {
            "image": pa.array(self.images, pa.string()),
            "label": names.take(pa.array(index, mask=index < 0)),
            "split": pa.array(self.splits, pa.string()),
            "person": pa.array(self.people, pa.string()),
            "video": pa.array([recording(person) for person in self.people], pa.string()),
            "frame": pa.array(self.frames, pa.int64()),
        }
        return Manifest.from_columns(columns, root, AFFWILD2, (*notes, *self.notes()))


def recording(person: str) -> str:
    """The recording in which a person is seen.

    Example:
        >>> recording("46-30-484x360_left"), recording("video59")
        ('46-30-484x360', 'video59')
    """
    return _SIDE.sub("", person)


def read(root: Path, *, crops: Crops = "cropped_aligned", annotations: Path | None = None) -> Manifest:
    """Read the annotated faces of the training and the validation set.

    Left out and counted in the notes: frames that are not annotated, have no picture or no valid class;
    pictures before the first or after the last annotated frame; empty annotation files; annotations without
    any folder of faces. Pictures are not opened.

    Args:
        root: Folder with the pictures, and the annotations unless they are given.
        crops: ``cropped_aligned`` or ``cropped`` (with margin; other teams measured it to serve networks
            that were trained on such faces far better).
        annotations: The folder that holds ``Train_Set`` and ``Validation_Set``; searched below root if None.

    Returns:
        Rows with image, label, split, person, video and frame, ordered by split, person and frame.

    Raises:
        ValueError: If folders are missing or ambiguous, the header of an annotation is not that of the eight
            classes, or nothing is left.
    """
    root = Path(root)
    challenge = Path(annotations) if annotations is not None else _challenge(root)
    files = [
        (file, split)
        for folder, split in SPLIT_FOLDERS.items()
        for file in sorted((challenge / folder).glob("*.txt"))
        if not file.name.startswith(".")
    ]
    if not files:
        raise ValueError(
            f"{challenge} holds no annotation: expected <person>.txt in {' and '.join(SPLIT_FOLDERS)}."
        )
    rows = _Rows()
    folders = _face_folders(root, crops, rows)
    splits: defaultdict[str, set[str]] = defaultdict(set)
    with Progress("reading Aff-Wild2", total=len(files)) as progress:
        for file, split in files:
            splits[recording(file.stem)].add(split)
            _add_person(rows, root, file, split, folders.pop(file.stem, None))
            progress.advance(1)
    if not rows.images:
        raise ValueError(f"{root}: none of {len(files)} annotation files gave a labeled face. {rows.notes()}")
    shared = sorted(name for name, found in splits.items() if len(found) > 1)
    notes = [
        f"Aff-Wild2, {crops}: {len(rows.images):,} labeled faces of {len(set(rows.people)):,} people in "
        f"{len({recording(p) for p in rows.people}):,} recordings; {len(folders):,} folders of faces have no "
        "annotation (the test set is among them)."
    ]
    if shared:
        notes.append(f"{len(shared)} recordings are in both training and validation set, first {shared[0]}.")
    return rows.manifest(root, notes)


def read_test(root: Path, frames: Path, *, crops: Crops = "cropped_aligned") -> Manifest:
    """Read the faces of the test set, which has no labels.

    Args:
        root: Folder with the pictures.
        frames: The organizers' list of videos (one name a line) or their example of a submission (one
            ``<person>/<frame>.jpg`` a line below a header).
        crops: As in :func:`read`.

    Returns:
        Rows with image, split, person, video and frame. Frames of the list without a picture are counted in
        the notes; a submission must name them nevertheless.

    Raises:
        ValueError: If the list or the pictures are missing, or nothing is left.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> root = Path(folder.name)
        >>> (root / "cropped_aligned/video59").mkdir(parents=True)
        >>> (root / "cropped_aligned/video59/00001.jpg").touch()
        >>> _ = (root / "test.txt").write_text("video59")
        >>> read_test(root, root / "test.txt").column("image")
        ['cropped_aligned/video59/00001.jpg']
        >>> folder.cleanup()
    """
    root = Path(root)
    wanted = read_frame_list(frames)
    rows = _Rows()
    folders = _face_folders(root, crops, rows)
    for person, numbers in wanted.items():
        if person not in folders:
            rows.say("listed people have no folder of faces", person, 1)
            rows.say("listed frames have no picture", person, len(numbers))
            continue
        pictures = _pictures(root / folders[person])
        chosen = sorted(pictures) if not numbers else [n for n in numbers if n in pictures]
        rows.say("listed frames have no picture", person, len(numbers) - len(chosen) if numbers else 0)
        rows.say("pictures are not in the list", person, len(pictures) - len(chosen))
        _extend(rows, folders[person], person, "test", chosen, pictures, [NOT_ANNOTATED] * len(chosen))
    if not rows.images:
        raise ValueError(f"{root} has no picture of the {len(wanted)} people in {frames}. {rows.notes()}")
    listed = sum(map(len, wanted.values()))
    frames_text = f" and {listed:,} frames" if listed else ""
    return rows.manifest(
        root,
        [f"Aff-Wild2 test, {crops}: {len(rows.images):,} faces; {len(wanted)} people{frames_text} listed."],
    )


def read_frame_list(path: Path) -> dict[str, list[int]]:
    """People of the test set with the numbers of their frames, both in the file's order.

    The lists of frames are empty where the file names people only.

    Raises:
        ValueError: If the file is missing, empty, or a line can't be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable list of test videos or frames: {error}") from error
    result: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        location = line.split(",")[0].strip()
        if not location or (number == 1 and location == "image_location"):
            continue
        person, slash, name = location.partition("/")
        match = _PICTURE.fullmatch(name)
        if slash and not match:
            raise ValueError(f"{path}, line {number}: expected <video>/<frame>.jpg, found {location!r}.")
        numbers = result.setdefault(person, [])
        if match:
            numbers.append(int(match[1]))
    if not result:
        raise ValueError(f"{path} names no video and no frame.")
    return {person: list(dict.fromkeys(numbers)) for person, numbers in result.items()}


def _add_person(rows: _Rows, root: Path, file: Path, split: str, folder: str | None) -> None:
    classes = _annotation(file, rows)
    if classes is None:
        return
    labeled = np.flatnonzero(classes >= 0) + 1
    rows.say("frames are not annotated", file.name, int((classes == NOT_ANNOTATED).sum()))
    if folder is None:
        rows.say("annotated people have no folder of faces", file.name, 1)
        rows.say("labeled frames have no picture", file.name, len(labeled))
        return
    pictures = _pictures(root / folder)
    last = max(pictures, default=0)
    chosen = [int(frame) for frame in labeled if int(frame) in pictures]
    rows.say("labeled frames have no picture", file.name, len(labeled) - len(chosen))
    rows.say("of these come after the person's last picture", file.name, int((labeled > last).sum()))
    rows.say("pictures come after the last annotated frame", folder, sum(n > len(classes) for n in pictures))
    rows.say("pictures are numbered 0, but frames count from 1", folder, int(0 in pictures))
    _extend(rows, folder, file.stem, split, chosen, pictures, [int(classes[n - 1]) for n in chosen])


def _extend(
    rows: _Rows,
    folder: str,
    person: str,
    split: str,
    frames: list[int],
    pictures: dict[int, str],
    labels: list[int],
) -> None:
    rows.images += [f"{folder}/{pictures[frame]}" for frame in frames]
    rows.labels += labels
    rows.frames += frames
    rows.splits += [split] * len(frames)
    rows.people += [person] * len(frames)


def _annotation(path: Path, rows: _Rows) -> npt.NDArray[np.int64] | None:
    """Class of each frame, −1 where it has none; None for an empty file."""
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from error
    if not text:
        rows.say("annotation files are empty", path.name, 1)
        return None
    header, *lines = text.split("\n")
    if [name.strip().casefold() for name in header.split(",")] != list(AFFWILD2.labels):
        raise ValueError(
            f"{path}: expected the header {HEADER!r}, found {header.strip()[:120]!r}. Annotations with "
            "other classes, as in the challenges before 2022, can't be mixed with these."
        )
    known = {str(value): value for value in range(NOT_ANNOTATED, len(AFFWILD2))}
    classes = np.array([known.get(line.strip(), NOT_ANNOTATED - 1) for line in lines], np.int64)
    rows.say("lines hold no class from -1 to 7 and were dropped", path.name, int((classes < -1).sum()))
    return classes


def _pictures(folder: Path) -> dict[int, str]:
    """File name of each frame that has a picture; the first name where a frame has several."""
    pictures: dict[int, str] = {}
    for name in sorted(os.listdir(folder)):
        if match := _PICTURE.fullmatch(name):
            pictures.setdefault(int(match[1]), name)
    return pictures


def _challenge(root: Path) -> Path:
    found = [folder for folder in _walk(root) if folder.name in CHALLENGES]
    if len(found) != 1:
        names = ", ".join(str(folder) for folder in found) or "none"
        raise ValueError(
            f"{root}: expected exactly one folder {' or '.join(CHALLENGES)} with annotations, found {names}. "
            "Name the right one."
        )
    return found[0]


def _face_folders(root: Path, crops: Crops, rows: _Rows) -> dict[str, str]:
    """Folder of each person's pictures, relative to root."""
    people: dict[str, str] = {}
    for container in _walk(root):
        if container.name not in FACE_FOLDERS[crops]:
            continue
        for folder in _subfolders(container):
            if folder.name in _CONTAINERS:
                continue
            if folder.name in people:
                rows.say("people have a second folder of faces, which was ignored", str(folder), 1)
            people.setdefault(folder.name, folder.relative_to(root).as_posix())
    if not people:
        raise ValueError(
            f"{root} has no faces: expected folders {', '.join(FACE_FOLDERS[crops])} with one folder per "
            f"person in them. Crops: {', '.join(FACE_FOLDERS)}."
        )
    return people


def _walk(folder: Path, level: int = 0) -> Iterator[Path]:
    """Folders at most three levels deep, without those of single people."""
    yield folder
    for inner in _subfolders(folder) if level < _LEVELS else []:
        if folder.name not in _CONTAINERS or inner.name in _CONTAINERS:
            yield from _walk(inner, level + 1)


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; expected that of Aff-Wild2.")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    return [folder / name for name in names if name != "__MACOSX" and not name.startswith(".")]
