"""What readers of annotation files share: the files of a folder or archive, and boxes as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.containers.archive import open_archive, split_locator
from halfsmile.data.manifest import Fault, LeftOut, Manifest
from halfsmile.data.readers.folder import is_image, walk, with_members
from halfsmile.data.readers.words import expression_of, split_in, split_of
from halfsmile.data.tables.labels import Classes, settle

_WITHOUT = " To take the pictures without labels: --unlabeled (for prepare) or --layout folder."


@dataclass(frozen=True)
class Files:
    """The files of a folder or an archive.

    Args:
        root: Where they are.
        names: Relative to it, sorted.
    """

    root: Path
    names: Sequence[str]

    @classmethod
    def below(cls, root: Path) -> Files:
        """All files of a folder or archive."""
        root = Path(root)
        return cls(root, with_members(root, walk(root)[0])[0] if root.is_dir() else open_archive(root).names)

    @property
    def images(self) -> list[str]:
        """Those that are pictures."""
        return [name for name in self.names if is_image(PurePosixPath(name))]

    def read(self, name: str, limit: int = -1) -> bytes:
        """The bytes of a file, or the first of them.

        Raises:
            ValueError: If it can't be read.
        """
        if self.root.is_file():
            return open_archive(self.root).read(name)[: None if limit < 0 else limit]
        if (member := split_locator(name)) and not (self.root / name).is_file():
            return open_archive(self.root / member[0]).read(member[1])[: None if limit < 0 else limit]
        try:
            with (self.root / name).open("rb") as file:
                return file.read(limit)
        except OSError as error:
            raise ValueError(f"{self.root / name} can't be read ({error.strerror}).") from error


def split_of_path(name: str) -> str | None:
    """The split that a path tells: by its folders, or by the name of the file."""
    path = PurePosixPath(name)
    return next(filter(None, map(split_of, reversed(path.parts[:-1]))), None) or split_in(path.stem)


def of_no_picture(names: Sequence[str]) -> list[str]:
    """A fault where annotation files belong to no picture."""
    if not names:
        return []
    return [
        Fault(
            f"{len(names):,} annotation files belong to no picture, first {names[0]}: a picture has the "
            "name of its file, but for the suffix."
        )
    ]


def manifest_of(
    root: Path, rows: list[dict[str, Any]], labels: Mapping[str, str | None] | None, notes: list[str]
) -> Manifest:
    """Rows as a manifest, whose labels are classes as the annotations call them.

    A single class, such as ``face``, tells no expression: it is no label.

    Args:
        root: Folder or archive.
        rows: With ``image`` and perhaps ``label``, ``box``, ``split``.
        labels: Class by what it is called; None drops its rows.
        notes: Of the reader.

    Raises:
        UnreadLabelsError: If classes are numbers without names.
        ValueError: If there is no row, or a class to rename is not there.
    """
    if not rows:
        raise ValueError(f"{root} has annotations, but of no picture that is there. {' '.join(notes)}")
    found = {row["label"] for row in rows if row.get("label")}
    if len(found) == 1 and not labels and not expression_of(next(iter(found))):
        rows = [{**row, "label": None} for row in rows]
        notes.append(
            LeftOut(f"All boxes are called {found.pop()}, which tells no expression: no label is read.")
        )
    if found and (bare := sum(not row.get("label") for row in rows)):
        notes.append(LeftOut(f"{bare:,} of {len(rows):,} rows have no label."))
    rows, taxonomy = settle(root, root, rows, Classes({}, None, labels or {}, without=_WITHOUT), notes)
    return Manifest.from_rows(rows, root, taxonomy, notes)
