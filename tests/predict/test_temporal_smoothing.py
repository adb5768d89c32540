from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.predict.conftest import film

from halfsmile.faces.video.frames import VideoFrame
from halfsmile.predict.face import Face
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.temporal import MAX_GAP, smooth_tracks
from halfsmile.predict.video import predict_video
from halfsmile.sequences.smoothing import Smoothing

RNG = np.random.default_rng(3)
LEVELS = RNG.integers(0, 256, (2, 90))


def two_people(index: int) -> list[tuple[int, int, int]]:
    """The second is away for a moment that is bridged, and for one that is not."""
    people = [(20, 20, int(LEVELS[0, index]))]
    if not (20 <= index < 26 or 50 <= index < 75):
        people.append((120, 20, int(LEVELS[1, index])))
    return people


def rows(faces: list[Face], track: int) -> np.ndarray:
    return np.array([list(face.probabilities.values()) for face in faces if face.track == track])


def faces(predictor: Predictor, frames: list[VideoFrame], smoothing: float | None = None) -> list[Face]:
    found = predictor.video(frames, detect_every=1, smoothing=smoothing)
    return [face for face in found if isinstance(face, Face)]


@pytest.mark.parametrize("width", [0.2, 0.6, 2.0])
def test_each_person_is_averaged_as_a_whole_video_would_be(predictor: Predictor, width: float) -> None:
    frames = film(two_people, 90)
    raw, averaged = faces(predictor, frames), faces(predictor, frames, width)
    assert [(f.frame, f.track, f.box) for f in averaged] == [(f.frame, f.track, f.box) for f in raw]
    for track in {face.track for face in raw}:
        assert track is not None
        times = np.array([face.time for face in raw if face.track == track])
        sequence = np.full((90, 4), np.nan)
        sequence[np.round(times * 25).astype(int)] = rows(raw, track)
        whole = Smoothing("average", width, max_gap=MAX_GAP).apply(sequence, np.arange(90) / 25)
        expected = whole[np.round(times * 25).astype(int)]
        np.testing.assert_allclose(rows(averaged, track), expected, atol=1e-6)


def test_frames_that_lie_far_apart_are_averaged_too(predictor: Predictor) -> None:
    still = film(lambda index: [(20, 20, 100 + int(LEVELS[0, index]) // 8)], 20)
    frames = [replace(frame, time=0.7 * frame.index) for frame in still]
    raw, averaged = faces(predictor, frames), faces(predictor, frames, 1.5)
    assert {face.track for face in raw} == {1}
    expected = [rows(raw, 1)[max(0, i - 1) : i + 2].mean(axis=0) for i in range(20)]
    np.testing.assert_allclose(rows(averaged, 1), expected, atol=1e-6)
    assert not np.allclose(rows(raw, 1), expected, atol=1e-3)


def test_nothing_is_averaged_across_a_cut_though_the_number_stays(predictor: Predictor) -> None:
    raw = list(predict_video(predictor, film(lambda i: [(20, 20, 32 if i < 10 else 40)], 20), detect_every=1))
    parts = [replace(seen, shot=int(seen.frame.index >= 10)) for seen in raw]
    averaged = [seen.faces[0] for seen in smooth_tracks(iter(parts), predictor.judge, width=0.4, delay=0.2)]
    assert {face.track for face in averaged} == {1}
    before, after = (rows([face], 1)[0] for face in (raw[0].faces[0], raw[-1].faces[0]))
    np.testing.assert_allclose(rows(averaged, 1), [before] * 10 + [after] * 10, atol=1e-6)
    across = [seen.faces[0] for seen in smooth_tracks(iter(raw), predictor.judge, width=0.4, delay=0.2)]
    assert not np.allclose(rows(across, 1)[9], before, atol=1e-4)


def test_name_confidence_and_certainty_follow_the_average(predictor: Predictor) -> None:
    for face in faces(predictor, film(two_people, 60), 0.5):
        best = max(face.probabilities, key=lambda label: face.probabilities[label])
        assert face.expression == best
        assert face.confidence == face.probabilities[best]
        assert face.uncertain == (face.confidence < 0.75)
        assert sum(face.probabilities.values()) == pytest.approx(1)


def test_frames_come_out_once_in_order_and_not_too_late(predictor: Predictor) -> None:
    given: list[float] = []

    def frames() -> list[VideoFrame]:
        return film(two_people, 90)

    def noted() -> object:
        for seen in predict_video(predictor, frames(), detect_every=1):
            given.append(seen.frame.time)
            yield seen

    order = []
    for seen in smooth_tracks(noted(), predictor.judge, width=0.4, delay=0.2):  # type: ignore[arg-type]
        order.append(seen.frame.index)
        assert given[-1] - seen.frame.time <= 0.2 + MAX_GAP + 2 / 25
    assert order == list(range(90))


def test_without_look_ahead_every_frame_comes_at_once(predictor: Predictor) -> None:
    given: list[int] = []

    def noted() -> object:
        for seen in predict_video(predictor, film(two_people, 90), detect_every=1):
            given.append(seen.frame.index)
            yield seen

    for seen in smooth_tracks(noted(), predictor.judge, width=0.4, delay=0.0):  # type: ignore[arg-type]
        assert given[-1] == seen.frame.index
