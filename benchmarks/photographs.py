"""Faces found and answered for in photographs as they are, turned, smaller, larger, and in a collage.

    python benchmarks/photographs.py photos --detector yunet

The faces of each picture as it is are the truth: a face counts as found where one of the other view lies
within a third of its size, and its answer as the same where it is that of the picture as it is. To compare
with an older version, run this file with the older package first on PYTHONPATH. Times are of the process, all
threads together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.predict.face import Face
from halfsmile.predict.predictor import Predictor

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
COLLAGE = (8000, 6000)
CELL = 1000  # pixels of a collage for a picture, which is shrunk to at most half of it
Points = npt.NDArray[np.float64]
View = tuple[Image, Callable[[Points], Points]]
"""A picture, and where points (N, 2) of the picture as it is are in it."""


@dataclass(frozen=True)
class Options:
    """What to look at.

    Args:
        folder: Photographs.
        detector: What finds the faces.
        limit: Photographs at most.
        threads: Of everything.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    detector: Literal["yunet", "mtcnn"] = "yunet"
    limit: int = 100
    threads: int = 1


@dataclass
class Count:
    """Of the faces of a view."""

    truth: int = 0
    found: int = 0
    extra: int = 0
    other: int = 0
    certain: int = 0
    other_certain: int = 0
    seconds: float = 0.0

    def add(self, truth: Sequence[Face], places: Points, faces: Sequence[Face], size: float) -> None:
        """Count the faces of a picture.

        Args:
            truth: Those of the picture as it is.
            places: (N, 2) where they are in the view.
            faces: Those of the view.
            size: Pixels of the view per pixel of the picture.
        """
        self.truth += len(truth)
        self.certain += sum(face.uncertain is False for face in faces)
        left = list(faces)
        for face, place in zip(truth, places, strict=True):
            reach = size * (face.box[3] - face.box[1]) / 3
            away = [float(np.hypot(*(center(one) - place))) for one in left]
            if not away or min(away) > reach:
                continue
            one = left.pop(int(np.argmin(away)))
            self.found += 1
            is_other = one.expression != face.expression
            self.other += is_other
            self.other_certain += is_other and one.uncertain is False
        self.extra += len(left)

    def row(self, name: str) -> str:
        """Of a Markdown table."""
        return (
            f"| {name} | {self.found} of {self.truth}, {self.extra} more | {self.found - self.other} | "
            f"{self.other} | {self.certain} | {self.other_certain} | {1e3 * self.seconds:,.0f} |"
        )


def colored(image: Image) -> Image:
    return np.repeat(image, 3, 2) if image.shape[2] == 1 else image


def center(face: Face) -> Points:
    """Of its box, (2,)."""
    left, top, right, bottom = face.box
    return np.array([(left + right) / 2, (top + bottom) / 2])


def turned(image: Image, degrees: float) -> View:
    """Clockwise; by quarters without a loss, else with copies of the edge."""
    height, width = image.shape[:2]
    if degrees % 90 == 0:
        quarters = round(degrees / 90) % 4
        places: dict[int, Callable[[Points], Points]] = {
            0: lambda points: points,
            1: lambda points: np.stack((height - points[:, 1], points[:, 0]), 1),
            2: lambda points: np.array([width, height]) - points,
            3: lambda points: np.stack((points[:, 1], width - points[:, 0]), 1),
        }
        return np.ascontiguousarray(np.rot90(image, -quarters)), places[quarters]
    side = int(np.hypot(height, width))
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1), np.float64)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    pixels = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(pixels, np.uint8), lambda points: points @ matrix[:, :2].T + matrix[:, 2]


def resized(image: Image, factor: float) -> View:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    pixels = cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)
    return np.asarray(pixels, np.uint8), lambda points: points * factor


def collage(images: Sequence[Image]) -> tuple[Image, list[tuple[float, float, float]]]:
    """The pictures on one gray one, and factor, left and top of each."""
    sheet, places = np.full((COLLAGE[1], COLLAGE[0], 3), 128, np.uint8), []
    columns = COLLAGE[0] // CELL
    for index, image in enumerate(images[: columns * (COLLAGE[1] // CELL)]):
        factor = min(1.0, CELL / 2 / max(image.shape[:2]))
        small, _ = resized(image, factor)
        left, top = index % columns * CELL + 37, index // columns * CELL + 53
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
        places.append((factor, float(left), float(top)))
    return sheet, places


def measure(predictor: Predictor, images: Sequence[Image]) -> dict[str, Count]:
    """What is found in each view."""
    truths = [predictor.faces([image], ["picture"])[0] for image in images]
    spots = [np.array([center(face) for face in truth]).reshape(-1, 2) for truth in truths]
    views: dict[str, tuple[Callable[[Image], View], float]] = {
        "as they are": (lambda image: turned(image, 0), 1.0),
        "half the size": (lambda image: resized(image, 0.5), 0.5),
        "twice the size": (lambda image: resized(image, 2), 2.0),
    }
    for degrees in (90, 180, 270, 45, 135):
        views[f"turned by {degrees}°"] = (lambda image, angle=degrees: turned(image, angle), 1.0)  # type: ignore[misc]
    counts: dict[str, Count] = {}
    for name, (view, size) in views.items():
        count = counts[name] = Count()
        for image, truth, spot in zip(images, truths, spots, strict=True):
            seen, move = view(image)
            begin = time.process_time()
            faces = predictor.faces([seen], ["view"])[0]
            count.seconds += (time.process_time() - begin) / len(images)
            count.add(truth, move(spot), faces, size)
    sheet, places = collage(images)
    for name, degrees in (("in a collage", 0), ("in a collage, turned by 180°", 180)):
        seen, move = turned(sheet, degrees)
        begin = time.process_time()
        faces = predictor.faces([seen], ["collage"])[0]
        count = counts[name] = Count(seconds=time.process_time() - begin)
        everyone = [face for truth in truths[: len(places)] for face in truth]
        on_sheet = [
            spot * factor + (left, top) for spot, (factor, left, top) in zip(spots, places, strict=False)
        ]
        count.add(everyone, move(np.concatenate(on_sheet)), faces, min(factor for factor, _, _ in places))
    return counts


def main(options: Options) -> None:
    cv2.setNumThreads(options.threads)
    names = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    images = [colored(read_image(path.parent, path.name)) for path in names[: options.limit]]
    predictor = Predictor(detector=options.detector, threads=options.threads)
    print(f"{len(images)} photographs, {options.detector}\n")
    print("| view | found | same answer | other answer | certain | other and certain | ms |")
    print("|---|---|---|---|---|---|---|")
    for name, count in measure(predictor, images).items():
        print(count.row(name), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
