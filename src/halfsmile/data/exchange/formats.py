"""Faces for other programs: class folders, a CSV table, and JSON in COCO's manner.

Pictures keep their bytes; rows of pixel tables become PNG files. What can't be read is left out and listed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from halfsmile.data.decode import BadImageError, decode, read_bytes, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.utils.files import atomic_write, write_json
from halfsmile.utils.progress import Progress

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
BOX_COLUMNS = ("x0", "y0", "x1", "y1")
LANDMARK_COLUMNS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
_PLAIN = ("image", "label", "split", "person", "video", "frame", "sha256")
_NAMED = {"sha256": "pixel_sha256"}
_MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


@dataclass(frozen=True)
class ExportedFaces:
    """What was written.

    Args:
        path: The folder or file.
        faces: Number of faces in it.
        bad: (locator, reason) of those that could not be read.
    """

    path: Path
    faces: int
    bad: tuple[tuple[str, str], ...] = ()


def export_folders(manifest: Manifest, out: Path, *, progress: bool = True) -> ExportedFaces:
    """Write ``out/labeled/<split>/<label>/0000012.jpg`` and ``out/unlabeled/<split>/0000013.jpg``.

    The number is the row. Where rows have no split, the folders of the splits are left out. The layout
    ``class_folders`` reads them back.

    Raises:
        ValueError: If ``out`` exists, some labeled rows have a split and some have none, or a label can't be
            the name of a folder.
    """
    _require_new(out)
    labels, splits = manifest.column("label"), manifest.column("split")
    with_split = {split is not None for label, split in zip(labels, splits, strict=True) if label is not None}
    if len(with_split) > 1:
        missing = sum(s is None for label, s in zip(labels, splits, strict=True) if label is not None)
        raise ValueError(
            f"{missing} labeled rows have no split and the others have one: give all of them one, "
            "by --splits NAME=test or `halfsmile data split … --test 20% --again`, or none."
        )
    for label in manifest.taxonomy.labels if manifest.taxonomy else ():
        if "/" in label or "\\" in label or label.startswith(".") or not label:
            raise ValueError(f"The label {label!r} can't be the name of a folder.")

    def folder(row: int) -> str:
        if labels[row] is None:
            return "/".join(["unlabeled", *([splits[row]] if splits[row] else [])])
        return "/".join(["labeled", *([splits[row]] if splits[row] else []), labels[row]])

    written, bad = write_pictures(manifest, out, folder, progress=progress)
    return ExportedFaces(Path(out), len(written), bad)


def export_csv(manifest: Manifest, path: Path, *, whole_paths: bool = False) -> ExportedFaces:
    """Write a table: one row per face, a column per number of box and landmarks.

    Votes are ``votes_<label>``, without such columns where no face has any. Missing values are empty.
    Pictures are named relative to the table, so that it can be read where it is; on another drive, or if it
    is wanted, by their whole path.
    """
    prefix = _prefix(manifest.root, None if whole_paths else Path(path).parent)
    has_votes = manifest.table["votes"].null_count < len(manifest)
    labels = manifest.taxonomy.labels if manifest.taxonomy is not None and has_votes else ()
    votes = [f"votes_{label}" for label in labels]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [*(_NAMED.get(name, name) for name in _PLAIN), *BOX_COLUMNS, *LANDMARK_COLUMNS, *votes]
        )
        for row in manifest.table.to_pylist():
            numbers: list[Any] = []
            for name, count in (("box", 4), ("landmarks", 10), ("votes", len(labels))):
                numbers += [""] * count if row[name] is None else row[name]
            row["image"] = prefix + row["image"]
            writer.writerow([*("" if row[name] is None else row[name] for name in _PLAIN), *numbers])
    return ExportedFaces(Path(path), len(manifest))


def _prefix(root: Path, folder: Path | None) -> str:
    """What turns a locator below a root into one below a folder, or into a whole path."""
    place = Path(root).resolve()
    text = place.as_posix()
    if folder is not None:
        with suppress(ValueError):
            text = Path(os.path.relpath(place, folder.resolve())).as_posix()
    if place.is_file():
        return f"{text}!"
    return "" if text == "." else f"{text}/"


def export_coco(manifest: Manifest, out: Path, *, progress: bool = True) -> ExportedFaces:
    """Write ``out/images/0000012.jpg`` and ``out/annotations.json`` in the layout of COCO's keypoint task.

    Categories are the classes, counted from 1; a face without a label has ``category_id`` 0, "face". A face
    without a box gets the whole picture as its ``bbox`` (x, y, width, height). Split, person, video, frame
    and votes are further fields of the annotations, the locator of the images.

    Raises:
        ValueError: If ``out`` exists.
    """
    _require_new(out)
    names = ["face", *(manifest.taxonomy.labels if manifest.taxonomy else ())]
    written, bad = write_pictures(manifest, out, lambda row: "images", progress=progress)
    images, annotations = [], []
    rows = manifest.table.to_pylist()
    for row, path in written.items():
        face = rows[row]
        height, width, _ = decode((Path(out) / path).read_bytes(), path).shape
        images.append(
            {"id": row, "file_name": path, "width": width, "height": height, "locator": face["image"]}
        )
        x0, y0, x1, y1 = face["box"] or (0.0, 0.0, float(width), float(height))
        points = face["landmarks"]
        annotation = {
            "id": row,
            "image_id": row,
            "category_id": 0 if face["label"] is None else names.index(face["label"]),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
            "iscrowd": 0,
            "num_keypoints": 5 if points else 0,
            "keypoints": [v for i in range(5) for v in (points[2 * i], points[2 * i + 1], 2)]
            if points
            else [0] * 15,
        }
        more = ("split", "person", "video", "frame", "votes")
        annotations.append(annotation | {name: face[name] for name in more if face[name] is not None})
    categories = [
        {"id": i, "name": name, "supercategory": "face", "keypoints": list(LANDMARKS), "skeleton": []}
        for i, name in enumerate(names)
    ]
    document = {"images": images, "annotations": annotations, "categories": categories}
    write_json(Path(out) / "annotations.json", document)
    return ExportedFaces(Path(out), len(written), bad)


def write_pictures(
    manifest: Manifest, out: Path, folder: Callable[[int], str], *, progress: bool = True
) -> tuple[dict[int, str], tuple[tuple[str, str], ...]]:
    """Write the pictures of a manifest as ``out/<folder(row)>/<row>.<suffix>``.

    Returns:
        Path below ``out`` by row; and (locator, reason) of those that could not be read.
    """
    written: dict[int, str] = {}
    bad: list[tuple[str, str]] = []
    with Progress("writing pictures", total=len(manifest), active=progress) as shown:
        for row, locator in enumerate(manifest.column("image")):
            shown.advance(1)
            try:
                data, suffix = picture_file(manifest.root, locator)
            except BadImageError as error:
                bad.append((locator, str(error)))
                continue
            path = f"{folder(row)}/{row:07d}{suffix}"
            (Path(out) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(out) / path).write_bytes(data)
            written[row] = path
    return written, tuple(bad)


def picture_file(root: Path, locator: str) -> tuple[bytes, str]:
    """Bytes of a picture as a file, and the suffix that fits them.

    Raises:
        BadImageError: If it can't be read or is no image.
    """
    if ".csv#" not in locator.lower():
        data = read_bytes(root, locator)
        decode(data, locator)
        for start, suffix in _MAGIC.items():
            if data.startswith(start):
                return data, suffix
    image = read_image(root, locator)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    return bytes(cv2.imencode(".png", pixels)[1]), ".png"


def image_rows(manifest: Manifest) -> Iterator[tuple[str, int]]:
    """(locator, row) of every row.

    Raises:
        ValueError: If a locator is there twice.
    """
    seen: set[str] = set()
    for row, locator in enumerate(manifest.column("image")):
        if locator in seen:
            raise ValueError(f"{locator} is in the manifest twice; labels can't be matched with its rows.")
        seen.add(locator)
        yield locator, row


def _require_new(out: Path) -> None:
    if Path(out).exists():
        raise ValueError(f"{out} exists already. Remove it or choose another folder.")
