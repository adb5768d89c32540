"""Who a face belongs to, by the face network: knows somebody again in another light, pose or on another day.

The network is dlib's (King 2017), which tells people apart; see ``models/files/face_network.md``. It is run
by onnxruntime from the weights that the package brings. Two faces are compared by the cosine of their
numbers. It learned from photographs: drawn faces are all alike to it.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import similarity, warp
from halfsmile.faces.detect import Detection
from halfsmile.utils.cpu import processors
from halfsmile.utils.runtime import import_onnxruntime

SIDE = 150
_POINTS = (
    (47.5493, 46.599),
    (100.4761, 46.599),
    (74.0127, 76.5625),
    (50.4149, 103.0233),
    (97.6104, 103.0233),
)
"""Eyes, nose and corners of the mouth of dlib's average face, as it cuts faces of 150 pixels."""

Embedding = npt.NDArray[np.float32]


class FaceIdentity:
    """The face network with its weights loaded. One object serves one thread.

    Args:
        threads: Of the network; None for one for each processor.

    Raises:
        ValueError: If the package lacks the network.
    """

    def __init__(self, threads: int | None = None) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or processors()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with resources.as_file(resources.files("halfsmile") / "models" / "files") as folder:
            if not (folder / "face_network.safetensors").is_file():
                raise ValueError("This installation of halfsmile lacks its face network.")
            self._session = onnxruntime.InferenceSession(
                folder / "face_network.onnx", options, providers=["CPUExecutionProvider"]
            )

    def embed(self, image: Image, face: Detection) -> Embedding | None:
        """What tells a face's owner.

        Args:
            image: (H, W, 3) uint8, RGB.
            face: With landmarks.

        Returns:
            (128,) of length 1; None without landmarks, or where they fix no place.
        """
        if face.landmarks is None:
            return None
        try:
            crop = warp(image, similarity(face.landmarks, np.array(_POINTS)), SIDE)
        except ValueError:
            return None
        found: Embedding = self._session.run(None, {"images": crop[None]})[0][0]
        return np.asarray(found / np.linalg.norm(found), np.float32)
