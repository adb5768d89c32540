from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.predict.conftest import FramedSquares, expected, film, scene

from halfsmile.data.preprocess import Image
from halfsmile.data.store.write import StoredFace
from halfsmile.faces.detect import Detection
from halfsmile.faces.prepare.preparer import Preparer, PrepareTask
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import FaceSource
from halfsmile.faces.video.frames import BadVideoError, VideoFrame
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.video import predict_video


class Counting(FramedSquares):
    """Notes how many pictures were searched for faces."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.calls += len(images)
        return super().detect(images)


def faces_of(rows: Iterator[Face | NoFace]) -> list[Face]:
    return [row for row in rows if isinstance(row, Face)]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "name of the video is empty"),
        (b"abc", "bytes of a file: save them"),
        (io.BytesIO(b"abc"), "bytes of a file: save them"),
        (tempfile.NamedTemporaryFile(), "bytes of a file: save them"),  # noqa: SIM115 # deleted with the last reference
        (cv2.VideoCapture(), "Found VideoCapture; video takes"),
        (np.zeros((48, 64, 3), np.uint8), "Found ndarray"),
        (
            [np.zeros((48, 64, 3), np.uint8)],
            r"Found ndarray among the frames.*VideoFrame\(index, time, image\)",
        ),
        (["a.mp4"], "Found str among the frames"),
        (None, "Found NoneType"),
        (True, "Found bool"),
        (1.5, "Found float"),
        (-1, "camera's number is 0 to 99"),
    ],
)
def test_what_gives_no_frames_is_told_with_what_does(model: ExpressionModel, source: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(Predictor(model, detector=FramedSquares()).video(source))


def test_a_camera_that_is_gone_through_gives_frames_though_it_has_read(predictor: Predictor) -> None:
    class Camera:
        def read(self) -> VideoFrame:
            raise AssertionError("its frames come by iteration")

        def __iter__(self) -> Iterator[VideoFrame]:
            return iter(film(lambda i: [(10 + 3 * i, 20, 40)], 4))

    assert [face.frame for face in faces_of(predictor.video(Camera()))] == [0, 1, 2, 3]


@pytest.mark.parametrize("detect_every", [1, 2, 3, 5])
def test_between_detections_faces_are_where_they_are(model: ExpressionModel, detect_every: int) -> None:
    detector = Counting()
    predictor = Predictor(model, detector=detector)
    frames = film(lambda i: [(10 + 3 * i, 20 + i, 40 + 3 * i)], 31)
    found = faces_of(predictor.video(frames, detect_every=detect_every))
    assert detector.calls == -(-31 // detect_every)
    assert [face.frame for face in found] == list(range(31))
    assert [face.time for face in found] == [i / 25 for i in range(31)]
    assert {face.track for face in found} == {1}
    for i, face in enumerate(found):
        assert face.box == pytest.approx((10 + 3 * i, 20 + i, 50 + 3 * i, 60 + i), abs=1)
        np.testing.assert_allclose(
            list(face.probabilities.values()), expected(40 + 3 * i), atol=0.01
        )  # of the pixels of its own frame


def test_two_people_who_pass_each_other_keep_their_numbers(predictor: Predictor) -> None:
    frames = film(lambda i: [(4 + 4 * i, 8, 50), (150 - 4 * i, 66, 200)], 36)
    found = faces_of(predictor.video(frames))
    by_track: dict[int | None, set[str]] = {}
    for face in found:
        by_track.setdefault(face.track, set()).add(face.expression)
    assert by_track == {1: {"dark"}, 2: {"bright"}}
    assert len(found) == 72


def test_a_cut_ends_everybody_and_no_frame_mixes_two_shots(predictor: Predictor) -> None:
    def frames() -> Iterator[VideoFrame]:
        for i in range(20):
            if i < 10:
                image = scene([(20, 20, 32)])
            else:
                image = np.full((120, 200, 3), (200, 120, 40), np.uint8)
                image[:, ::7] = (30, 90, 20)
                image[60:100, 120:160] = scene([(0, 0, 215)], size=(40, 40))
            yield VideoFrame(i, i / 25, image)

    found = faces_of(predictor.video(frames(), detect_every=4))
    assert [(face.frame, face.track, face.expression) for face in found] == [
        *((i, 1, "dark") for i in range(10)),
        *((i, 2, "bright") for i in range(10, 20)),
    ]
    assert all(face.box == pytest.approx((20, 20, 60, 60), abs=1) for face in found[:10])


def test_someone_who_leaves_is_not_made_up(predictor: Predictor) -> None:
    frames = film(lambda i: [(20, 20, 32)] if i < 10 else [], 20)
    rows = list(predictor.video(frames, frames_without_face=True))
    assert [row.frame for row in rows] == list(range(20))
    assert [row.frame for row in rows if isinstance(row, NoFace)] == list(range(10, 20))
    assert [row.frame for row in predictor.video(frames)] == list(range(10))


def test_only_every_nth_frame_is_processed(predictor: Predictor, tmp_path: Path) -> None:
    with write_video(tmp_path / "a.mp4") as write:
        for frame in film(lambda i: [(20 + i, 20, 100)], 20, rate=10):
            write(frame.image, frame.time)
    found = faces_of(predictor.video(tmp_path / "a.mp4", every=4))
    assert [face.frame for face in found] == [0, 4, 8, 12, 16]
    assert [face.time for face in found] == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])
    assert {face.source for face in found} == {str(tmp_path / "a.mp4")}


def test_frames_are_held_only_until_the_next_detection(predictor: Predictor) -> None:
    given: list[int] = []

    def frames() -> Iterator[VideoFrame]:
        for frame in film(lambda i: [(20, 20, 100)], 60):
            given.append(frame.index)
            yield frame

    for seen in predict_video(predictor, frames(), detect_every=3):
        assert given[-1] - seen.frame.index <= 3


def test_what_the_detector_saw_is_kept_though_nobody_is_followed_yet(predictor: Predictor) -> None:
    frames = film(lambda i: [(20, 20, 100)] if i >= 3 else [], 9)
    seen = list(predict_video(predictor, frames, detect_every=3))
    assert [len(s.faces) for s in seen] == [0, 0, 0, 0, 0, 0, 1, 1, 1]  # sure from the second detection on
    assert [len(s.detections) for s in seen] == [0, 0, 0, 1, 0, 0, 1, 0, 0]


def test_a_video_that_is_none_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing of a video")
    with pytest.raises(BadVideoError, match="can't be read as a video"):
        list(predictor.video(tmp_path / "a.mp4"))


def other_room(squares: Sequence[tuple[int, int, int]]) -> Image:
    """A picture of another place."""
    image = scene(squares)
    ground = np.all(image == scene([]), axis=2)
    other = np.full_like(image, (200, 120, 40))
    other[:, ::7] = (30, 90, 20)
    image[ground] = other[ground]
    return image


def numbers_in_a_table(predictor: Predictor, video: Path) -> list[tuple[int | None, int | None]]:
    """(frame, track) of every face that prediction finds with a detection in each frame."""
    return [(face.frame, face.track) for face in faces_of(predictor.video(video, detect_every=1))]


def numbers_in_a_store(predictor: Predictor, video: Path) -> list[tuple[int | None, int | None]]:
    """(frame, track) of every face that preparing finds."""
    preparer = Preparer(Settings(detector="mtcnn", every=1))
    preparer._detector = predictor.detector
    pieces = preparer(PrepareTask((FaceSource(str(video), video, is_video=True),)))
    return [(piece.frame, piece.track) for piece in pieces if isinstance(piece, StoredFace)]


def write_frames(path: Path, image: Callable[[int], Image], count: int) -> Path:
    with write_video(path) as write:
        for i in range(count):
            write(image(i), i / 25)
    return path


def test_a_table_and_a_store_agree_on_who_is_who_within_a_shot(predictor: Predictor, tmp_path: Path) -> None:
    def image(i: int) -> Image:
        who = [(4 + 4 * i, 8, 50), (150 - 4 * i, 66, 200)]
        return scene(who[:1] if i in (5, 30) else who)

    video = write_frames(tmp_path / "a.mp4", image, 36)
    found = numbers_in_a_table(predictor, video)
    assert found == numbers_in_a_store(predictor, video)
    assert {track for _, track in found} == {1, 2}
    assert len(found) == 36 + 34


def test_a_table_and_a_store_agree_on_who_is_who_after_a_cut(predictor: Predictor, tmp_path: Path) -> None:
    def image(i: int) -> Image:
        return scene([(20, 20, 200)]) if i < 10 else other_room([(20, 20, 200), (120, 60, 200)])

    video = write_frames(tmp_path / "a.mp4", image, 14)
    found = numbers_in_a_table(predictor, video)
    assert found == numbers_in_a_store(predictor, video)
    assert found == [*((i, 1) for i in range(10)), *((i, track) for i in range(10, 14) for track in (2, 3))]
