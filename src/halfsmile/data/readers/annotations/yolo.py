"""YOLO's boxes: a text file for each picture, ``class x y width height`` a line, in shares of the picture.

The text lies beside its picture, or in ``labels/`` where the picture is in ``images/``. The classes are named
in ``data.yaml`` (or another YAML file with ``names``), ``classes.txt`` or ``obj.names``; splits are folders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.decode import BadImageError, decode, read_bytes
from halfsmile.data.image_header import image_size
from halfsmile.data.manifest import Fault, Manifest
from halfsmile.data.readers.annotations.files import Files, manifest_of, of_no_picture, split_of_path
from halfsmile.data.readers.beside.yaml_names import names_in_yaml

NAMES = ("classes.txt", "obj.names")
_LINE = re.compile(rb"\s*\d+(\s+[\d.eE+-]+){4,}\s*(\n|\r|$)")
_SAMPLE = 20


def is_yolo(files: Files) -> bool:
    """Whether pictures have text files with YOLO's lines."""
    texts = texts_of(files)
    some = list(texts.values())[:: max(1, len(texts) // _SAMPLE)]
    return any(_LINE.match(files.read(name, 200)) for name in some)


def texts_of(files: Files) -> dict[str, str]:
    """Text file by picture: beside it, or in ``labels/`` for ``images/``."""
    there = {name for name in files.names if name.lower().endswith(".txt")}
    found = {}
    for image in files.images if there else ():
        beside = PurePosixPath(image).with_suffix(".txt").as_posix()
        parts = beside.split("/")
        places = [i for i, part in enumerate(parts) if part.casefold() == "images"]
        swapped = ["/".join((*parts[:i], "labels", *parts[i + 1 :])) for i in places]
        if text := next((name for name in (beside, *swapped) if name in there), None):
            found[image] = text
    return found


def read(root: Path, *, labels: Mapping[str, str | None] | None = None) -> Manifest:
    """One row for each box, and for each picture without one.

    Args:
        root: Folder or archive.
        labels: Class by the name of a class, or by its number where none is known; None drops its boxes.

    Raises:
        UnreadLabelsError: If classes are numbers without names.
        ValueError: If there is no such text file.
    """
    files = Files.below(root)
    texts = texts_of(files)
    classes = _classes(files)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    bad: list[str] = []
    for image in files.images:
        row = {"image": image, "split": split_of_path(image)}
        try:
            boxes = _boxes(files, image, texts.get(image), classes)
        except (ValueError, BadImageError) as error:
            bad.append(f"{image} ({error})")
            continue
        rows += [{**row, **box} for box in boxes] or [row]
    if bad:
        notes.append(Fault(f"{len(bad):,} pictures have boxes that can't be read, first {bad[0]}."))
    numbers = {int(row["label"]) for row in rows if str(row.get("label") or "").isdecimal()}
    if classes and (beyond := sorted(n for n in numbers if n >= len(classes))) and not labels:
        notes.append(
            Fault(
                f"Boxes have the classes {', '.join(map(str, beyond))}, and only {len(classes)} have names, "
                f"0 to {len(classes) - 1}: {', '.join(classes)}."
            )
        )
    used = set(texts.values())
    others = [name for name in files.names if name.lower().endswith(".txt") and name not in used]
    notes += of_no_picture([name for name in others if _LINE.match(files.read(name, 200))])
    return manifest_of(files.root, rows, labels, notes)


def _boxes(files: Files, image: str, text: str | None, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Label and box in pixels of each line."""
    lines = files.read(text).decode("utf-8", "replace").splitlines() if text else []
    found = []
    size: tuple[int, int] | None = None
    for fields in (line.split() for line in lines if line.strip()):
        size = size or _size(files.root, image)
        number = int(fields[0])
        values = [float(field) for field in fields[1:]]
        if len(values) < 4:
            raise ValueError(f"a line has {len(fields)} numbers")
        if len(values) > 5 and len(values) % 2 == 0:  # a polygon
            x0, y0, x1, y1 = min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
        else:
            x, y, width, height = values[:4]
            x0, y0, x1, y1 = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        box = [x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1]]
        if not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("a box is empty")
        found.append({"label": classes[number] if number < len(classes) else str(number), "box": box})
    return found


def _size(root: Path, image: str) -> tuple[int, int]:
    """Width and height as the picture is shown, which EXIF may turn."""
    data = read_bytes(root, image)
    size = image_size(data)
    if size is None or b"Exif\0\0" in data[:4096]:
        height, width, _ = decode(data, image).shape
        return width, height
    return size


def _classes(files: Files) -> list[str]:
    """Names of the classes in their order; none where no file says them."""
    for name in files.names:
        last = PurePosixPath(name).name.casefold()
        if last in NAMES:
            return [line.strip() for line in _text(files, name).splitlines() if line.strip()]
    for name in files.names:
        if name.lower().endswith((".yaml", ".yml")) and (found := names_in_yaml(_text(files, name))):
            return found
    return []


def _text(files: Files, name: str) -> str:
    return files.read(name).decode("utf-8-sig", "replace")
