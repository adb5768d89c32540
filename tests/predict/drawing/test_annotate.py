from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.predict.conftest import film, scene

from halfsmile.data.decode import read_image
from halfsmile.faces.video.frames import VideoFrame, frames
from halfsmile.predict.drawing.annotate import annotated_video, write_picture
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.video import predict_video


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("hide_faces", [False, True])
def test_annotated_pictures(predictor: Predictor, tmp_path: Path, suffix: str, hide_faces: bool) -> None:
    picture = scene([(20, 40, 215)])
    faces = predictor.predict(picture)
    path = tmp_path / "new" / f"a{suffix}"
    write_picture(path, picture, faces, hidden=faces if hide_faces else ())
    written = read_image(path.parent, path.name)
    assert written.shape == picture.shape
    middle = written[50:70, 30:50].astype(int)
    assert (np.abs(middle - 215).max() < 12) != hide_faces
    assert np.abs(written[105:, 100:].astype(int) - picture[105:, 100:]).max() < 12  # far from the face


def test_an_annotated_video_has_the_frames_and_times_of_its_source(
    predictor: Predictor, tmp_path: Path
) -> None:
    source = [VideoFrame(f.index, f.time**1.2, f.image) for f in film(lambda i: [(20 + i, 40, 100)], 20)]
    with annotated_video(tmp_path / "a.mp4") as add:
        for seen in predict_video(predictor, source):
            add(seen)
    written = list(frames(tmp_path / "a.mp4"))
    assert [f.time for f in written] == pytest.approx([f.time for f in source], abs=1e-3)
    for before, after in zip(source, written, strict=True):
        assert after.image.shape == before.image.shape
        assert np.abs(after.image.astype(int) - before.image).max() > 60  # something is drawn
        assert np.abs(after.image[110:].astype(int) - before.image[110:]).mean() < 5


@pytest.mark.parametrize("squares", [lambda i: [(60, 40, 215)], lambda i: [(60, 40, 215)] if i == 15 else []])
def test_no_frame_shows_a_face_that_shall_be_hidden(
    predictor: Predictor, tmp_path: Path, squares: Callable[[int], list[tuple[int, int, int]]]
) -> None:
    """Neither one that is always there, nor one that is seen but once and so is nobody's track."""
    source = film(squares, 30)
    checks = 80 * (np.indices((32, 32)) // 4).sum(0)[:, :, None] % 160
    for frame in source:
        if squares(frame.index):
            frame.image[44:76, 64:96] = frame.image[44:76, 64:96] - checks.astype(np.uint8)
    with annotated_video(tmp_path / "a.mp4", hide_faces=True) as add:
        for seen in predict_video(predictor, source, detect_every=1):
            add(seen)
    written = list(frames(tmp_path / "a.mp4"))
    assert len(written) == 30
    for before, after in zip(source, written, strict=True):
        if squares(before.index):
            assert before.image[50:70, 70:90].std() > 35
            assert after.image[50:70, 70:90].std() < 12


def test_a_stream_that_changes_its_size_is_scaled(predictor: Predictor, tmp_path: Path) -> None:
    sizes = [(120, 200), (120, 200), (60, 100), (240, 400)]
    source = [VideoFrame(i, i / 10, scene([], size=size)) for i, size in enumerate(sizes)]
    with annotated_video(tmp_path / "a.mp4") as add:
        for seen in predict_video(predictor, source):
            add(seen)
    assert [frame.image.shape for frame in frames(tmp_path / "a.mp4")] == [(120, 200, 3)] * 4
