"""Faces that a table tells: its boxes or landmarks stand for a detector, picture by picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

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
        from halfsmile.data.tables.columns import choose  # pyarrow takes long to import
        from halfsmile.data.tables.rows import read_rows
        from halfsmile.data.tables.values import parse_row

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
        self._named = self._names_in(rows, chosen.get("image", ()))
        for number, record in enumerate(records, start=1):
            try:
                row = parse_row(record, chosen, parts.box or "xyxy", is_comma_decimal=table.is_comma_decimal)
                box, landmarks = row.get("box"), row.get("landmarks")
                face = None if box is None and landmarks is None else face_of(box, landmarks)
            except ValueError as error:
                raise ValueError(f"{self.path}: data row {number} can't be understood ({error}).") from error
            if face is not None:
                self._faces[str(PurePosixPath(row["image"]))].append(face)
        ends = Counter(PurePosixPath(name).name for name in self._faces)
        self._by_end = {
            PurePosixPath(name).name: name for name in self._faces if ends[PurePosixPath(name).name] == 1
        }
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
            names: Of their files. One fits as a whole, by the end of its path, or by its last part where that
                is the name of one picture of the table alone.

        Raises:
            ValueError: If a face lies wholly outside its picture.
        """
        return GivenFaces([self._of(name) for name in names]).detect(images)

    def notes_on(self, sources: Sequence[MediaSource]) -> list[str]:
        """What should be known before the faces of some sources are taken from the table.

        Raises:
            ValueError: If one is no picture, or the table names none of them.
        """
        if any(source.kind != "picture" for source in sources):
            raise ValueError("--boxes tells the faces of pictures, and there are videos among the sources.")
        unnamed = [source.name for source in sources if not self._of(source.name)]
        if not unnamed:
            return []
        if not any(self._is_named(source.name) for source in sources):
            known = next(iter(self._faces), None)
            theirs = f"its first is {known}" if known else "it has no face"
            raise ValueError(f"{self.path} names none of the pictures, as {unnamed[0]}; {theirs}.")
        return [
            f"{self.path} has no face for {len(unnamed):,} of {len(sources):,} pictures, as {unnamed[0]}."
        ]

    @staticmethod
    def _names_in(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> frozenset[str]:
        """The pictures of all rows, also those without a face, and the last parts of their paths."""
        paths = [PurePosixPath(str(row.get(column) or "")) for row in rows for column in columns]
        return frozenset(name for path in paths for name in (str(path), path.name) if path.name)

    def _is_named(self, name: str) -> bool:
        return any(end in self._named for end in _ends(name))

    def _of(self, name: str) -> list[Detection]:
        ends = _ends(name)
        for end in ends:
            found = self._faces.get(end)
            if found:
                return found
        return self._faces.get(self._by_end.get(ends[-1] if ends else "", ""), [])


def _ends(name: str) -> list[str]:
    """The path of a picture and all its ends, the last part last."""
    parts = PurePosixPath(name.replace("\\", "/").replace("!", "/")).parts
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
    points = None if landmarks is None else np.array(landmarks, np.float32).reshape(5, 2)
    if box is None:
        if points is None:
            raise ValueError("a face needs a box or landmarks")
        corners = move(np.reshape(TEMPLATE_BOX, (2, 2)), similarity(TEMPLATE, points))
        box = [*corners.min(0), *corners.max(0)]
    return Detection(np.array(box, np.float32), points)
