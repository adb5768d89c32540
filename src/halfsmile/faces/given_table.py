"""Faces that a table tells: its boxes or landmarks stand for a detector, picture by picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import TEMPLATE, TEMPLATE_BOX, move, similarity
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.given_faces import GivenFaces
from halfsmile.faces.upright import Upright

if TYPE_CHECKING:
    from halfsmile.data.tables.columns import Columns
    from halfsmile.faces.sources import MediaSource

_SOURCE = "source"  # how tables of `predict` name their pictures
_CHOICE = "Call the columns x0, y0, x1, y1 if they are two corners, or x, y, width, height."


class GivenTable:
    """The faces of a table, by the names of their pictures.

    Args:
        path: CSV, Parquet or JSON Lines, a row a face, with the picture's name and a box or ten landmarks in
            pixels; the columns are recognized as ``data prepare`` does, and so are those of the tables of
            ``predict``.
        columns: See :func:`halfsmile.data.readers.table.read`.

    Raises:
        ValueError: If the table can't be read, or has neither boxes nor landmarks.
    """

    def __init__(self, path: str | Path, columns: Columns | None = None) -> None:
        from halfsmile.data.tables.boxes import require_corners  # pyarrow takes long to import
        from halfsmile.data.tables.columns import choose
        from halfsmile.data.tables.rows import read_rows
        from halfsmile.data.tables.values import EmptyBoxError, parse_row

        self.path = Path(path)
        table = read_rows(self.path)
        rows = list(table.rows)
        records = [record for record in rows if not record.get("reason")]
        named = dict(columns or {})
        if "image" not in named and _SOURCE in table.names:
            named["image"] = _SOURCE
        parts = choose(self.path, table, records, named)
        chosen: dict[str, tuple[str, ...]] = {
            part: parts.parts[part] for part in ("image", "box", "landmarks") if part in parts.parts
        }
        if len(chosen) < 2:
            raise ValueError(
                f"{self.path} has neither boxes nor landmarks; its columns are "
                f"{', '.join(table.names)}. Name the box's x0, y0, x1, y1 or x, y, width, height."
            )
        self._faces: dict[str, list[Detection]] = defaultdict(list)
        self._notes: list[str] = []
        read: list[dict[str, Any]] = []
        for number, record in enumerate(records, start=1):
            try:
                row = parse_row(record, chosen, parts.box or "xyxy", is_comma_decimal=table.is_comma_decimal)
                box, landmarks = row.get("box"), row.get("landmarks")
                face = None if box is None and landmarks is None else face_of(box, landmarks)
            except ValueError as error:
                said = f" {_CHOICE}" if isinstance(error, EmptyBoxError) else ""
                raise ValueError(
                    f"{self.path}: data row {number} can't be understood ({error}).{said}"
                ) from error
            read.append(row)
            if face is not None:
                self._faces[_plain(row["image"])].append(face)
        if "box" in chosen and parts.box is None:
            require_corners(self.path, chosen["box"], read, 0, choice=_CHOICE)
            taken = ", ".join(chosen["box"])
            self._notes.append(f"The numbers of {taken} are taken for x0, y0, x1, y1 of a box.")
        images = chosen.get("image", ())
        self._by_end: dict[str, set[str]] = defaultdict(set)
        for record in rows:
            name = _plain("/".join(str(record[column]) for column in images if record.get(column)))
            for end in _ends(name):
                self._by_end[end].add(name)
        self.upright = Upright()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Refuse: a picture's faces are known by its name.

        Raises:
            ValueError: Always, but for no pictures.
        """
        if images:
            raise ValueError(
                "A table of faces tells them by the pictures' names: give files, not pixels or a video. For "
                "pixels there is GivenFaces."
            )
        return []

    def detect_named(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """The faces of pictures, the highest score first; none of those that the table does not name.

        Args:
            images: RGB (H, W, 3), uint8.
            names: Of their files. One fits by the longest end that it shares with a name of the table, where
                that is the whole name or no other picture of the table has it.

        Raises:
            ValueError: If a face lies wholly outside its picture.
        """
        return GivenFaces([self._of(name) for name in names]).detect(images)

    def notes_on(self, sources: Sequence[MediaSource]) -> list[str]:
        """What should be known before the faces of some sources are taken from the table.

        Raises:
            ValueError: If one is no picture, the table names none of them, or several have the same faces.
        """
        if any(source.kind != "picture" for source in sources):
            raise ValueError("--boxes tells the faces of pictures, and there are videos among the sources.")
        named = {source.name: self._name_of(source.name) for source in sources}
        if named and not any(named.values()):
            known = next(iter(self._faces), None)
            theirs = f"its first is {known}" if known else "it has no face"
            raise ValueError(f"{self.path} names none of the pictures, as {next(iter(named))}; {theirs}.")
        by_name: defaultdict[str, list[str]] = defaultdict(list)
        for source, name in named.items():
            if name in self._faces:
                by_name[name].append(source)
        if several := next((item for item in by_name.items() if len(item[1]) > 1), None):
            raise ValueError(
                f"{' and '.join(several[1][:2])} would both have the faces of {several[0]} in {self.path}. "
                "Name pictures there with their folders, each in rows of its own."
            )
        unnamed = [source for source, name in named.items() if name not in self._faces]
        if not unnamed:
            return self._notes
        return [
            *self._notes,
            f"{self.path} has no face for {len(unnamed):,} of {len(named):,} pictures, as {unnamed[0]}.",
        ]

    def _name_of(self, name: str) -> str:
        """What the table calls a picture; empty where it names none that can be meant."""
        for end in _ends(_plain(name)):
            fitting = self._by_end.get(end, ())
            if end in fitting:
                return end
            if fitting:
                return next(iter(fitting)) if len(fitting) == 1 else ""
        return ""

    def _of(self, name: str) -> list[Detection]:
        return self._faces.get(self._name_of(name), [])


def _plain(name: str) -> str:
    """The path of a picture, also in an archive or of Windows, with / between its parts."""
    return str(PurePosixPath(name.replace("\\", "/").replace("!", "/")))


def _ends(name: str) -> list[str]:
    """A path and all its ends, the last part last."""
    parts = PurePosixPath(name).parts
    return [str(PurePosixPath(*parts[start:])) for start in range(len(parts))]


class NameWithFaces(str):
    """The name of a picture whose faces are known, whatever the detector: text that carries them along."""

    faces: tuple[Detection, ...]

    def __new__(cls, name: str, faces: Sequence[Detection]) -> NameWithFaces:
        """The name, as text, with the faces.

        Args:
            name: Of the picture.
            faces: In it.
        """
        made = super().__new__(cls, name)
        made.faces = tuple(faces)
        return made


def faces_in(detector: Detector, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
    """What a detector finds in pictures whose names are known; one of a table asks for them.

    Raises:
        ValueError: If a given face lies wholly outside its picture, or a picture is empty or not RGB uint8.
    """
    known = {i: name.faces for i, name in enumerate(names) if isinstance(name, NameWithFaces)}
    if known:
        left = [i for i in range(len(images)) if i not in known]
        found = dict(
            zip(left, faces_in(detector, [images[i] for i in left], [names[i] for i in left]), strict=True)
        )
        return [
            GivenFaces([known[i]]).detect([image])[0] if i in known else found[i]
            for i, image in enumerate(images)
        ]
    if isinstance(detector, GivenTable):
        return detector.detect_named(images, names)
    return detector.detect(images)


def face_of(box: Sequence[float] | None, landmarks: Sequence[float] | None) -> Detection:
    """A face by its box (4,), its landmarks (10,), or both; a box is drawn about landmarks that have none.

    Raises:
        ValueError: If there is neither, or they are not as :class:`halfsmile.faces.detect.Detection` asks.
    """
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        points = None if landmarks is None else np.array(landmarks, np.float32).reshape(5, 2)
    if box is None:
        if points is None:
            raise ValueError("a face needs a box or landmarks")
        corners = move(np.reshape(TEMPLATE_BOX, (2, 2)), similarity(TEMPLATE, points))
        box = [*corners.min(0), *corners.max(0)]
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        return Detection(np.array(box, np.float32), points)
