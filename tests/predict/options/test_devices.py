from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.predict.conftest import FramedSquares

from halfsmile.predict import model
from halfsmile.predict.model import ExpressionModel, open_session
from halfsmile.predict.options import devices
from halfsmile.predict.options.devices import candidates, device_of
from halfsmile.predict.predictor import Predictor
from halfsmile.utils.runtime import import_onnxruntime


class FakeRuntime:
    """An onnxruntime with providers of which some do not work."""

    __version__ = "9.9"

    def __init__(self, there: list[str], *, working: list[str]) -> None:
        self.there, self.working = there, working
        self.real = import_onnxruntime()
        self.SessionOptions = self.real.SessionOptions

    def get_available_providers(self) -> list[str]:
        return self.there

    def InferenceSession(self, data: bytes, options: Any, providers: list[str]) -> Any:  # noqa: N802
        if providers[0] == "MIGraphXExecutionProvider":
            raise RuntimeError("no library")
        used = [name for name in providers if name in self.working]
        return SimpleNamespace(get_providers=lambda: used)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    there = ["CUDAExecutionProvider", "MIGraphXExecutionProvider", devices.CPU]
    fake = FakeRuntime(there, working=["CUDAExecutionProvider", devices.CPU])
    monkeypatch.setattr(devices, "import_onnxruntime", lambda: fake)
    monkeypatch.setattr(model, "import_onnxruntime", lambda: fake)
    return fake


def test_auto_takes_a_gpu_that_works_and_else_the_processor(gpu: FakeRuntime) -> None:
    assert device_of(open_session(b"", "m", device="auto")) == "cuda"
    assert device_of(open_session(b"", "m", device="cuda")) == "cuda"
    assert device_of(open_session(b"", "m", device="cpu")) == "cpu"
    gpu.working = [devices.CPU]
    assert device_of(open_session(b"", "m", device="auto")) == "cpu"


def test_a_device_that_was_asked_for_is_never_replaced(gpu: FakeRuntime) -> None:
    gpu.working = [devices.CPU]
    with pytest.raises(ValueError, match="The device cuda can't be used for m: onnxruntime found no"):
        open_session(b"", "m", device="cuda")
    with pytest.raises(ValueError, match="migraphx can't be used for m: no library"):
        open_session(b"", "m", device="migraphx")
    with pytest.raises(ValueError, match=r"cpu, cuda, migraphx only\. To have it: pip install"):
        candidates("openvino")


def test_unknown_devices_are_refused(model_file: Path) -> None:
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda"):
        ExpressionModel.load(model_file, device="gpu")
    if "CUDAExecutionProvider" not in import_onnxruntime().get_available_providers():
        with pytest.raises(ValueError, match="pip install onnxruntime-gpu"):
            Predictor(model_file, detector=FramedSquares(), device="cuda")


def test_the_device_is_told(model_file: Path) -> None:
    assert Predictor(model_file, detector=FramedSquares(), device="cpu").model.device == "cpu"
