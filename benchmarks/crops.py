"""In how many tight crops YuNet and MTCNN find the face, enlarged by how much, and how exactly.

    python benchmarks/crops.py --npz ferplus.npz --lfw lfw112.zip

*Found*: share of a random sample of FERPlus's pictures of 48 pixels with a plausible face. *From the file*:
median distance of its landmarks to those that the compact copy brings, mean of the five points, in pixels of
48. These were found by YuNet in the same small pictures, so they are no truth. Hence *error* and *roll*:
faces of LFW, aligned by YuNet in pictures of 250 pixels, are turned, shifted and cut to gray crops of 48
pixels like FERPlus's, and the landmarks found compared with the known ones: median of the mean distance in
pixels of 48, and of the difference of the angles in degrees, with the 95th percentile. Time is the
processor's, of one thread, for enlarging and detecting.
"""

from __future__ import annotations

import itertools
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.faces.align import move, similarity, template, warp
from halfsmile.faces.crops import CropDetector, Enlargement
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.yunet import YuNet

SIDE, BATCH = 48, 16
Points = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Options:
    """What to look at, and how.

    Args:
        npz: The compact copy of FERPlus: arrays images_d2 and landmarks.
        lfw: Zip archive of faces of 112 pixels on the template.
        model: Another ONNX file of YuNet.
        count: Pictures of FERPlus.
        faces: Faces of LFW.
        factors: How many times as large the pictures are shown.
        borders: Copies of the edge on each side, as shares of the picture.
        detectors: Which to measure.
        seed: Of the samples.
    """

    npz: Path
    lfw: Path
    model: Path | None = None
    count: int = 1000
    faces: int = 300
    factors: tuple[int, ...] = (1, 2, 3, 4, 5)
    borders: tuple[float, ...] = (0.0, 0.25, 0.5)
    detectors: tuple[Literal["yunet", "mtcnn"], ...] = ("yunet", "mtcnn")
    seed: int = 0


def ferplus(options: Options) -> tuple[list[Image], Points]:
    """A sample of the pictures, RGB, and the landmarks of the file, NaN where it has none."""
    with np.load(options.npz) as archive:
        differences, points = archive["images_d2"], archive["landmarks"]
    rows = np.random.default_rng(options.seed).choice(len(points), options.count, replace=False)
    pixels = np.cumsum(np.cumsum(differences[np.sort(rows)], 1, dtype=np.uint8), 2, dtype=np.uint8)
    return list(np.repeat(pixels[..., None], 3, 3)), points[np.sort(rows)].astype(np.float32)


def lfw(options: Options) -> tuple[list[Image], Points]:
    """Crops like FERPlus's of a sample of the faces, and where their landmarks are."""
    rng = np.random.default_rng(options.seed)
    names = sorted(name for name in zipfile.ZipFile(options.lfw).namelist() if name.endswith(".jpg"))
    images, points = [], []
    for row in rng.choice(len(names), options.faces, replace=False):
        image = read_image(options.lfw, names[row])
        angle, scale = np.radians(rng.normal(0, 8)), SIDE / 112 * rng.uniform(1, 1.2)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack((turn, SIDE / 2 - turn @ (56 + rng.normal(0, 3, 2))))
        gray = cv2.cvtColor(
            warp(np.broadcast_to(image, (112, 112, 3)).copy(), matrix, SIDE), cv2.COLOR_RGB2GRAY
        )
        images.append(np.repeat(np.asarray(gray, np.uint8)[..., None], 3, 2))
        points.append(move(template(), matrix))
    return images, np.array(points)


def find(detector: Detector, images: list[Image]) -> tuple[list[Detection | None], float]:
    """The face of each picture, and milliseconds per picture."""
    found: list[Detection | None] = []
    begin = time.process_time()
    for start in range(0, len(images), BATCH):
        found += [faces[0] if faces else None for faces in detector.detect(images[start : start + BATCH])]
    return found, (time.process_time() - begin) / len(images) * 1000


def errors(found: list[Detection | None], known: Points) -> npt.NDArray[np.float64]:
    """(N, 2): distance in pixels and difference of angles in degrees, of the faces with known landmarks."""
    rows = []
    for face, points in zip(found, known, strict=True):
        if face is not None and np.isfinite(points).all():
            apart = np.linalg.norm(np.asarray(face.landmarks) - points, axis=1).mean()
            turns = [similarity(each, template()) for each in (np.asarray(face.landmarks), points)]
            first, second = (np.arctan2(turn[1, 0], turn[0, 0]) for turn in turns)
            rows.append((apart, abs(np.degrees(first - second))))
    return np.array(rows)


def main(options: Options) -> None:
    cv2.setNumThreads(1)
    crops, points = ferplus(options)
    turned, truth = lfw(options)
    print("detector, factor, border | found | from the file | found in LFW | error | roll | ms")
    for name in options.detectors:
        detector: Detector = YuNet(options.model) if name == "yunet" else Mtcnn(threads=1)
        for factor, border in itertools.product(options.factors, options.borders):
            one = CropDetector(detector, Enlargement(SIDE * factor, border))
            found, took = find(one, crops)
            known, _ = find(one, turned)
            share, shown = (sum(f is not None for f in each) / len(each) for each in (found, known))
            (error, roll), (most, worst) = np.percentile(errors(known, truth), (50, 95), axis=0)
            print(
                f"{name}, {factor}, {border:.2f} | {100 * share:.1f} % | "
                f"{np.median(errors(found, points)[:, 0]):.2f} | {100 * shown:.1f} % | "
                f"{error:.2f} ({most:.1f}) | {roll:.1f} ({worst:.1f}) | {took:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
