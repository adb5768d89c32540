from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.cross_tool_worker import (
    TOOLS,
    Crops,
    Found,
    Halfsmile,
    Scores,
    install_size,
    measure_crops,
    measure_photos,
    peak_memory,
)

from halfsmile.predict.model import ExpressionModel


class Brightness:
    """A tool whose answer shows which crop it was given."""

    labels = ("dark", "bright")
    entry = "none"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, crops: Crops) -> Scores:
        self.batches.append(len(crops))
        bright = crops.mean(axis=(1, 2)) / 255
        return np.stack([1 - bright, bright], axis=1)

    def faces(self, path: str) -> list[Found]:
        return [([0.0, 1.0, 2.0, 3.0], [0.123456, 0.876544])] * len(Path(path).read_bytes())


def test_crops_come_back_in_order_from_batches_of_any_size(tmp_path: Path) -> None:
    crops = np.arange(11, dtype=np.uint8).repeat(16).reshape(11, 4, 4) * 20
    crops.tofile(tmp_path / "crops")
    tool: Any = Brightness()
    job = {"files": [str(tmp_path / "crops")], "side": 4, "batch": 4, "single": 10}
    result = measure_crops(tool, job)
    np.testing.assert_allclose(np.array(result["probabilities"])[:, 1], np.arange(11) * 20 / 255, atol=1e-5)
    assert tool.batches == [4, 4, 4, 3, *[1] * 11]
    assert result["largest_difference"] < 1e-9
    assert result["single_rate"] > 0
    assert result["batched_rate"] > 0


def test_photographs_come_back_in_order(tmp_path: Path) -> None:
    files = []
    for faces in (2, 0, 1):
        path = tmp_path / str(faces)
        path.write_bytes(b"." * faces)
        files.append(str(path))
    tool: Any = Brightness()
    result = measure_photos(tool, {"files": files, "rounds": 50})
    assert [len(faces) for faces in result["photos"]] == [2, 0, 1]
    assert result["photos"][0][0] == {"box": [0.0, 1.0, 2.0, 3.0], "probabilities": [0.12346, 0.87654]}
    assert result["rate"] > 0


def test_our_side_gives_the_models_own_probabilities() -> None:
    try:
        model = ExpressionModel.load()
    except ValueError as error:
        pytest.skip(str(error))
    shape = model.preprocessing
    crops = np.random.default_rng(0).integers(0, 256, (3, shape.size, shape.size), np.uint8)
    tool = Halfsmile({"model": None}, False)
    expected = model.predict(np.repeat(crops[..., None], shape.channels, axis=3)).probabilities
    np.testing.assert_allclose(tool.classify(crops), expected, atol=1e-6)
    assert tuple(tool.labels) == model.labels
    assert set(TOOLS) == {"halfsmile", "fer", "facex", "faceplugin", "facial-emotion-recognition"}


def test_install_size_counts_requirements_once() -> None:
    def files(name: str) -> int:
        found = importlib.metadata.distribution(name).files or ()
        paths = [Path(str(file.locate())) for file in found]
        return sum(path.stat().st_size for path in paths if path.is_file())

    assert install_size("mdurl") == files("mdurl")
    assert install_size("markdown-it-py") == files("markdown-it-py") + files("mdurl")


def test_memory_is_that_of_this_process() -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("no /proc")
    program = (
        "import numpy as np; from benchmarks.cross_tool_worker import peak_memory; before = peak_memory(); "
        "block = np.ones(200_000_000, np.uint8); del block; print(before, peak_memory())"
    )  # in a process of its own: this one may have had more before
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root
    )
    before, after = map(int, done.stdout.split())
    assert 0 < before < after
    assert after > 200_000_000
    assert peak_memory() > 0
