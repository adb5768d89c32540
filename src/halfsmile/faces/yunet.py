"""YuNet, run by OpenCV: fast, good at small and turned faces; its model of 0.2 MB lies in ``models/``.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. The
model (MIT, ``models/LICENSE``) is the one of the OpenCV Zoo whose input size is free, as OpenCV 5 needs it;
OpenCV 4.10 and later take it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import Detection, require_pictures, shrink
from halfsmile.utils.download import download, is_url

MODEL = Path(__file__).parent / "models" / "face_detection_yunet_2026may.onnx"
OVERLAP = 0.3  # of two boxes that are kept, as intersection over union
CANDIDATES = 5000
SMALL_FACE = 128  # pixels at the fine size, where larger faces have been found before


class YuNet:
    """The detector with its model loaded. One object serves one thread.

    Args:
        model: Another ONNX file, or its address, which is downloaded once; ``MODEL`` if None.
        threshold: Score that a face must reach. Higher values find fewer faces, and fewer that are none.
        working_size: Pictures with a longer side are shrunk to it, in which faces of all sizes from 40 pixels
            on are found, and most smaller ones.
        fine_size: Those pictures are processed a second time, shrunk to this, for faces that became too
            small; takes four times as long as the first. None processes them once.
        cache: Folder for the downloaded model; halfsmile's cache if None.

    Raises:
        ValueError: If the file does not exist or is no such model, the download fails or has another SHA-256,
            or a setting is out of range.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threshold: float = 0.6,
        working_size: int = 640,
        fine_size: int | None = 1280,
        cache: Path | None = None,
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, found {threshold}.")
        if working_size < 1:
            raise ValueError(f"working_size must be at least 1 pixel, found {working_size}.")
        if fine_size is not None and fine_size < working_size:
            raise ValueError(f"fine_size must be at least working_size ({working_size}), found {fine_size}.")
        self.working_size = working_size
        self.fine_size = fine_size
        source = str(MODEL if model is None else model)
        path = download(source, cache=cache) if is_url(source) else Path(source)
        self._detector = _load(path, threshold)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> list[Detection]:
        found = self._look(image, self.working_size)
        longest = max(image.shape[:2])
        if self.fine_size is None or longest <= self.working_size:
            return found
        limit = SMALL_FACE * max(1.0, longest / self.fine_size)
        small = [face for face in self._look(image, self.fine_size) if max(face.width, face.height) <= limit]
        if small and found:
            shares = overlaps(
                np.stack([face.box for face in small]),
                np.stack([face.box for face in found]),
                of_smaller=True,
            )
            small = [face for face, share in zip(small, shares.max(1), strict=True) if share <= OVERLAP]
        return sorted([*found, *small], key=lambda face: -face.score)

    def _look(self, image: Image, size: int) -> list[Detection]:
        """Faces of a picture that is shrunk to a size."""
        pixels, scale = shrink(image, size)
        self._detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        rows = self._detector.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1]
        if rows is None:
            return []
        points = np.array(rows[:, :14], np.float32).reshape(-1, 7, 2)
        points[:, 1] += points[:, 0]  # from width and height to the lower right corner
        points *= scale
        scores = np.clip(rows[:, 14], 0, 1)
        return [
            Detection(points[row, :2].ravel(), points[row, 2:], float(scores[row]))
            for row in np.argsort(-scores, kind="stable")
            if (points[row, 0] < points[row, 1]).all()
        ]


def _load(path: Path, threshold: float) -> cv2.FaceDetectorYN:
    if not path.is_file():
        raise ValueError(f"YuNet's model {path} does not exist.")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (32, 32), threshold, OVERLAP, CANDIDATES)
        detector.detect(np.zeros((32, 32, 3), np.uint8))
    except cv2.error as error:
        raise ValueError(f"{path} is no YuNet model that OpenCV {cv2.__version__} can run.") from error
    finally:
        cv2.utils.logging.setLogLevel(level)
    return detector
