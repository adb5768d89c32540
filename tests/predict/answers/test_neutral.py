"""A neutral photograph, and who in a video it shows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console
from tests.predict.conftest import FramedSquares, brightness_model, film, scene, write_picture

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.video.frames import frames
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.answers import neutral
from halfsmile.predict.answers.neutral import LOOKS, SAME, Likeness, NeutralFace, neutral_face
from halfsmile.predict.face import Face
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.run import predict_run


class Squares:
    """Framed squares with landmarks in them."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [
            [replace(face, landmarks=self._points(face.box)) for face in faces]
            for faces in FramedSquares().detect(images)
        ]

    def _points(self, box: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        return np.asarray(box[:2] + places * (box[2:] - box[:2]), np.float32)


class BySide:
    """Takes the left half of a picture for one person and the right half for another."""

    looks = 0

    def __init__(self, threads: int | None = None) -> None:
        del threads

    def embed(self, image: Image, face: Detection) -> npt.NDArray[np.float32]:
        BySide.looks += 1
        is_right = bool(face.box[0] > image.shape[1] / 2)
        return np.array([not is_right, is_right], np.float32)


@pytest.fixture
def predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """Dark squares are neutral, brighter ones smile; who is left is not who is right."""
    monkeypatch.setattr(neutral, "FaceIdentity", BySide)
    BySide.looks = 0
    labels = ("neutral", "happiness", "surprise", "sadness")
    path = brightness_model(tmp_path / "m.onnx", labels=labels)
    return Predictor(path, detector=Squares())


def two_people(frame: int) -> list[tuple[int, int, int]]:
    del frame
    return [(20, 30, 56), (120, 30, 56)]


def smile_first(frame: int) -> list[tuple[int, int, int]]:
    return [(x, y, 56 if frame < 5 else 40) for x, y, _ in two_people(frame)]


def who_is_left(frame: int) -> list[tuple[int, int, int]]:
    return two_people(frame)[:1]


def by_track(results: Any) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for face in results:
        if isinstance(face, Face):
            found.setdefault(face.track or 0, set()).add(face.expression)
    return found


def test_only_who_looks_like_the_photograph_is_answered_relative_to_it(predictor: Predictor) -> None:
    problems: list[str] = []
    clip = film(two_people, 20)
    found = by_track(predictor.video(clip, neutral=scene([(20, 30, 40)]), problems=problems))
    assert found == {1: {"happiness"}, 2: {"neutral"}}
    assert len(problems) == 1
    assert "Person 2 looks like somebody else" in problems[0]
    assert f"likeness 0.00, of one person {SAME} or more" in problems[0]


def test_without_a_list_it_is_warned_of(predictor: Predictor) -> None:
    with pytest.warns(UserWarning, match="Person 2 looks like somebody else"):
        list(predictor.video(film(two_people, 3), neutral=scene([(20, 30, 40)])))


def test_the_run_tells_it_of_each_video(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with write_video(path) as write:
        for frame in film(two_people, 10):
            write(frame.image, frame.time)
    photograph = write_picture(tmp_path / "rest.png", scene([(120, 30, 40)]))
    summary = predict_run(
        [path],
        out=tmp_path / "t.csv",
        model=predictor.model,
        detector=Squares(),
        neutral=photograph,
        progress=False,
    )
    told = [note for note in summary.notes if "somebody else" in note]
    assert len(told) == 1
    assert "Person 1" in told[0]
    assert "rest.png" in told[0]


def test_who_is_somebody_else_has_their_own_rest_where_asked_for(
    predictor: Predictor, tmp_path: Path
) -> None:
    """Both smile faintly at first: who is left by the photograph, who is right by their rest in the film."""
    clip, problems = film(smile_first, 20), list[str]()
    path = tmp_path / "clip.mp4"
    with write_video(path) as write:
        for frame in clip:
            write(frame.image, frame.time)
    options: dict[str, Any] = {"neutral": scene([(20, 30, 40)]), "problems": problems}
    assert by_track(predictor.video(path, **options))[2] == {"neutral"}
    assert "are not relative to it" in problems.pop()
    found = by_track(predictor.video(path, baseline="person", **options))
    assert found == {1: {"happiness", "neutral"}, 2: {"happiness", "neutral"}}
    assert "are relative to their own rest instead" in problems.pop()
    last = film(lambda frame: [(x, y, 56) for x, y, _ in smile_first(frame)], 20)
    found = by_track(predictor.video(last, baseline="person", **options))
    assert found == {1: {"happiness"}, 2: {"neutral"}}  # who is right rests at 56 there


@pytest.mark.parametrize(
    ("people", "options", "told"),
    [
        ("both", {}, []),
        ("both", {"baseline": "person"}, ["2 people in videos are relative to their own resting face."]),
        (
            "both",
            {"neutral": "rest.png"},
            ["1 person in videos are relative to the resting face of rest.png."],
        ),
        (
            "both",
            {"neutral": "rest.png", "baseline": "person"},
            [
                "1 person in videos are relative to the resting face of rest.png.",
                "1 person in videos are relative to their own resting face.",
            ],
        ),
        ("left", {"neutral": "rest.png"}, []),
    ],
)
def test_the_summary_says_for_how_many_people_whose_rest_was_taken(
    predictor: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    people: str,
    options: dict[str, Any],
    told: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with write_video(Path("clip.mp4")) as write:
        for frame in film(two_people if people == "both" else who_is_left, 10):
            write(frame.image, frame.time)
    write_picture(Path("rest.png"), scene([(120, 30, 40)]))
    summary = predict_run(
        ["clip.mp4"],
        out="t.csv",
        model=predictor.model,
        detector=Squares(),
        progress=False,
        **options,
    )
    text = io.StringIO()
    summary.render(Console(file=text))
    shown = [line for line in text.getvalue().splitlines() if line.startswith("Answers for")]
    assert shown == [f"Answers for {line}" for line in told]


def test_nothing_is_said_to_be_relative_where_there_are_only_pictures(
    predictor: Predictor, tmp_path: Path
) -> None:
    summary = predict_run(
        [write_picture(tmp_path / "a.png", scene([(20, 30, 40)]))],
        out=tmp_path / "t.csv",
        model=predictor.model,
        detector=Squares(),
        baseline="person",
        progress=False,
    )
    assert summary.notes == ["--baseline: for videos only, and there is none."]
    assert not summary.references


def test_looks_are_few_and_end_when_somebody_is_known(predictor: Predictor) -> None:
    face = predictor.predict(scene([(120, 30, 40)]))[0]
    picture = scene([(120, 30, 40)])
    other = Likeness(NeutralFace({}, embedding=np.array([1, 0], np.float32)), BySide())  # type: ignore[arg-type]
    same = Likeness(NeutralFace({}, embedding=np.array([0, 1], np.float32)), BySide())  # type: ignore[arg-type]
    for likeness, wanted in ((other, LOOKS), (same, 1)):
        BySide.looks = 0
        for time in np.arange(0, 10, 0.04):
            likeness.look(picture, [face], float(time))
        assert BySide.looks == wanted
    assert same.told() is None


def test_one_good_look_is_enough() -> None:
    face = Face(
        source="",
        box=(0, 0, 9, 9),
        landmarks=((0, 0),) * 5,
        score=1.0,
        track=7,
        expression="neutral",
        probabilities={},
        confidence=1.0,
        uncertain=None,
    )

    class Clearing:
        likeness = iter((0.5, 0.6, 0.95))

        def embed(self, image: Image, face: Detection) -> npt.NDArray[np.float32]:
            return np.array([next(self.likeness)], np.float32)

    likeness = Likeness(NeutralFace({}, embedding=np.ones(1, np.float32)), Clearing())  # type: ignore[arg-type]
    image = np.zeros((9, 9, 3), np.uint8)
    assert [bool(likeness.look(image, [face], float(time))) for time in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert likeness.told() is None


def test_faces_without_landmarks_tell_nothing(tmp_path: Path) -> None:
    path = brightness_model(tmp_path / "m.onnx", labels=("neutral", "happiness", "surprise", "sadness"))
    predictor = Predictor(path, detector=FramedSquares())
    assert neutral_face(predictor, scene([(20, 30, 40)])).embedding is None
    told: list[str] = []
    found = predictor.video(film(two_people, 5), neutral=scene([(20, 30, 40)]), problems=told)
    assert by_track(found) == {1: {"happiness"}, 2: {"happiness"}}
    assert told == []


def test_the_face_network_tells_real_people_apart(real_data: Path) -> None:
    predictor, clip = Predictor(), real_data / "demo" / "single_face.mp4"
    own = next(iter(frames(clip))).image
    for photograph, is_told in ((real_data / "demo" / "obama.jpg", True), (own, False)):
        told: list[str] = []
        list(predictor.video(clip, neutral=photograph, every_seconds=1.0, problems=told))
        assert any("somebody else" in problem for problem in told) == is_told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.png", r"none\.png does not exist"),
        ("folder", "is a folder; expected one picture of the person's resting face"),
        ("clip.mp4", "is a video; expected one picture of the person's resting face"),
        ("notes.txt", r"notes\.txt"),
    ],
)
def test_what_is_no_photograph(predictor: Predictor, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")
    with write_video(tmp_path / "clip.mp4") as write:
        for frame in film(two_people, 2):
            write(frame.image, frame.time)
    with pytest.raises(ValueError, match=f"The neutral photograph can't be taken: .*{message}"):
        neutral_face(predictor, tmp_path / name)
