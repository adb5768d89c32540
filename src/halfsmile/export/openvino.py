"""An exported model as OpenVINO's ``model.xml`` and ``model.bin``; needs the package ``openvino``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.predict.model import INPUT, OUTPUTS, Crops, Prediction
from halfsmile.predict.model_facts import ModelFacts

_SECTION = "halfsmile"


def require_openvino() -> Any:
    """The package, without its telemetry: importing it would tell its makers, if it could.

    Raises:
        ValueError: If it is not installed, with what to do.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as if not installed
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise ValueError("openvino is not installed: pip install 'halfsmile[openvino]'") from error
    return openvino


def convert_openvino(source: Path, folder: Path, facts: ModelFacts) -> None:
    """Write an exported ONNX file as ``model.xml`` and ``model.bin``, weights in 32 bits.

    What the model says of itself goes into the section ``rt_info`` of the XML.

    Args:
        source: The ONNX file.
        folder: Where the two files go; made if need be.
        facts: What the file says of itself.

    Raises:
        ValueError: If openvino is not installed.
    """
    openvino = require_openvino()
    model = openvino.convert_model(source)
    for key, value in facts.to_metadata().items():
        model.set_rt_info(value, [_SECTION, key.removeprefix(f"{_SECTION}.")])
    folder.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


class OpenVinoModel:
    """A converted model, with 32-bit arithmetic whatever the processor would prefer.

    Args:
        path: Its ``model.xml``; ``model.bin`` lies beside it.
        threads: Threads of a prediction; None leaves the choice to OpenVINO.

    Raises:
        ValueError: If openvino is not installed, or the file is damaged or not one of ours.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        openvino = require_openvino()
        core = openvino.Core()
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(path)
            section = model.get_rt_info()[_SECTION] if model.has_rt_info([_SECTION]) else {}
            self.facts = ModelFacts.from_metadata(
                {f"{_SECTION}.{key}": value.astype(str) for key, value in section.items()}
            )
            self._compiled = core.compile_model(model, "CPU", options)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path} can't be used: {error}") from error

    def predict(self, crops: Crops) -> Prediction:
        """Name the expressions of faces (N, S, S, C) uint8, all at once."""
        found = self._compiled({INPUT: np.ascontiguousarray(crops)})
        probabilities, logits, features = (np.asarray(found[name], np.float32) for name in OUTPUTS)
        return Prediction(probabilities, logits, features)
