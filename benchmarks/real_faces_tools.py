"""The classifiers of other packages on the crops of ``real_faces.py``, each in a process of its own.

They get the same pictures as ours, in color, through their own public functions; see ``cross_tool.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.cross_tool import Options, Side, face_api_tool, fer_tool, measure
from benchmarks.cross_tool_table import in_taxonomy

from halfsmile.data.preprocess import Image
from halfsmile.taxonomy import FERPLUS


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

    def classify(self, crops: Image, name: str) -> npt.NDArray[np.float64]:
        """(N, classes) in the order of FERPlus, of RGB faces (N, S, S, 3) uint8 of a set of this name.

        Raises:
            ValueError: If the tool fails.
        """
        spec = {"side": crops.shape[1], "channels": crops.shape[3], "batch": 32, "single": 10}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "crops"
            crops.tofile(file)
            side = Side(f"{self.side.name}-{name}", self.side.titles, self.side.tool, self.side.options)
            found = measure(side, "crops", spec, [file], self.options)
        return in_taxonomy(np.array(found["probabilities"]), found["labels"], FERPLUS)


def tools(*, fer: Path | None, face_api: Path | None, out: Path, core: int) -> Iterator[OtherTool]:
    """The packages that were asked for.

    Raises:
        ValueError: If one of them is not installed there.
    """
    options = Options(Path(), Path(), out, core=core)
    rows = []
    if fer is not None:
        rows.append(Side("fer", {"crops": "fer"}, fer_tool(fer), {"tflite": True, "mtcnn": False}))
    if face_api is not None:
        settings = {"folder": str(face_api.resolve()), "detector": "ssd"}
        rows.append(Side("face-api", {"crops": "face-api"}, face_api_tool(face_api), settings))
    for side in rows:
        if side.tool.missing:
            raise ValueError(f"{side.name} is {side.tool.missing}")
        yield OtherTool(side.name, side, options)
