"""How good an aligned face is: size, sharpness, pose and exposure, each from 0 (useless) to 1 (good).

The scores order pictures of the same kind; they are no probabilities. Thresholds belong to the data set:
inspect the faces on both sides of one before using it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import TEMPLATE, TEMPLATE_SIZE, align, alignment
from halfsmile.faces.detect import Detection, require_pictures

FULL_SIZE = 112  # pixels of the picture across an aligned face, from which on more do not count
FULL_RANGE = 64.0  # gray levels between dark and light parts of a face, from which on more do not count
BLACK, WHITE = 5, 250  # gray levels at and beyond which nothing is left to see
_BLUR = 9  # pixels over which sharpness is judged
_ROUNDING = 0.5  # gray levels
# Depth towards the viewer of the template's points, in its pixels: those of an average head, where the nose
# stands 0.42 and the mouth 0.03 eye distances before the eyes.
_DEPTH = (0.0, 0.0, 15.0, 1.0, 1.0)


@dataclass(frozen=True)
class Pose:
    """Direction of a head in degrees, about 0 for the template; rough, since five points fix no more.

    Attributes:
        yaw: Turned to the side; positive when the nose points to the image's right.
        pitch: Nodding; positive when the nose points down.
        roll: Tilted; positive when the eye at the image's right is lower.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Quality:
    """Scores of one face, all from 0 to 1.

    Attributes:
        size: Resolution in the picture: pixels across the aligned face over ``FULL_SIZE``, at most 1.
        sharpness: See :func:`sharpness`. At 112 pixels about 0.5 in focus, 0.2 after a Gaussian blur of 2
            pixels, 0.05 after one of 4. Noise raises it.
        frontal: cos(yaw) · cos(pitch); 1 from the front, 0 in profile. None without landmarks.
        exposure: Range of gray levels from dark to light parts over ``FULL_RANGE``, at most 1, times the
            share of pixels that are neither black nor white. Light and dark skin score alike as long as their
            shading is seen.
        pose: The angles behind ``frontal``; None without landmarks.
    """

    size: float
    sharpness: float
    frontal: float | None
    exposure: float
    pose: Pose | None

    @property
    def worst(self) -> float:
        """The smallest of the scores that are known."""
        known = (self.size, self.sharpness, self.exposure)
        return min(known if self.frontal is None else (*known, self.frontal))


def quality(face: Detection, aligned: Image) -> Quality:
    """Score one face.

    Args:
        face: The face in its picture.
        aligned: What :func:`halfsmile.faces.align.align` made of it, (S, S, 3) uint8, at scale 1.

    Raises:
        ValueError: If the aligned face is empty or not RGB uint8, or the landmarks fix no scale.
    """
    require_pictures([aligned])
    gray = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY), np.uint8)
    head = None if face.landmarks is None else pose(face.landmarks)
    return Quality(
        size=size_score(face),
        sharpness=sharpness(gray),
        frontal=None if head is None else frontal(head),
        exposure=exposure(gray),
        pose=head,
    )


def quality_scores(image: Image, face: Detection) -> dict[str, float]:
    """Scores of this module by name; ``frontal`` only where there are landmarks."""
    found = quality(face, align(image, face, size=TEMPLATE_SIZE))
    scores = {"size": found.size, "sharpness": found.sharpness, "exposure": found.exposure}
    return scores if found.frontal is None else scores | {"frontal": found.frontal}


def size_score(face: Detection) -> float:
    """Pixels of the picture across the aligned face, over ``FULL_SIZE``, at most 1."""
    matrix = alignment(face)
    return min(1.0, TEMPLATE_SIZE / float(np.hypot(matrix[0, 0], matrix[1, 0])) / FULL_SIZE)


def sharpness(gray: Image) -> float:
    """How much of the differences between neighboring pixels a blur would take away, 0 to 1.

    1 minus the blur effect of Crété-Roffet, Dolmiere, Ladret, Nicolas, "The blur effect: perception and
    estimation with a new no-reference perceptual blur metric", SPIE 2007: what is blurred already
    loses little. Losses within the rounding of gray levels do not count: in a strong blur nothing else is
    left. Contrast matters little otherwise; a flat picture scores 0.

    Args:
        gray: (H, W), uint8, at least 3 pixels each way. Compare only faces aligned to the same size.
    """
    pixels = np.asarray(gray, np.float32)
    losses = []
    for axis in range(2):
        kernel = (1, _BLUR) if axis == 0 else (_BLUR, 1)
        blurred = cv2.blur(pixels, kernel, borderType=cv2.BORDER_REFLECT)
        before = np.abs(np.diff(pixels, axis=axis))
        after = np.abs(np.diff(blurred, axis=axis))
        total = float(before.sum())
        losses.append(float(np.maximum(before - after - _ROUNDING, 0).sum()) / total if total > 0 else 0.0)
    return min(losses)


def exposure(gray: Image) -> float:
    """Range of gray levels in the middle of an aligned face, times the share neither black nor white, 0 to 1.

    The range lies between the 5th and the 95th percentile. The middle is the inner 70 % each way, so that
    hair and background count little.

    Args:
        gray: (S, S), uint8.
    """
    rows, columns = (round(0.15 * length) for length in gray.shape)
    middle = gray[rows : gray.shape[0] - rows, columns : gray.shape[1] - columns]
    dark, light = np.percentile(middle, (5, 95))
    visible = float(np.mean((middle > BLACK) & (middle < WHITE)))
    return min(1.0, float(light - dark) / FULL_RANGE) * visible


def pose(landmarks: npt.ArrayLike) -> Pose:
    """Angles of a head from its five landmarks, by weak perspective.

    The points of an average head are fitted to the landmarks by the best scaled projection: least squares of
    an affine camera, then the closest rotation. Exact for the projections of that head.

    Args:
        landmarks: (5, 2) pixels, in the project's order.

    Raises:
        ValueError: If the shape is another or all points coincide.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"Expected 5 finite landmarks (x, y), found shape {points.shape}.")
    head = average_head()
    camera = (np.linalg.pinv(head) @ (points - points.mean(0))).T
    left, sizes, right = np.linalg.svd(camera, full_matrices=False)
    if sizes[0] < 1e-9:
        raise ValueError(f"All landmarks coincide: {points.tolist()}.")
    across, down = left @ right
    towards = np.cross(across, down)
    # Rz(roll) Rx(pitch) Ry(yaw) in axes right, down, away from the viewer
    pitch = np.arcsin(np.clip(towards[1], -1, 1))
    yaw = np.arctan2(towards[0], towards[2])
    roll = np.arctan2(-across[1], down[1])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def pose_of(landmarks: npt.ArrayLike) -> dict[str, float]:
    """Yaw, pitch and roll in degrees, to a tenth, of landmarks (5, 2)."""
    head = pose(landmarks)
    return {"yaw": round(head.yaw, 1), "pitch": round(head.pitch, 1), "roll": round(head.roll, 1)}


def frontal(head: Pose) -> float:
    """cos(yaw) · cos(pitch), 0 where the face looks away."""
    yaw, pitch = np.radians((head.yaw, head.pitch))
    return float(max(0.0, np.cos(yaw)) * max(0.0, np.cos(pitch)))


def average_head() -> npt.NDArray[np.float64]:
    """The template's points with their depth, (5, 3), about their center: x right, y down, z away."""
    points = np.column_stack((np.array(TEMPLATE), -np.array(_DEPTH)))
    return np.asarray(points - points.mean(0), np.float64)
