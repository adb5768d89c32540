"""Agreement between views, certainty and answers by age and by the groups of UTKFace's metadata.

These faces have no expression labels, so nothing here says how often an answer is right. Ages and groups are
those that UTKFace's authors estimated. A model that is surer or steadier on one group than on another may be
better there, or those faces may differ: in age, light, sharpness, and in what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from benchmarks.neutral_person import POINTS
from benchmarks.real_faces import rgb_picture, table_rows

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import align
from halfsmile.faces.detect import Detection
from halfsmile.predict.model import ExpressionModel
from halfsmile.utils.files import atomic_write
from halfsmile.utils.markdown import markdown_table

AGES = ((0, 2), (3, 9), (10, 19), (20, 39), (40, 59), (60, 200))
GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "other")
ZOOM, DARK, BRIGHT = 1.15, 0.5, 1.5
BATCH = 64
_SWAPPED = [1, 0, 2, 4, 3]  # landmarks of a mirrored face


@dataclass(frozen=True, eq=False)
class Views:
    """Answers for several views of each face.

    Args:
        rows: Of UTKFace's table.
        probabilities: (N, classes) by name of the view; that of the picture as it is first.
    """

    rows: Sequence[Mapping[str, str]]
    probabilities: Mapping[str, npt.NDArray[np.float32]]


def _light(factor: float) -> Callable[[Image], Image]:
    return lambda image: np.asarray((image.astype(np.float32) * factor).clip(0, 255), np.uint8)


def views_of(model: ExpressionModel, image: Image, face: Detection) -> dict[str, Image]:
    """What the model sees of a face: as it is, mirrored, closer, darker and brighter; (S, S, C) uint8."""
    wanted = model.preprocessing

    def cut(picture: Image, places: Detection, zoom: float = 1.0) -> Image:
        crop = align(picture, places, size=wanted.size, scale=wanted.scale * zoom)
        if wanted.channels == 1:
            return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None], np.uint8)
        return crop

    assert face.landmarks is not None  # noqa: S101 - they come from a table
    width = image.shape[1]
    mirrored = face.landmarks[_SWAPPED] * (-1, 1) + (width - 1, 0)
    box = np.array([width - face.box[2], face.box[1], width - face.box[0], face.box[3]], np.float32)
    return {
        "as it is": cut(image, face),
        "mirrored": cut(np.ascontiguousarray(image[:, ::-1]), Detection(box, mirrored.astype(np.float32))),
        "closer": cut(image, face, ZOOM),
        "darker": cut(_light(DARK)(image), face),
        "brighter": cut(_light(BRIGHT)(image), face),
    }


def answer_views(model: ExpressionModel, shared: Path, cache: Path, count: int) -> Views:
    """Answers on so many faces of UTKFace, evenly from its table, from ``cache`` where it has them."""
    rows = table_rows(shared / "faces_utk" / "utk112.csv")
    rows = [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
    path = cache / f"groups-{len(rows)}-{(model.sha256 or '')[:12]}.npz"
    if not path.exists():
        found: dict[str, list[npt.NDArray[np.float32]]] = {}
        for start in range(0, len(rows), BATCH):
            cut: dict[str, list[Image]] = {}
            for row in rows[start : start + BATCH]:
                points = np.array([[row[f"{name}_x"], row[f"{name}_y"]] for name in POINTS], np.float32)
                face = Detection(np.array([0, 0, 112, 112], np.float32), points)
                picture = rgb_picture(shared / "faces_utk", f"utk112.zip!{row['file']}")
                for name, crop in views_of(model, picture, face).items():
                    cut.setdefault(name, []).append(crop)
            for name, crops in cut.items():
                found.setdefault(name, []).append(model.predict(np.stack(crops)).probabilities)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in found.items()}
            np.savez(file, **arrays)
    with np.load(path) as kept:
        return Views(rows, {name: kept[name] for name in kept.files})


def members(rows: Sequence[Mapping[str, str]]) -> dict[str, npt.NDArray[np.bool_]]:
    """Which faces belong to each group; groups of fewer than 20 and gaps of the table are left out."""
    age, gender, race = (
        np.array([int(row[name]) if row[name].isdigit() else -1 for row in rows])
        for name in ("age", "gender", "race")
    )
    found = {"all": np.ones(len(rows), bool)}
    found |= {
        f"age {low} to {high}" if high < 200 else f"age {low} and more": (age >= low) & (age <= high)
        for low, high in AGES
    }
    found |= {name: gender == k for k, name in enumerate(GENDERS)}
    found |= {name: race == k for k, name in enumerate(RACES)}
    return {name: is_member for name, is_member in found.items() if is_member.sum() >= 20}


def in_words(views: Views, labels: Sequence[str], threshold: float | None) -> list[str]:
    """The section of the card."""
    first, *others = views.probabilities
    plain = views.probabilities[first]
    answer, confidence = plain.argmax(axis=1), plain.max(axis=1)
    rows = []
    for name, is_member in members(views.rows).items():
        same = [(views.probabilities[view].argmax(axis=1) == answer)[is_member].mean() for view in others]
        shares = [(answer[is_member] == k).mean() for k in range(len(labels))]
        certain = (confidence[is_member] >= (1.0 if threshold is None else threshold)).mean()
        numbers = [*same, confidence[is_member].mean(), certain, *shares]
        rows.append([name, f"{is_member.sum():,}", *(f"{100 * number:.1f}" for number in numbers)])
    return [
        "### By group",
        "",
        f"{len(views.rows):,} faces of UTKFace, cut by their landmarks: how often the answer stays the same "
        f"in the mirror, {ZOOM:g} times closer, at {DARK:g} and {BRIGHT:g} times the light; mean confidence; "
        "share of certain answers; and of each answer; in percent. **These faces have no expression labels, "
        "so this says nothing of how often answers are right.** Ages and groups are what UTKFace's authors "
        "estimated, and its pictures of one group differ from those of another in more than that.",
        "",
        markdown_table(["group", "faces", *others, "confidence", "certain", *labels], rows),
        "",
    ]
