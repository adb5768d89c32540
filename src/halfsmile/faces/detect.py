"""What every face detector takes and gives, and which one is used.

Coordinates are pixels of the picture that was given, x to the right, y down; pixel i covers [i, i + 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image

Floats = npt.NDArray[np.float32]
DetectorName = Literal["auto", "yunet", "mtcnn", "aligned"]

LANDMARKS = ("eye at image left", "eye at image right", "nose", "mouth at image left", "mouth at image right")


@dataclass(frozen=True, eq=False)
class Detection:
    """One face in a picture.

    Args:
        box: (4,) left, top, right, bottom; reaches beyond the picture where the face does.
        landmarks: (5, 2) points x, y in the order of ``LANDMARKS``; None where only a box is known.
        score: The detector's confidence, 0 to 1.
        upright: How likely the face stands upright once it is aligned, 0 to 1; None where nobody looked.

    Raises:
        ValueError: If the box is empty, a number is not finite, or a shape or the score is not as described.
    """

    box: Floats
    landmarks: Floats | None = None
    score: float = 1.0
    upright: float | None = None

    def __post_init__(self) -> None:
        box = np.array(self.box, np.float32)
        if box.shape != (4,) or not np.isfinite(box).all() or not (box[:2] < box[2:]).all():
            raise ValueError(
                f"A box is left, top, right, bottom with left < right and top < bottom, found {box.tolist()}."
            )
        object.__setattr__(self, "box", box)
        if self.landmarks is not None:
            points = np.array(self.landmarks, np.float32)
            if points.shape != (5, 2) or not np.isfinite(points).all():
                raise ValueError(
                    f"Landmarks are 5 finite points (x, y), found shape {points.shape}: {points.tolist()}."
                )
            object.__setattr__(self, "landmarks", points)
        if not 0 <= self.score <= 1:
            raise ValueError(f"A detection's score is from 0 to 1, found {self.score}.")

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return float(self.box[3] - self.box[1])


class Detector(Protocol):
    """Finds the faces of pictures."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces.

        Args:
            images: RGB (H, W, 3), uint8, of any sizes.

        Returns:
            One list per picture, the highest score first; empty where there is no face. A picture's faces
            do not depend on the pictures beside it.

        Raises:
            ValueError: If a picture is empty or not RGB uint8; the message says which.
        """
        ...


def detector(
    name: DetectorName = "auto", model: str | Path | None = None, *, threads: int | None = None
) -> Detector:
    """The detector of this name with its usual settings.

    Args:
        name: ``yunet`` (OpenCV's), ``mtcnn``, or ``auto``, which is YuNet; both find faces at any angle.
            ``aligned`` takes each picture as one face that was cut out before.
        model: Another ONNX file of YuNet, or its address; None for the one in the package.
        threads: Threads of the detector; None leaves the choice to it.

    Raises:
        ValueError: If the name is unknown, the model can't be had, or another than YuNet is given one.
    """
    from halfsmile.faces import any_angle, given_faces, mtcnn, yunet

    if name not in ("auto", "yunet", "mtcnn", "aligned"):
        raise ValueError(f"Unknown detector {name!r}; known are auto, yunet, mtcnn and aligned.")
    if name in ("mtcnn", "aligned") and model is not None:
        title = "MTCNN brings its own networks" if name == "mtcnn" else "Aligned faces need none"
        raise ValueError(f"{title}, but the model {str(model)!r} was given.")
    if name == "aligned":
        return given_faces.AlignedFaces()
    return any_angle.AnyAngle(
        mtcnn.Mtcnn(threads=threads) if name == "mtcnn" else yunet.YuNet(model, threads=threads)
    )


def detector_title(found: Detector) -> str:
    """Name of a detector for people: ``YuNet``, ``MTCNN``, or that of its class."""
    name = type(innermost(found)).__name__
    return {"Mtcnn": "MTCNN", "AlignedFaces": "nobody: pictures are faces", "GivenTable": "a table"}.get(
        name, name
    )


def innermost(found: Detector) -> Detector:
    """The detector itself, without those that show it pictures turned or enlarged."""
    inner: Detector | None = getattr(found, "detector", None)
    return found if inner is None else innermost(inner)


def require_pictures(images: Sequence[Image]) -> None:
    """Refuse anything but pictures that a detector can take.

    Raises:
        ValueError: If one is empty or not RGB uint8; the message says which.
    """
    for index, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            found = f"{image.dtype} values" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"Picture {index}: expected a uint8 array of RGB pixels, found {found}.")
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"Picture {index}: expected RGB of shape (H, W, 3), found shape {image.shape}. "
                "Repeat gray three times; drop transparency."
            )
        if 0 in image.shape:
            raise ValueError(f"Picture {index} is empty: its shape is {image.shape}.")


def shrink(image: Image, longest: int) -> tuple[Image, Floats]:
    """Shrink a picture by area averages until neither side is longer than ``longest``.

    Returns:
        The picture (the same array if it was small enough), and (2,) pixels of the given picture per pixel
        of the returned one, horizontally and vertically.
    """
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image, np.ones(2, np.float32)
    small = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8), np.array([width / small[0], height / small[1]], np.float32)
