"""Whether an aligned face stands upright: a network of 8,000 weights that is shown the face, small and gray.

Detectors find faces that stand on their head or lie on a side, but often set their landmarks as if they were
upright, and alignment follows them. The network (Apache-2.0, ``models/upright.onnx``) was trained on what
YuNet and MTCNN made of turned, unlabeled faces; ``models/UPRIGHT.md`` says how, and how well it tells them
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.align import alignment
from halfsmile.faces.detect import Detection, Floats
from halfsmile.utils.runtime import import_onnxruntime

MODEL = Path(__file__).parent / "models" / "upright.onnx"
SIZE = 32  # pixels of the side of what the network sees
SURE = 0.9  # a first answer that is less sure than this is asked for in eight views
LEAN = 30.0  # degrees; a face that is upright stands for the network when it is turned by so much
FALLEN, AGAIN = 0.3, 0.4  # how likely it stands then at most, in one view and in the mean of eight
_SAMPLES = 64  # along a side, of which the small picture is averaged


class Upright:
    """The network, loaded when it is first asked; may be shared between threads.

    Args:
        model: Its ONNX file.
    """

    def __init__(self, model: Path = MODEL) -> None:
        self.model = model

    def faces(self, image: Image, faces: Sequence[Detection]) -> Floats:
        """How likely each face of a picture stands upright once it is aligned, (N,) from 0 to 1.

        A face that can't be aligned gets 0.

        Args:
            image: RGB (H, W, 3), uint8.
            faces: In it.
        """
        return self.crops(cut_out(image, faces))

    def crops(self, crops: npt.NDArray[np.uint8], scale: float = 1.0) -> Floats:
        """The same of aligned faces.

        Args:
            crops: (N, S, S, C) or (N, S, S), uint8.
            scale: That they were aligned with, see :func:`halfsmile.faces.align.template`.

        Returns:
            (N,), 0 to 1.
        """
        if not len(crops):
            return _NONE
        small = np.stack([_gray(crop, scale) for crop in crops])
        return self._chances(small, self._turns(small))

    def judged(
        self, crops: npt.NDArray[np.uint8], asked: Sequence[int]
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """How likely aligned faces stand upright, and which still lean to a side.

        Those lean that would lie on it if they were turned by 30 degrees further. Of faces that are off by 20
        and 25 degrees that tells 81 and 96 %, of upright ones 1.7 % (docs/experiments.md, 2026-11-30).

        Args:
            crops: (N, S, S), gray, uint8, aligned at scale 1.
            asked: Rows of those whose leaning is of interest; the others do not lean.

        Returns:
            Chances (N,), 0 to 1, as of :meth:`crops`, and (N,).
        """
        leans = np.zeros(len(crops), bool)
        if not len(crops):
            return _NONE, leans
        center = (crops.shape[1] - 1) / 2
        turns = [cv2.getRotationMatrix2D((center, center), degrees, 1) for degrees in (-LEAN, LEAN)]
        turned = [
            cv2.warpAffine(crops[row], turn, crops.shape[1:], borderMode=cv2.BORDER_REPLICATE)
            for turn in (turns if len(asked) else ())
            for row in asked
        ]
        small = np.stack([_gray(np.asarray(crop, np.uint8), 1.0) for crop in (*crops, *turned)])
        seen = self._turns(small)
        fallen = np.flatnonzero(seen[len(crops) :, 0] < FALLEN)
        if len(fallen):
            again = self._views(small[len(crops) + fallen])[:, 0] < AGAIN
            leans[np.tile(asked, 2)[fallen[again]]] = True
        return self._chances(small[: len(crops)], seen[: len(crops)]), leans

    def _chances(self, small: npt.NDArray[np.uint8], turns: Floats) -> Floats:
        """How likely faces (N, SIZE, SIZE) stand upright: in eight views where the first answer is unsure."""
        unsure = np.flatnonzero(turns[:, 0] < SURE)
        if len(unsure):
            turns[unsure] = self._views(small[unsure])
        return np.asarray(turns[:, 0], np.float32)

    def _views(self, small: npt.NDArray[np.uint8]) -> Floats:
        """The mean over the four turns of each face and their mirror images, (N, 4)."""
        total = np.zeros((len(small), 4), np.float32)
        for quarter in range(4):
            turned = np.rot90(small, -quarter, (1, 2))
            total += np.roll(self._turns(turned), -quarter, 1)
            total += np.roll(self._turns(turned[:, :, ::-1])[:, [0, 3, 2, 1]], -quarter, 1)
        return total / np.float32(8)

    def _turns(self, small: npt.NDArray[np.uint8]) -> Floats:
        """Probabilities (N, 4) that faces (N, SIZE, SIZE) are turned clockwise by 0 to 3 quarters."""
        batch = np.ascontiguousarray(small[:, None], np.float32)
        answers: list[Floats] = self._session.run(None, {"faces": batch})
        return answers[0]

    @cached_property
    def _session(self) -> Any:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])


_NONE = np.zeros(0, np.float32)
NOTHING = np.zeros((0, _SAMPLES, _SAMPLES), np.uint8)  # the faces of a picture without any


def cut_out(image: Image, faces: Sequence[Detection]) -> npt.NDArray[np.uint8]:
    """The faces of a picture aligned and gray, (N, S, S) uint8; black where one can't be aligned."""
    cut = [np.asarray(cv2.cvtColor(_small(image, face), cv2.COLOR_RGB2GRAY), np.uint8) for face in faces]
    return np.stack(cut) if cut else NOTHING


def _small(image: Image, face: Detection) -> npt.NDArray[np.uint8]:
    """An aligned face of ``_SAMPLES`` pixels a side, fast: what lies between its samples is left out."""
    try:
        matrix = alignment(face, _SAMPLES)
    except ValueError:
        return np.zeros((_SAMPLES, _SAMPLES, 3), np.uint8)
    pixels = cv2.warpAffine(image, matrix, (_SAMPLES, _SAMPLES), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(pixels, np.uint8)


def _gray(crop: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """What the network sees of an aligned face, (SIZE, SIZE)."""
    if crop.ndim == 3:
        crop = crop[:, :, 0] if crop.shape[2] == 1 else np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))
    if scale != 1:
        side = crop.shape[0]
        shift = (1 - 1 / scale) * (side - 1) / 2
        matrix = np.array([[1 / scale, 0, shift], [0, 1 / scale, shift]])
        crop = np.asarray(cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE))
    return np.asarray(cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
