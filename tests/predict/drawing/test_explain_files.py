from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.predict.conftest import film, scene

from halfsmile.predict.drawing import explain_files
from halfsmile.predict.drawing.explain_files import PeopleOfVideo, explain_picture
from halfsmile.predict.drawing.explain_picture import HEIGHT, WIDTH
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.video import predict_video


def test_every_face_of_a_picture_gets_its_file(predictor: Predictor, tmp_path: Path) -> None:
    picture = scene([(20, 30, 32), (100, 30, 215)])
    said: list[str] = []
    written = explain_picture(
        predictor, tmp_path / "new" / "a", picture, predictor.predict(picture), say=said.append
    )
    assert [path.name for path in written] == ["a-face-1.png", "a-face-2.png"]
    assert said == ["explaining face 1 of 2", "explaining face 2 of 2"]
    shown = [cv2.imread(str(path)) for path in written]
    assert all(image is not None and image.shape == (HEIGHT, WIDTH, 3) for image in shown)
    panels = [np.asarray(image)[200:280, 120:200] for image in shown]
    assert panels[0].mean() < 60 < 180 < panels[1].mean()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [p.name for p in written]


def watch(predictor: Predictor, people: PeopleOfVideo, frames: int = 30) -> None:
    """The first person is clearest in frame 20, the second is there for ten frames."""
    bright = [90] * 20 + [96] + [90] * (frames - 21)
    for seen in predict_video(
        predictor,
        film(lambda i: [(20, 30, bright[i])] + ([(120, 30, 224)] if i < 10 else []), frames),
        detect_every=1,
        name="clip.mp4",
    ):
        people.add(seen.frame.image, seen.faces)


def test_each_person_is_explained_where_the_model_was_surest(predictor: Predictor, tmp_path: Path) -> None:
    people = PeopleOfVideo(predictor)
    watch(predictor, people)
    written = people.write(tmp_path / "clip", say=lambda _: None)
    assert [path.name for path in written] == ["clip-person-1-frame-20.png", "clip-person-2-frame-0.png"]


def test_people_are_limited_to_those_who_are_seen_longest(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_files, "PEOPLE", 1)
    people = PeopleOfVideo(predictor)
    watch(predictor, people)
    assert [path.name for path in people.write(tmp_path / "clip", say=lambda _: None)] == [
        "clip-person-1-frame-20.png"
    ]
    monkeypatch.setattr(explain_files, "SLOTS", 0)
    people = PeopleOfVideo(predictor)
    watch(predictor, people)
    assert people.write(tmp_path / "clip", say=lambda _: None) == []
