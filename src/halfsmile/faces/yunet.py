"""YuNet: fast, good at small and turned faces; its model of 0.2 MB lies in ``models/``.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. The
model (MIT, ``models/LICENSE``) is the one of the OpenCV Zoo whose input size is free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection, require_pictures, shrink
from halfsmile.faces.small_faces import LIKELY, SHARE, apart, distinct, hints, patches
from halfsmile.faces.yunet_network import MODEL, YuNetNetwork
from halfsmile.utils.cpu import processors
from halfsmile.utils.download import download, is_url
from halfsmile.utils.parallel.threads import map_in_threads

__all__ = ["MODEL", "YuNet"]

SMALL_FACE = 128  # pixels at the working size, from which on one look is enough


class YuNet:
    """The detector with its model loaded. One object serves one thread.

    Args:
        model: Another ONNX file, or its address, which is downloaded once; ``MODEL`` if None.
        threshold: Score that a face must reach. Higher values find fewer faces, and fewer that are none.
        working_size: Pictures with a longer side are shrunk to it, in which faces of all sizes from 40 pixels
            on are found, and most smaller ones.
        small_faces: Look closely, too, where a face of a larger picture may have become too small; see
            :mod:`halfsmile.faces.small_faces`.
        cache: Folder for the downloaded model; halfsmile's cache if None.
        threads: Pictures that are looked at side by side; None for one on each processor that this process
            may use.

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
        small_faces: bool = True,
        cache: Path | None = None,
        threads: int | None = None,
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, found {threshold}.")
        if working_size < 1:
            raise ValueError(f"working_size must be at least 1 pixel, found {working_size}.")
        self.threshold = threshold
        self.working_size = working_size
        self.small_faces = small_faces
        source = str(MODEL if model is None else model)
        path = download(source, cache=cache) if is_url(source) else Path(source)
        self._threads = threads or processors()
        self._network = YuNetNetwork(path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find all faces; see :class:`halfsmile.faces.detect.Detector`."""
        require_pictures(images)
        if self._threads == 1 or len(images) < 2:
            return [self._detect(image) for image in images]
        return list(map_in_threads(self._detect, images, threads=self._threads, ahead=self._threads))

    def _detect(self, image: Image) -> list[Detection]:
        longest = max(image.shape[:2])
        is_large = self.small_faces and longest > self.working_size
        least = min(LIKELY, self.threshold) if is_large else self.threshold
        pixels, scale = shrink(image, self.working_size)
        seen = [
            Detection(
                (face.box.reshape(2, 2) * scale).ravel(),
                None if face.landmarks is None else face.landmarks * scale,
                face.score,
            )
            for face in self._network.look(pixels, least)
        ]
        found = [face for face in seen if face.score >= self.threshold]
        if not is_large:
            return found
        maybe = [face for face in seen if face.score < self.threshold]
        if longest * SHARE > self.working_size:
            maybe += hints(self._network, image)
        limit = SMALL_FACE * longest / self.working_size
        maybe = [face for face in distinct(maybe) if max(face.width, face.height) <= limit]
        closer = [
            patch.placed(face)
            for patch in patches(image, found, maybe)
            for face in self._network.look(patch.pixels, self.threshold)
            if not patch.cuts(face, image)
        ]
        return sorted([*found, *apart(distinct(closer), found)], key=lambda face: -face.score)
