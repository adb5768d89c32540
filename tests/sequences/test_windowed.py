"""Networks over frames on whole videos and streams: the readers of torch and of ONNX files, compared.

Both are run on one network that is exported, and on one window function in numpy, where nothing but their
windows and weights can make a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from halfsmile.export.temporal import export_temporal, temporal_facts  # noqa: E402
from halfsmile.models import temporal_stream  # noqa: E402
from halfsmile.models.temporal import TemporalConfig, TemporalNetwork  # noqa: E402
from halfsmile.models.temporal_convolution import make_network  # noqa: E402
from halfsmile.models.temporal_stream import Frame, OnlineStream, frame_logits  # noqa: E402
from halfsmile.predict import temporal_model  # noqa: E402
from halfsmile.predict.temporal_blend import BlendedStream  # noqa: E402
from halfsmile.predict.temporal_model import TemporalFacts, TemporalModel  # noqa: E402
from halfsmile.taxonomy import RAFDB  # noqa: E402

Floats = npt.NDArray[np.float32]
FEATURES, CLASSES, WINDOW = 3, 7, 8
CONFIGS = {
    "offline": TemporalConfig(width=8, heads=2, depth=2, window=WINDOW),
    "offline, odd window": TemporalConfig(width=8, heads=2, depth=2, window=5),
    "offline, window of 1": TemporalConfig(width=8, heads=2, depth=1, window=1),
    "online": TemporalConfig(width=8, heads=2, depth=2, window=WINDOW, delay=2, history=3),
    "online without delay": TemporalConfig(width=8, heads=2, depth=2, window=WINDOW, delay=0, history=3),
    "convolution": TemporalConfig(kind="convolution", width=8, heads=2, depth=2, window=WINDOW),
    "online convolution": TemporalConfig(kind="convolution", width=8, heads=2, depth=2, delay=1),
    "no blocks": TemporalConfig(width=8, heads=2, depth=0),
}
LENGTHS = (0, 1, 2, WINDOW - 1, WINDOW, WINDOW + 1, 11, 12, 13, 16, 17, 18, 19, 20, 40)
CHUNK_LENGTHS = (255, 256, 257, 258, 259, 511, 512, 513, 600)
Both = Callable[[str], tuple[TemporalNetwork, TemporalModel]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """A function that makes a network and reads its file, once each."""
    made: dict[str, tuple[TemporalNetwork, TemporalModel]] = {}

    def make(name: str) -> tuple[TemporalNetwork, TemporalModel]:
        if name not in made:
            torch.manual_seed(0)
            model = make_network(CONFIGS[name], features=FEATURES, classes=CLASSES)
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter, std=0.6)
            path = tmp_path_factory.mktemp("file") / "temporal.onnx"
            export_temporal(model.eval(), temporal_facts(model, RAFDB, "0" * 64), path)
            made[name] = model, TemporalModel(path)
        return made[name]

    return make


def video(count: int, *, seen: float = 0.8) -> list[Frame]:
    """Uneven times, and every fifth frame or so without a face."""
    rng = np.random.default_rng(count)
    times = np.cumsum(rng.uniform(0.02, 0.3, count)) + 3600
    features = rng.normal(size=(count, FEATURES)).astype(np.float32)
    present = rng.random(count) < seen
    return [Frame(float(t), f if p else None) for t, f, p in zip(times, features, present, strict=True)]


def rows(parts: Sequence[Floats | None]) -> Floats:
    found = [part for part in parts if part is not None]
    return np.stack(found) if found else np.zeros((0, CLASSES), np.float32)


def of_torch(model: TemporalNetwork, frames: list[Frame]) -> Floats:
    return rows(list(frame_logits(model, frames)))


def of_torch_stream(model: TemporalNetwork, frames: list[Frame]) -> tuple[Floats, int]:
    stream = OnlineStream(model)
    answers = [stream.push(frame) for frame in frames]
    return rows([*answers, *stream.finish()]), sum(answer is None for answer in answers)


def of_file(model: TemporalModel, frames: list[Frame]) -> Floats:
    empty = np.full(FEATURES, np.nan, np.float32)
    features = np.array([empty if f.feature is None else f.feature for f in frames], np.float32)
    times, present = (
        np.array([f.time for f in frames]),
        np.array([f.feature is not None for f in frames], bool),
    )
    return model.predict(features.reshape(-1, FEATURES), times, present)


def of_file_stream(model: TemporalModel, frames: list[Frame]) -> tuple[Floats, int]:
    stream = BlendedStream(model) if model.facts.context is None else model.stream()
    answers = [stream.push(frame.time, frame.feature) for frame in frames]
    return rows([*answers, *stream.finish()]), sum(answer is None for answer in answers)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seen", [0.8, 0.0])
def test_both_give_the_same_of_an_exported_network(both: Both, name: str, seen: float) -> None:
    model, file = both(name)
    for count in (*LENGTHS, *(CHUNK_LENGTHS if seen else ())):
        frames = video(count, seen=seen)
        expected = softmax(of_torch(model, frames), axis=1)
        streamed, late = of_file_stream(file, frames)
        np.testing.assert_allclose(of_file(file, frames), expected, atol=1e-5)
        np.testing.assert_allclose(streamed, expected, atol=1e-5)
        assert late == min(count, CONFIGS[name].window if model.context is None else model.context[1])
        if model.config.online:
            logits, torch_late = of_torch_stream(model, frames)
            np.testing.assert_allclose(softmax(logits, axis=1), expected, atol=1e-5)
            assert torch_late == late


class Windows:
    """One window function for both readers: integers, so that sums are exact. Notes what it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.asked: list[tuple[float, int]] = []
        torch.manual_seed(0)
        self.torch = make_network(CONFIGS[name], features=FEATURES, classes=CLASSES)
        facts = temporal_facts(self.torch, RAFDB, "0" * 64)
        windows = self

        class File(TemporalModel):
            def __init__(self, facts: TemporalFacts) -> None:
                self.facts = facts

            def window(
                self, features: Floats, times: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]
            ) -> Floats:
                windows.asked.append((float(times[0]), len(times)))
                return windows.logits(features, times, present)

        def run(_: TemporalNetwork, asked: list[list[Frame]]) -> Floats:
            self.asked += [(window[0].time, len(window)) for window in asked]
            zero = np.zeros(FEATURES, np.float32)
            found = [
                self.logits(
                    np.stack([zero if f.feature is None else f.feature for f in window]),
                    np.array([f.time for f in window]),
                    np.array([f.feature is not None for f in window]),
                )
                for window in asked
            ]
            return np.stack(found) if found else np.zeros((0, 0, CLASSES), np.float32)

        self.file = File(facts)
        monkeypatch.setattr(temporal_stream, "_run", run)
        monkeypatch.setattr(temporal_stream, "CHUNK", 6)
        monkeypatch.setattr(temporal_model, "CHUNK", 6)

    def logits(
        self, features: Floats, times: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]
    ) -> Floats:
        """A third of what is in a frame's context, and of its place in the window where that is unbounded."""
        count, context = len(times), self.torch.context
        past, later = (count, count) if context is None else context
        values = np.where(present, times, 0).astype(np.int64)
        found = np.zeros((count, CLASSES), np.float32)
        for i in range(count):
            near = values[max(0, i - past) : i + later + 1]
            found[i] = np.float32(near.sum() * (1 + np.arange(CLASSES)) % 97) / 3
            if context is None:
                found[i] += i
        return found

    def taken(self) -> list[tuple[float, int]]:
        """The windows since the last call, as time of the first frame and number of frames."""
        found, self.asked = self.asked, []
        return found


@pytest.mark.parametrize("name", CONFIGS)
def test_both_run_the_same_windows_and_weigh_them_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit; of videos shorter than a window torch weighs frames by 1 and the file by a triangle."""
    windows = Windows(monkeypatch, name)
    context, window = windows.torch.context, windows.torch.config.window
    zero = np.zeros(FEATURES, np.float32)
    for count in (*range(1, 45), 140, 300):
        frames = [Frame(float(i), None if i % 5 == 3 else zero) for i in range(count)]
        logits = of_torch(windows.torch, frames)
        asked = windows.taken()
        whole, asked_of_file = of_file(windows.file, frames), windows.taken()
        assert asked_of_file == asked
        streamed, _ = of_file_stream(windows.file, frames)
        streamed_asked = windows.taken()
        expected = softmax(logits, axis=1)
        if context is None and count < window:
            np.testing.assert_allclose(whole, expected, rtol=2e-6)
        else:
            np.testing.assert_array_equal(whole, expected)
        np.testing.assert_array_equal(streamed, whole)
        if context is None:
            assert streamed_asked == asked
        else:
            assert streamed_asked == [
                (max(0, i - context[0]), min(count, i + context[1] + 1) - max(0, i - context[0]))
                for i in range(count)
            ]
        if windows.torch.config.online:
            np.testing.assert_array_equal(of_torch_stream(windows.torch, frames)[0], logits)
            assert windows.taken() == streamed_asked


def test_where_they_differ(both: Both) -> None:
    """An offline convolution streams from its file, not in torch; only the file refuses a wrong size."""
    model, file = both("convolution")
    with pytest.raises(ValueError, match="needs an online network"):
        OnlineStream(model)
    assert file.stream().later == 3
    model, file = both("online")
    one = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="Expected 3 features"):
        file.stream().push(0.0, one)
    stretched = of_torch(model, [Frame(0.0, np.ones(FEATURES, np.float32))])
    np.testing.assert_array_equal(of_torch(model, [Frame(0.0, one)]), stretched)
