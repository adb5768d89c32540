from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.predict.test_temporal_model import FACTS, video, write

from halfsmile.predict.temporal_blend import BlendedStream
from halfsmile.predict.temporal_model import TemporalModel


@pytest.mark.parametrize("window", [1, 2, 5, 6])
@pytest.mark.parametrize("count", [1, 5, 6, 7, 8, 9, 11, 40])
def test_a_stream_gives_the_answers_of_the_whole_video(tmp_path: Path, window: int, count: int) -> None:
    model = TemporalModel(write(tmp_path / "t.onnx", replace(FACTS, context=None, window=window)))
    features, times, present = video(count)
    present[3::4] = False
    stream = BlendedStream(model)
    for _ in range(2):
        answers = [stream.push(times[i], features[i] if present[i] else None) for i in range(count)]
        assert [answer is None for answer in answers] == [i < window for i in range(count)]
        assert len(stream._frames) == min(count, window)
        found = [answer for answer in answers if answer is not None] + stream.finish()
        np.testing.assert_allclose(found, model.predict(features, times, present), atol=1e-6)
    assert stream.finish() == []


def test_bad_frames_are_refused(tmp_path: Path) -> None:
    stream = BlendedStream(TemporalModel(write(tmp_path / "t.onnx", replace(FACTS, context=None))))
    stream.push(1.0, None)
    with pytest.raises(ValueError, match="rise"):
        stream.push(1.0, None)
    with pytest.raises(ValueError, match="Expected 2 features"):
        stream.push(2.0, np.zeros(3, np.float32))
