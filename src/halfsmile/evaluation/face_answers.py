"""What a model says of labeled pictures: of each as it is, or of the face that a detector finds in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.sources import MediaSource
from halfsmile.predict.model import Crops, ExpressionModel, Floats
from halfsmile.predict.predictor import Predictor, rgb
from halfsmile.predict.work import batches, read_ahead
from halfsmile.utils.progress import Progress

MISTAKES = 18
"""Wrong answers that are kept with their pictures."""

SMALL = 256
"""Longest side in pixels of a square picture that is probably a face that was cut out already."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong answer.

    Args:
        row: Of the manifest.
        crop: What the model saw, (S, S, C) uint8.
        answer: Class index.
        confidence: Probability of the answer.
    """

    row: int
    crop: Image
    answer: int
    confidence: float


@dataclass(eq=False)
class FaceAnswers:
    """Answers for the rows of a manifest, and the rows that have none.

    Attributes:
        rows: M rows with an answer, ascending.
        probabilities: (M, classes), calibrated.
        no_face: Rows whose picture was read and shows no face, or none at the row's box.
        unreadable: (locator, reason) of the pictures that could not be read, once for each row.
        small_squares: How many of the pictures without a face are square and small.
        mistakes: The surest wrong answers, the surest first.
    """

    rows: list[int] = field(default_factory=list)
    probabilities: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    no_face: list[int] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    small_squares: int = 0
    mistakes: list[Mistake] = field(default_factory=list)


def answer_faces(
    model: ExpressionModel,
    manifest: Manifest,
    targets: npt.NDArray[np.int64],
    *,
    detector: Detector | None = None,
    mistakes: int = MISTAKES,
    progress: bool = True,
) -> FaceAnswers:
    """Read every picture once and ask the model; memory does not grow with the number of pictures.

    Args:
        model: The model.
        manifest: N rows. One with a box, in pixels of its picture, stands for the found face that overlaps
            the box most; any other row for the surest face.
        targets: (N,) true class indices, for :attr:`FaceAnswers.mistakes`.
        detector: Finds the faces; None takes pictures as they are, each as one face.
        mistakes: How many of the surest wrong answers are kept with their pictures.
        progress: Show progress on standard error when it takes more than two seconds.
    """
    predictor = None if detector is None else Predictor(model, detector=detector)
    boxes, locators = manifest.column("box"), manifest.column("image")
    groups = [tuple(rows) for _, rows in groupby(range(len(locators)), key=locators.__getitem__)]
    pictures = (_source(manifest, rows[0], locators) for rows in groups)
    rows_of_next = iter(groups)
    found = FaceAnswers()
    parts: list[Floats] = [np.zeros((0, len(model.labels)), np.float32)]
    begin = time.monotonic()
    with Progress("scoring", total=len(manifest), active=progress) as shown:
        for batch in batches(read_ahead(pictures)):
            images = [image for _, image in batch if not isinstance(image, str)]
            faces_of_next = iter(_detect(predictor, images))
            answered: list[int] = []
            cut: list[Image] = []
            done = 0
            for picture, image in batch:
                rows = next(rows_of_next)
                done += len(rows)
                if isinstance(image, str):
                    found.unreadable += [(picture.locator, image)] * len(rows)
                    continue
                faces = next(faces_of_next)
                for row in rows:
                    crop = _crop(model, predictor, image, faces, boxes[row])
                    if crop is None:
                        found.no_face.append(row)
                        found.small_squares += _is_small_square(image)
                    else:
                        answered.append(row)
                        cut.append(crop)
            crops = np.stack(cut) if cut else np.zeros((0, *model.crop_shape), np.uint8)
            probabilities = model.predict(crops).probabilities
            parts.append(probabilities)
            found.rows += answered
            wrong = _wrong(answered, crops, probabilities, targets)
            found.mistakes = sorted([*found.mistakes, *wrong], key=lambda m: -m.confidence)[:mistakes]
            rate = (shown.done + done) / max(time.monotonic() - begin, 1e-9)
            shown.advance(done, note=f"{rate:,.0f} pictures/s")
    found.probabilities = np.concatenate(parts)
    return found


def _source(manifest: Manifest, row: int, locators: Sequence[str]) -> MediaSource:
    return MediaSource("picture", locators[row], PurePosixPath(locators[row]), manifest.root, locators[row])


def _detect(predictor: Predictor | None, images: Sequence[Image]) -> list[list[Detection]]:
    """Faces of each picture; none are looked for where pictures are taken as they are."""
    if predictor is None or not images:
        return [[] for _ in images]
    return predictor.detector.detect([rgb(image) for image in images])


def _crop(
    model: ExpressionModel,
    predictor: Predictor | None,
    image: Image,
    faces: Sequence[Detection],
    box: Sequence[float] | None,
) -> Image | None:
    """What the model is shown for a row, (S, S, C) uint8; None where its face was not found."""
    if predictor is None:
        wanted = model.preprocessing
        return preprocess(image, wanted.size, wanted.channels)
    if not faces:
        return None
    face = faces[0]
    if box is not None:
        shares = overlaps(np.stack([face.box for face in faces]), np.array([box]))[:, 0]
        if not shares.max() > 0:
            return None
        face = faces[int(shares.argmax())]
    crop: Image = predictor.crops(rgb(image), [face])[0]
    return crop


def _is_small_square(image: Image) -> bool:
    height, width = image.shape[:2]
    return bool(height == width <= SMALL)


def _wrong(
    rows: Sequence[int], crops: Crops, probabilities: Floats, targets: npt.NDArray[np.int64]
) -> Iterator[Mistake]:
    """The wrong ones among some answers."""
    for row, crop, answer in zip(rows, crops, probabilities, strict=True):
        best = int(answer.argmax())
        if best != targets[row]:
            yield Mistake(row, crop, best, float(answer[best]))
