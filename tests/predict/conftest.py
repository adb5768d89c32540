"""A model whose answers are known: it names the brightness of a face. And faces that are easy to find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.video.frames import VideoFrame
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.predict.predictor import Predictor

LABELS = ("dark", "dim", "light", "bright")
CENTERS = (32.0, 96.0, 160.0, 224.0)
SHARPNESS = 0.002
FRAME = (30, 30, 90)


def brightness_model(
    path: Path,
    *,
    channels: int = 1,
    threshold: float | None = 0.75,
    set_floor: float | None = None,
    **known: Any,
) -> Path:
    """Write a model that takes 32 x 32 faces; its probabilities are :func:`expected` of the middle.

    ``known`` is what else it says of itself.
    """
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, kinds = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    facts = ModelFacts(
        name="brightness",
        labels=LABELS,
        taxonomy="custom",
        preprocessing=Preprocessing(size=32, channels=channels),
        temperature=1.0,
        threshold=threshold,
        target_error=None if threshold is None else 0.1,
        recipe_sha256="0" * 64,
        card="Names the brightness of a face.",
        set_coverage=None if set_floor is None else 0.9,
        set_floor=set_floor,
    )
    facts = replace(facts, **known)
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=kinds.FLOAT),
        helper.make_node("Slice", ["floats", "from", "to", "sides"], ["middle"]),
        helper.make_node("ReduceMean", ["middle", "axes"], ["mean"], keepdims=1),
        helper.make_node("Reshape", ["mean", "column"], ["features"]),
        helper.make_node("Sub", ["features", "centers"], ["distance"]),
        helper.make_node("Mul", ["distance", "distance"], ["square"]),
        helper.make_node("Mul", ["square", "minus"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    constants = {
        "from": np.array([11, 11], np.int64),
        "to": np.array([21, 21], np.int64),
        "sides": np.array([1, 2], np.int64),
        "axes": np.array([1, 2, 3], np.int64),
        "column": np.array([-1, 1], np.int64),
        "centers": np.array([CENTERS], np.float32),
        "minus": np.array(-SHARPNESS, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("images", kinds.UINT8, ["N", 32, 32, channels])],
        [
            helper.make_tensor_value_info(name, kinds.FLOAT, ["N", width])
            for name, width in (("probabilities", 4), ("logits", 4), ("features", 1))
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, facts.to_metadata())
    onnx.save(model, path)
    return path


class FramedSquares:
    """Finds gray squares with a blue frame: position to the pixel, in any picture, however many."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """All framed squares of at least 12 pixels, from left to right with falling scores."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> list[Detection]:
        frame = ((image[:, :, 2].astype(int) - image[:, :, 0]) > 40).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(frame)
        boxes = sorted(
            (int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in stats[1:count] if min(w, h) >= 12
        )
        return [
            Detection(np.array(box, np.float32), None, round(0.99 - 0.01 * i, 2))
            for i, box in enumerate(boxes)
        ]


def expected(brightness: float) -> npt.NDArray[np.float64]:
    """What the model says of a face of this brightness."""
    return np.asarray(softmax(-SHARPNESS * (brightness - np.array(CENTERS)) ** 2), np.float64)


def scene(
    squares: Sequence[tuple[int, int, int]], *, side: int = 40, size: tuple[int, int] = (120, 200)
) -> Image:
    """A picture with squares (x, y, brightness) on a plain, slightly shaded ground."""
    ground = np.tile(np.linspace(90, 150, size[1]).astype(np.uint8), (size[0], 1))
    image = np.repeat(ground[:, :, None], 3, axis=2)
    for x, y, brightness in squares:
        cv2.rectangle(image, (x, y), (x + side - 1, y + side - 1), FRAME, -1)
        cv2.rectangle(image, (x + 4, y + 4), (x + side - 5, y + side - 5), (brightness,) * 3, -1)
    return image


def film(
    squares: Callable[[int], Sequence[tuple[int, int, int]]], count: int, *, rate: float = 25.0
) -> list[VideoFrame]:
    """Frames of a scene that changes."""
    return [VideoFrame(i, i / rate, scene(squares(i))) for i in range(count)]


def write_picture(path: Path, image: Image) -> Path:
    """Write RGB pixels as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that names brightness."""
    return brightness_model(tmp_path_factory.mktemp("model") / "brightness.onnx")


@pytest.fixture(scope="session")
def model(model_file: Path) -> ExpressionModel:
    """The same, loaded."""
    return ExpressionModel.load(model_file, threads=1)


@pytest.fixture
def predictor(model: ExpressionModel) -> Predictor:
    """Brightness of framed squares."""
    return Predictor(model, detector=FramedSquares())
