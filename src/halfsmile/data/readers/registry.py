"""Reading a data set in any layout, by the reader that fits it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, split_locator
from halfsmile.data.manifest import Fault, LeftOut, Manifest
from halfsmile.data.readers.beside.class_names import names_classes
from halfsmile.data.readers.beside.split_lists import with_listed_splits
from halfsmile.data.readers.picture_names import NamePattern, fill_in, name_pattern, with_splits_of_folders
from halfsmile.data.readers.recognition.folder import videos_asked_for
from halfsmile.data.readers.recognition.layout import LAYOUTS, Layout
from halfsmile.data.readers.recognition.recognize import recognize
from halfsmile.data.readers.unread.signs import note_on_names, require_no_labels, tables_beside
from halfsmile.data.readers.videos import are_videos, bare, how_to_prepare
from halfsmile.data.readers.words import NO_EXPRESSION, same_expression
from halfsmile.taxonomy import TAXONOMIES

__all__ = ["LAYOUTS", "Layout", "home_of", "read_any", "recognize"]

_HOMES = {
    "store": "store.read",
    **{name: f"readers.annotations.{name}" for name in ("coco", "yolo", "voc", "sidecars")},
}
_WITH_LISTS = ("class_folders", "coco", "yolo", "voc", "sidecars")
"""Layouts whose splits lists beside may tell."""
_OPTIONS = {
    "columns": "--columns",
    "labels": "--label-names",
    "box": "--box",
    "rule": "--label-rule",
    "splits": "--splits",
}


def read_any(
    path: Path,
    layout: str | None = None,
    *,
    names: str | None = None,
    videos: bool = False,
    **options: Any,
) -> Manifest:
    """Read a data set in any known layout.

    Args:
        path: See :func:`recognize`.
        layout: One of :data:`LAYOUTS`; recognized if None.
        names: What the names of the pictures tell, see
            :func:`~halfsmile.data.readers.picture_names.name_pattern`.
        videos: Whether rows may be whole videos, whose faces are still to be found.
        options: For the reader, such as ``rule`` for FERPlus or ``columns`` for a table.

    Raises:
        ValueError: If no reader fits, the layout is unknown or gives no manifest of pictures, or the data
            are not as the reader expects.
    """
    path = Path(path)
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"Layout {layout!r} is unknown; known are {', '.join(LAYOUTS)}.")
    if names is not None:
        named = _read_names(path, layout, name_pattern(names), options, videos=videos)
        return replace(named, notes=(*named.notes, *doubtful_classes(named)))
    found = _asked(path, layout)
    if found.name == "manifest":
        return Manifest.load(found.root)
    read: Callable[..., Any] = importlib.import_module(home_of(found.name)).read
    _require_options(path, found, read, options)
    if found.tables:
        options["tables"] = found.tables
    result = read(found.root, **options)
    manifest = result if isinstance(result, Manifest) else getattr(result, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise ValueError(f"{path} holds {LAYOUTS[found.name]}; read it with its own reader.")
    if layout is None and found.name == "folder":
        require_no_labels(manifest)
        return replace(manifest, notes=(*manifest.notes, *note_on_names(manifest)))
    if found.name == "videos" and not videos:
        raise ValueError(how_to_prepare(path, manifest))
    if found.name == "store":
        return manifest
    used: list[str] = []
    is_of_folders = found.name == "videos" and found.root.is_dir() and not found.tables
    if found.name in _WITH_LISTS or is_of_folders:
        manifest, used = with_listed_splits(manifest)
    manifest = replace(manifest, notes=(*manifest.notes, *doubtful_classes(manifest)))
    home = found.root.parent if path.is_dir() and found.root.is_file() else found.root
    beside = tables_beside(home) if found.name == "class_folders" or is_of_folders or found.tables else []
    used.append(found.root.name)
    beside = [name for name in beside if not any(str(table).endswith(name) for table in found.tables)]
    used += {member[0] for image in manifest.column("image") if (member := split_locator(image)) is not None}
    classes = manifest.taxonomy.labels if manifest.taxonomy else ()
    if beside := [name for name in beside if name not in used and not names_classes(home, name, classes)]:
        place = home / beside[0]
        bare = manifest.table["label"].null_count
        added = f"`halfsmile data import {path} {place} --out list.parquet`"
        note = LeftOut(
            f"{', '.join(beside)} lie beside and were not read: to read one of them instead, give its path, "
            f"as {place}{f'; if it has labels of the {bare:,} faces without one: {added}' if bare else ''}."
        )
        return replace(manifest, notes=(*manifest.notes, note))
    return manifest


def doubtful_classes(manifest: Manifest) -> list[str]:
    """Faults where classes are words for one expression, misspelt, or say that there is none."""
    if manifest.taxonomy is None or manifest.taxonomy.name in TAXONOMIES:
        return []
    none = [label for label in manifest.taxonomy.labels if label.casefold() in NO_EXPRESSION]
    dropped = " ".join(f"{label}=none" for label in none)
    said = (
        f"The classes {', '.join(none)} may say that there is no label, and are learned as expressions. To "
        f"drop their rows: --label-names {dropped}."
    )
    notes: list[str] = [Fault(said)] if none else []
    groups = same_expression(manifest.taxonomy.labels)
    if not groups:
        return notes
    words = "; ".join(", ".join(group) for group in groups)
    renames = " ".join(f"{name}={group[0]}" for group in groups for name in group[1:])
    each, one = (" each", "one of each") if len(groups) > 1 else ("", "them one")
    return [
        *notes,
        Fault(
            f"The classes {words} are words for one expression{each}, and each is a class of its own. To "
            f"make {one}: --label-names {renames}."
        ),
    ]


def home_of(layout: str) -> str:
    """The module with the reader of a layout."""
    return f"halfsmile.data.{_HOMES.get(layout, f'readers.{layout}')}"


def _read_names(
    path: Path, layout: str | None, pattern: NamePattern, options: dict[str, Any], *, videos: bool
) -> Manifest:
    """A data set with what its pictures' names tell, which may be their labels."""
    splits = options.pop("splits") if "split" in pattern.parts and "splits" in options else None
    if "label" not in pattern.parts:
        return fill_in(read_any(path, layout, videos=videos, **options), pattern, splits=splits)
    labels = options.pop("labels", None)
    if layout in (None, "videos") and are_videos(path):
        named = with_splits_of_folders(fill_in(bare(path), pattern, labels=labels, splits=splits))
        if not videos:
            raise ValueError(how_to_prepare(path, named))
        return named
    is_list = layout not in (None, "folder", "class_folders") or (
        path.is_file() and not path.name.lower().endswith(ARCHIVE_SUFFIXES)
    )
    named = fill_in(
        read_any(path, layout if is_list else "folder", videos=videos, **options),
        pattern,
        labels=labels,
        splits=splits,
    )
    return named if any(named.column("split")) else with_splits_of_folders(named)


def _asked(path: Path, layout: str | None) -> Layout:
    """The layout that was asked for, or is recognized; tables in a folder are looked for in any case."""
    if layout == "videos" and path.is_dir() and (found := videos_asked_for(path)):
        return found
    if layout is None or (layout == "table" and not path.is_file()):
        found = recognize(path)
        if layout in (None, found.name):
            return found
    return Layout(str(layout), path, "as asked")


def _require_options(path: Path, layout: Layout, read: Callable[..., Any], options: Iterable[str]) -> None:
    """Refuse options that the reader of a layout does not have.

    Raises:
        ValueError: If one has no use there.
    """
    known = inspect.signature(read).parameters
    if idle := [option for option in options if option not in known]:
        named = ", ".join(_OPTIONS.get(option, option) for option in idle)
        raise ValueError(f"{path} is read as {layout.name}, which has no use for {named}.")
