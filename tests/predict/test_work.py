"""How far a video is, told in each look at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.predict.conftest import FramedSquares, brightness_model, film, scene, write_picture

from halfsmile.faces.video.frames import VideoFrame
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.run import predict_run
from halfsmile.utils import progress


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    frames: Sequence[VideoFrame] = film(lambda frame: [(20, 30, 56 if frame < 5 else 40)], 20)
    with write_video(path) as write:
        for frame in frames:
            write(frame.image, frame.time)
    return path


@pytest.mark.parametrize(
    ("rest", "looks"),
    [("none", {""}), ("own", {"1", "2"}), ("photograph", {""}), ("photograph and own", {"1", "2"})],
)
def test_a_video_that_is_looked_at_twice_says_so_from_its_first_frame(
    rest: str,
    looks: set[str],
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    predict_run(
        [clip],
        out=tmp_path / "t.csv",
        model=brightness_model(tmp_path / "m.onnx", labels=("neutral", "happiness", "surprise", "sadness")),
        detector=FramedSquares(),
        baseline="person" if "own" in rest else None,
        neutral=write_picture(tmp_path / "n.png", scene([(20, 30, 40)])) if "photograph" in rest else None,
        threads=1,
    )
    said = re.findall(r"clip\.mp4(?:, look (\d) of 2,)? at", capsys.readouterr().err)
    assert set(said) == looks
    assert said == sorted(said)
    assert len(said) == 20 * len(looks)
