"""COCO's JSON: ``images``, ``annotations`` with boxes, ``categories``; one file, or one for each split.

Roboflow writes ``train/_annotations.coco.json`` beside the pictures, COCO itself ``annotations/…_train.json``
and the pictures elsewhere, CVAT puts what annotators said into ``attributes``. What ``halfsmile data export
--format coco`` writes is read whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.manifest import Fault, LeftOut, Manifest
from halfsmile.data.readers.annotations.files import Files, manifest_of, split_of_path
from halfsmile.data.readers.words import expression_of
from halfsmile.data.tables.pictures import locate

_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_HEAD = 1 << 20
_SAID = ("split", "person", "video", "frame", "votes")


def is_coco(start: bytes) -> bool:
    """Whether the first megabyte of a JSON file is COCO's."""
    return start.lstrip()[:1] == b"{" and sum(key in start for key in _KEYS) >= 2


def read(root: Path, *, labels: Mapping[str, str | None] | None = None) -> Manifest:
    """One row for each box, and for each picture without one.

    Args:
        root: The file, or a folder or archive with such files.
        labels: Class by the name of a category; None drops its boxes.

    Raises:
        ValueError: If there is no such file, or it is damaged.
    """
    root = Path(root)
    files = Files(root.parent, [root.name]) if root.suffix.lower() == ".json" else Files.below(root)
    names = [
        name for name in files.names if name.lower().endswith(".json") and is_coco(files.read(name, _HEAD))
    ]
    if not names:
        raise ValueError(f"{root} has no JSON file with COCO's images, annotations and categories.")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    folders: list[str] = []
    for name in names:
        found = _rows(files, name, notes, split=split_of_path(name))
        rows += found
        folders += [f"{PurePosixPath(name).parent}/".removeprefix("./")] * len(found)
    base, images, said = locate(files.root, [row["image"] for row in rows], ", ".join(names), folders)
    if len(set(map(bool, (row.get("box") for row in rows)))) > 1:
        bare = sum(not row.get("box") for row in rows)
        notes.append(LeftOut(f"{bare:,} pictures have no box."))
    rows = [{**row, "image": image} for row, image in zip(rows, images, strict=True)]
    return manifest_of(base, rows, labels, [*notes, *said])


def _rows(files: Files, name: str, notes: list[str], *, split: str | None) -> list[dict[str, Any]]:
    """The boxes of one file."""
    try:
        document = json.loads(files.read(name))
        categories = {item["id"]: str(item["name"]) for item in document.get("categories", [])}
        images = {item["id"]: str(item["file_name"]) for item in document["images"]}
        annotations = list(document.get("annotations", []))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{files.root / name} is not as COCO's JSON should be ({error!r}).") from error
    rows, seen, bad = [], set[Any](), 0
    for item in annotations:
        try:
            image = images[item["image_id"]]
            row = {"image": image.replace("\\", "/"), "label": _label(item, categories), "split": split}
            row |= {part: item[part] for part in _SAID if item.get(part) is not None}
            rows.append(row | _places(item))
            seen.add(item["image_id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            bad += 1
    if bad:
        notes.append(Fault(f"{bad:,} annotations of {name} can't be understood and were left out."))
    if images and not annotations:
        notes.append(Fault(f"{name} lists {len(images):,} pictures and annotates none of them."))
    rest = [image for number, image in images.items() if number not in seen]
    return rows + [{"image": image.replace("\\", "/"), "split": split} for image in rest]


def _label(item: Mapping[str, Any], categories: Mapping[Any, str]) -> str | None:
    """What an annotator said in an attribute, or else the category."""
    attributes = item.get("attributes") or {}
    said = [str(value) for value in attributes.values() if expression_of(str(value))]
    return said[0] if said else categories[item["category_id"]] if "category_id" in item else None


def _places(item: Mapping[str, Any]) -> dict[str, Any]:
    """Box and five landmarks in pixels."""
    found: dict[str, Any] = {}
    if item.get("bbox"):
        x, y, width, height = map(float, item["bbox"])
        if width > 0 and height > 0:
            found["box"] = [x, y, x + width, y + height]
    points = item.get("keypoints") or []
    if len(points) == 15 and all(points[2::3]):
        found["landmarks"] = [float(v) for i in range(5) for v in points[3 * i : 3 * i + 2]]
    return found
