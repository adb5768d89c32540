"""Pascal VOC's boxes: an XML file for each picture, with ``object`` and ``bndbox``, wherever it lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from halfsmile.data.manifest import Fault, Manifest
from halfsmile.data.readers.annotations.files import Files, manifest_of, of_no_picture, split_of_path

_SAMPLE = 20
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_HEAD = 400
_SIGN = re.compile(rb"<annotation[\s>]")


def is_voc(files: Files) -> bool:
    """Whether there are XML files of this kind for pictures."""
    names = [name for name in files.names if name.lower().endswith(".xml")]
    return any(_SIGN.search(files.read(name, _HEAD)) for name in names[:: max(1, len(names) // _SAMPLE)])


def read(root: Path, *, labels: Mapping[str, str | None] | None = None) -> Manifest:
    """One row for each object, and for each picture without one.

    Args:
        root: Folder or archive.
        labels: Class by the name of an object; None drops its boxes.

    Raises:
        ValueError: If nothing is annotated.
    """
    files = Files.below(root)
    by_stem: dict[str, str] = {}
    for name in files.names:
        if name.lower().endswith(".xml"):
            by_stem[_key(name)] = name
            by_stem.setdefault(PurePosixPath(name).stem, name)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    bad: list[str] = []
    used: set[str | None] = set()
    for image in files.images:
        row = {"image": image, "split": split_of_path(image)}
        text = by_stem.get(_key(image), by_stem.get(PurePosixPath(image).stem))
        used.add(text)
        try:
            boxes = [] if text is None else _boxes(files.read(text))
        except (ValueError, ElementTree.ParseError) as error:
            bad.append(f"{text} ({error})")
            continue
        rows += [{**row, **box} for box in boxes] or [row]
    if bad:
        notes.append(Fault(f"{len(bad):,} annotations can't be read, first {bad[0]}."))
    notes += of_no_picture(sorted(set(by_stem.values()) - used))
    return manifest_of(files.root, rows, labels, notes)


def _key(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _boxes(data: bytes) -> list[dict[str, Any]]:
    """Label and box of each object."""
    found = []
    if b"<!ENTITY" in data:
        raise ValueError("it defines entities")
    for item in ElementTree.fromstring(data).iter("object"):  # noqa: S314 (no entities)
        place = item.find("bndbox")
        box = None if place is None else [float(place.findtext(corner, "nan")) for corner in _CORNERS]
        if box and not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("a box is empty")
        found.append({"label": item.findtext("name") or None, "box": box})
    return found
