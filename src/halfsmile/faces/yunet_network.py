"""The network of YuNet, run by onnxruntime: a picture in, all that may be faces out.

Decoding and non-maximum suppression are those of OpenCV's ``FaceDetectorYN``, with which a test compares
them; onnxruntime takes less than half of its time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import suppress
from halfsmile.faces.detect import Detection, Floats
from halfsmile.utils.runtime import import_onnxruntime

MODEL = Path(__file__).parent / "models" / "face_detection_yunet_2026may.onnx"
STRIDES = (8, 16, 32)  # pixels between the places of each of the three maps
OVERLAP = 0.3  # of two boxes that are kept, as intersection over union
CANDIDATES = 5000
_OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES)


class YuNetNetwork:
    """A loaded network, which computes in the thread that asks; may be shared between threads.

    Args:
        path: Its ONNX file.

    Raises:
        ValueError: If the file does not exist or is no such network.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ValueError(f"YuNet's model {path} does not exist.")
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # pictures have many sizes
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds of errors are not public
            raise ValueError(f"{path} is no YuNet model that onnxruntime can run.") from error
        outputs = {node.name for node in session.get_outputs()}
        if not outputs >= set(_OUTPUTS) or len(session.get_inputs()) != 1:
            raise ValueError(f"{path} is no YuNet model: its outputs are {sorted(outputs)}.")
        self._session: Any = session
        self._input = session.get_inputs()[0].name

    def look(self, pixels: Image, threshold: float) -> list[Detection]:
        """Faces of a picture as it is, the highest score first.

        Args:
            pixels: RGB (H, W, 3), uint8.
            threshold: Score that a face must reach, 0 to 1.
        """
        outputs = dict(zip(_OUTPUTS, self._session.run(_OUTPUTS, {self._input: _blob(pixels)}), strict=True))
        columns = -(-pixels.shape[1] // STRIDES[-1]) * STRIDES[-1]
        found = [_decode(outputs, stride, columns // stride, threshold) for stride in STRIDES]
        boxes, points, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if len(scores) > CANDIDATES:
            best = np.argsort(-scores, kind="stable")[:CANDIDATES]
            boxes, points, scores = boxes[best], points[best], scores[best]
        return [
            Detection(boxes[row], points[row], float(scores[row])) for row in suppress(boxes, scores, OVERLAP)
        ]


def _blob(pixels: Image) -> Floats:
    """The picture as the network takes it: (1, 3, H, W), BGR, its sides filled up with black."""
    height, width = pixels.shape[:2]
    down, right = -height % STRIDES[-1], -width % STRIDES[-1]
    if down or right:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_CONSTANT), np.uint8)
    return np.asarray(cv2.dnn.blobFromImage(pixels, swapRB=True), np.float32)


def _decode(
    outputs: dict[str, Floats], stride: int, columns: int, threshold: float
) -> tuple[Floats, Floats, Floats]:
    """Boxes (N, 4), points (N, 5, 2) and scores (N,) of one map that reach the threshold."""
    parts = [np.clip(outputs[f"{kind}_{stride}"].ravel(), 0, 1) for kind in ("cls", "obj")]
    scores = np.sqrt(parts[0] * parts[1])
    rows = np.flatnonzero(scores >= threshold)
    places = np.stack((rows % columns, rows // columns), 1).astype(np.float32)
    shifts = outputs[f"bbox_{stride}"].reshape(-1, 4)[rows]
    with np.errstate(over="ignore"):
        sides = np.exp(shifts[:, 2:]) * stride
    corners = (places + shifts[:, :2]) * stride - sides / 2
    boxes = np.concatenate((corners, corners + sides), 1)
    points = (outputs[f"kps_{stride}"].reshape(-1, 5, 2)[rows] + places[:, None]) * stride
    sound = np.isfinite(boxes).all(1) & np.isfinite(points).all((1, 2)) & (boxes[:, :2] < boxes[:, 2:]).all(1)
    return boxes[sound], points[sound], scores[rows][sound]
