"""YuNet, run by OpenCV: fast, good at small and turned faces; needs a model file of 0.2 MB.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. The
model (MIT) is the one of the OpenCV Zoo whose input size is free, as OpenCV 5 needs it; OpenCV 4.10 and later
take it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection, require_pictures, shrink
from halfsmile.utils.download import cached_path, download, is_url

MODEL = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98/"
    "models/face_detection_yunet/face_detection_yunet_2026may.onnx"
    "#sha256=ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
)
OVERLAP = 0.3  # of two boxes that are kept, as intersection over union
CANDIDATES = 5000


class YuNet:
    """The detector with its model loaded. One object serves one thread.

    Args:
        model: The ONNX file, or its address, which is downloaded once; ``MODEL`` if None.
        threshold: Score that a face must reach. Higher values find fewer faces, and fewer that are none.
        working_size: Pictures with a longer side are shrunk to it. Faces of 10 pixels and more are found in
            what is left; double it for faces half as large, at four times the work.
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
        cache: Path | None = None,
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, found {threshold}.")
        if working_size < 1:
            raise ValueError(f"working_size must be at least 1 pixel, found {working_size}.")
        self.working_size = working_size
        source = MODEL if model is None else str(model)
        path = download(source, cache=cache) if is_url(source) else Path(source)
        self._detector = _load(path, threshold)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> list[Detection]:
        pixels, scale = shrink(image, self.working_size)
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


def downloaded(cache: Path | None = None) -> Path | None:
    """The model if it was downloaded before."""
    path = cached_path(MODEL, cache=cache)
    return path if path.exists() else None


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
