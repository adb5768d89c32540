from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.predict.drawing.test_overlay import FACE

from halfsmile.predict.drawing.timeline import BINS, PEOPLE, SLOTS, Timeline
from halfsmile.predict.face import Face

LABELS = ("neutral", "happiness", "fear")
SVG = "{http://www.w3.org/2000/svg}"


def face(track: int, happiness: float, *, uncertain: bool = False) -> Face:
    probabilities = {"neutral": 1 - happiness, "happiness": happiness, "fear": 0.0}
    return replace(FACE, track=track, probabilities=probabilities, uncertain=uncertain)


def test_means_are_those_of_the_faces_in_a_bin() -> None:
    timeline = Timeline(LABELS, "clip", seconds=1.0)
    timeline.add([face(1, 0.2), face(2, 1.0)], 0.0)
    timeline.add([face(1, 0.4, uncertain=True)], 0.5)
    timeline.add([face(1, 0.9)], 2.5)
    times, probabilities, certain = timeline.means(1)
    assert times.tolist() == [0, 1, 2]
    np.testing.assert_allclose(probabilities[[0, 2]], [[0.7, 0.3, 0], [0.1, 0.9, 0]])
    assert certain[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isnan(probabilities[1]).all()
    assert np.isnan(certain[1])


def test_a_long_video_needs_no_more_bins_and_keeps_its_means() -> None:
    timeline = Timeline(LABELS, "clip", seconds=0.04)
    for second in range(7200):
        timeline.add([face(1, float(second >= 3600))], float(second))
    times, probabilities, _ = timeline.means(1)
    assert len(times) <= BINS
    late = times >= 3600
    np.testing.assert_allclose(probabilities[late, 1], 1)
    np.testing.assert_allclose(probabilities[times + timeline.seconds <= 3600, 1], 0)


def test_the_picture_is_sound_and_tells_who_and_when(tmp_path: Path) -> None:
    timeline = Timeline(LABELS, "a <clip> & more", seconds=0.1)
    for i in range(100):
        people = [face(1, i / 100)] + ([face(3, 1.0, uncertain=True)] if 20 <= i < 40 else [])
        timeline.add(people, i / 10)
    timeline.write(tmp_path / "t.svg")
    root = ElementTree.parse(tmp_path / "t.svg").getroot()  # noqa: S314
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "a <clip> & more" in texts
    assert [text for text in texts if text and text.startswith("person")] == ["person 1", "person 3"]
    assert {"neutral", "happiness", "fear", "0 s", "5 s"} <= set(texts)
    polygons = [
        np.array([point.split(",") for point in polygon.get("points", "").split()], float)
        for polygon in root.iter(f"{SVG}polygon")
    ]
    assert len(polygons) == 2 * len(LABELS)
    second = polygons[3:]  # person 3: seen from 2 to 4 of 9.9 seconds
    span = second[1][:, 0]
    assert (span.min() - 92) / (1000 - 92 - 16) == pytest.approx(2 / 9.9, abs=0.01)
    assert (span.max() - 92) / (1000 - 92 - 16) == pytest.approx(4 / 9.9, abs=0.01)
    heights = [float(np.ptp(polygon[:, 1])) for polygon in second]
    assert heights == [0, 76, 0]  # happiness alone
    strips = [rect for rect in root.iter(f"{SVG}rect") if rect.get("opacity") == "0.00"]
    assert len(strips) == 20  # all of person 3 is uncertain


def test_crowds_are_cut_to_those_who_are_seen_longest() -> None:
    timeline = Timeline(LABELS, "crowd")
    for i in range(3):
        timeline.add([face(track, 0.5) for track in range(1, SLOTS + 50) if track % 3 <= i], i / 25)
    assert timeline.people.longest(PEOPLE) == [3 * i for i in range(1, PEOPLE + 1)]
    assert f"{SLOTS + 49 - PEOPLE} people who are seen less are not shown" in timeline.svg()


def test_who_comes_late_in_a_long_film_and_stays_is_shown() -> None:
    timeline = Timeline(LABELS, "film", seconds=1.0)
    for i in range(500):
        timeline.add([face(i if i < 400 else 400, 0.5)], float(i))
    assert 400 in timeline.people.longest(PEOPLE)
    assert "371 people" in timeline.svg()


@pytest.mark.parametrize("step", [0.04, 0.6, 5.0])
def test_faces_are_drawn_however_far_apart_the_frames_are(step: float) -> None:
    timeline = Timeline(LABELS, "sparse")
    for i in range(50):
        timeline.add([face(1, 0.5)], i * step)
    root = ElementTree.fromstring(timeline.svg())  # noqa: S314
    polygons = [
        np.array([point.split(",") for point in polygon.get("points", "").split()], float)
        for polygon in root.iter(f"{SVG}polygon")
    ]
    assert len(polygons) == len(LABELS)
    assert np.ptp(polygons[0][:, 0]) == pytest.approx(1000 - 92 - 16, abs=20)


def test_a_face_that_is_seen_once_has_a_width() -> None:
    timeline = Timeline(LABELS, "once", seconds=1.0)
    for i in range(10):
        timeline.add([face(1, 0.5)] if i == 4 else [], float(i))
    root = ElementTree.fromstring(timeline.svg())  # noqa: S314
    polygon = next(root.iter(f"{SVG}polygon"))
    x = [float(point.split(",")[0]) for point in polygon.get("points", "").split()]
    assert max(x) - min(x) == pytest.approx((1000 - 92 - 16) / 9, abs=1)


def test_a_video_without_anybody_has_an_empty_timeline() -> None:
    timeline = Timeline(LABELS, "nobody")
    timeline.add([], 0.0)
    ElementTree.fromstring(timeline.svg())  # noqa: S314
