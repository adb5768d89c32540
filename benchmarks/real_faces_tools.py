"""Other packages on the pictures of ``real_faces.py``, each in a process of its own; see ``cross_tool.py``.

Given faces go to their classifiers in color, as ours gets them. Whole pictures go to their own detectors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.cross_tool import (
    Options,
    Side,
    face_api_tool,
    faceplugin_tool,
    facial_emotion_tool,
    fer_tool,
    measure,
    node_tool,
    python_tool,
)
from benchmarks.cross_tool_table import in_taxonomy

from halfsmile.data.preprocess import Image
from halfsmile.taxonomy import FERPLUS
from halfsmile.utils.pictures import write_png


@dataclass(frozen=True)
class OtherTool:
    """A package that runs here.

    Args:
        name: Short name.
        side: How it is started.
        options: Where its results are kept, and on which core it runs.
    """

    name: str
    side: Side
    options: Options

    @property
    def finds_faces(self) -> bool:
        """Whether it can be asked about whole pictures."""
        return "photos" in self.side.titles

    def classify(self, crops: Image, name: str) -> npt.NDArray[np.float64]:
        """(N, classes) in the order of FERPlus, of RGB faces (N, S, S, 3) uint8 of a set of this name.

        Raises:
            ValueError: If the tool fails.
        """
        spec = {"side": crops.shape[1], "channels": crops.shape[3], "batch": 32, "single": 10}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "crops"
            crops.tofile(file)
            found = measure(self._side_of(name), "crops", spec, [file], self.options)
        return in_taxonomy(np.array(found["probabilities"]), found["labels"], FERPLUS)

    def find(
        self, pictures: Sequence[Image], name: str
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Which of these RGB pictures (H, W, 3) of one face have a face by its own detector, and its answers.

        Around each a gray border of half its side is put: some detectors find no face that fills a picture.
        Where one finds several, the surest counts, or the largest where it does not say how sure it is.

        Returns:
            M rows, and probabilities (M, classes) in the order of FERPlus.

        Raises:
            ValueError: If the tool fails.
        """
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{row:05d}.png" for row in range(len(pictures))]
            for file, picture in zip(files, pictures, strict=True):
                write_png(file, bordered(picture))
            found = measure(self._side_of(name), "photos", {"rounds": 0}, files, self.options)
        rows = [row for row, faces in enumerate(found["photos"]) if faces]
        if not rows:
            return np.zeros(0, np.int64), np.zeros((0, len(FERPLUS)))
        best = [max(found["photos"][row], key=_merit)["probabilities"] for row in rows]
        return np.array(rows, np.int64), in_taxonomy(np.array(best), found["labels"], FERPLUS)

    def _side_of(self, name: str) -> Side:
        return Side(f"{self.side.name}-{name}", self.side.titles, self.side.tool, self.side.options)


def bordered(picture: Image) -> Image:
    """A picture (H, W, 3) with gray around it, half its height and width on each side."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return np.pad(picture, ((height, height), (width, width), (0, 0)), constant_values=128)


def _merit(face: dict[str, Any]) -> tuple[float, float]:
    left, top, right, bottom = face["box"]
    return face.get("score") or 0.0, (right - left) * (bottom - top)


@dataclass(frozen=True)
class Places:
    """Where other packages are installed; those without a place are left out.

    Args:
        fer: Virtual environment with the package ``fer``.
        facex: Virtual environment with the package ``facex``.
        face_api: Folder whose node_modules holds ``@vladmandic/face-api``.
        human: Folder whose node_modules holds ``@vladmandic/human``.
        faceplugin: Folder whose node_modules holds ``faceplugin-face-recognition-js``.
        facial_emotion: Folder into which ``pip --target`` put ``facial-emotion-recognition``.
    """

    fer: Path | None = None
    facex: Path | None = None
    face_api: Path | None = None
    human: Path | None = None
    faceplugin: Path | None = None
    facial_emotion: Path | None = None


def tools(places: Places, *, out: Path, core: int) -> Iterator[OtherTool]:
    """The packages that were asked for.

    Raises:
        ValueError: If one of them is not installed there.
    """
    options = Options(Path(), Path(), out, core=core)
    rows = []
    if places.fer is not None:
        rows.append(_side("fer", fer_tool(places.fer), {"tflite": True, "mtcnn": False}))
    if places.facex is not None:
        rows.append(_side("facex", python_tool("facex", places.facex), {}))
    if places.face_api is not None:
        rows.append(_side("face-api", face_api_tool(places.face_api), _at(places.face_api, detector="ssd")))
    if places.human is not None:
        tool = node_tool("human", "@vladmandic/human", places.human)
        rows.append(_side("human", tool, _at(places.human)))
    if places.faceplugin is not None:
        title = {"crops": "faceplugin"}
        rows.append(Side("faceplugin", title, faceplugin_tool(places.faceplugin), _at(places.faceplugin)))
    if places.facial_emotion is not None:
        tool, settings = facial_emotion_tool(places.facial_emotion), {"target": str(places.facial_emotion)}
        rows.append(Side(tool.name, {"crops": tool.name}, tool, settings))
    for side in rows:
        if side.tool.missing:
            raise ValueError(f"{side.name} is {side.tool.missing}")
        yield OtherTool(side.name, side, options)


def _side(name: str, tool: Any, settings: dict[str, Any]) -> Side:
    return Side(name, {"crops": name, "photos": name}, tool, settings)


def _at(folder: Path, **settings: str) -> dict[str, str]:
    return {"folder": str(folder.resolve()), **settings}
