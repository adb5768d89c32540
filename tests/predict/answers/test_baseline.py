"""Answers relative to a person's resting face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.predict.conftest import FramedSquares, brightness_model, film, scene

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.answers.baseline import PersonBaseline, Rise, relate_to_rest
from halfsmile.predict.face import Face
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.video import Seen, predict_video

LABELS = ("neutral", "happiness", "sadness")
ODDS = st.lists(st.floats(-8, 4), min_size=2, max_size=2)


def probabilities(*margins: float) -> npt.NDArray[np.float64]:
    """Of odds against neutral, in natural logarithms."""
    odds = np.exp([0.0, *margins])
    return np.asarray(odds / odds.sum(), np.float64)


def person(frames: list[tuple[float, float]], rise: Rise | None = None) -> PersonBaseline:
    baseline = PersonBaseline(LABELS, rise)
    for margins in frames:
        baseline.see(1, probabilities(*margins), in_view=[1])
    return baseline


def named(baseline: PersonBaseline, *margins: float, track: int = 1) -> str:
    return LABELS[int(baseline.answer(track, probabilities(*margins)).argmax())]


def test_a_faint_smile_of_a_solemn_face_is_one_and_of_a_merry_face_is_none() -> None:
    solemn, merry = person([(-6.0, -5.0)] * 20), person([(-1.2, -5.0)] * 20)
    assert named(solemn, -4.0, -5.0) == "happiness"
    assert named(merry, -1.0, -5.0) == "neutral"
    assert named(solemn, -5.5, -5.0) == "neutral"


def test_other_expressions_need_a_larger_rise_and_to_be_possible() -> None:
    baseline = person([(-6.0, -6.0)] * 20)
    assert named(baseline, -6.0, -3.5) == "neutral"  # it rose by 2.5
    assert named(baseline, -6.0, -1.6) == "neutral"  # by more than 3, to odds that are nothing
    assert named(baseline, -6.0, -1.4) == "sadness"


@given(st.lists(st.tuples(st.floats(-8, 4), st.floats(-8, 4)), min_size=1, max_size=30), ODDS)
def test_nothing_falls_against_neutral(frames: list[tuple[float, float]], odds: list[float]) -> None:
    baseline = person(frames)
    before, after = probabilities(*odds), baseline.answer(1, probabilities(*odds))
    assert after.sum() == pytest.approx(1)
    assert (np.log(after[1:] / after[0]) >= np.log(before[1:] / before[0]) - 1e-6).all()


@given(st.lists(st.floats(-8, 6), min_size=4, max_size=40))
def test_rest_is_the_percentile_but_never_above_zero(margins: list[float]) -> None:
    baseline = person([(margin, -5.0) for margin in margins])
    rest = baseline.rest(1)
    assert rest is not None
    exact = np.sort(margins)[int(np.ceil(len(margins) / 4)) - 1]
    assert rest[1] == pytest.approx(min(exact, 0), abs=0.05)


def test_who_smiles_from_beginning_to_end_is_not_neutral() -> None:
    assert named(person([(2.0, -5.0)] * 20), 1.5, -5.0) == "happiness"


def test_a_photograph_of_the_resting_face_takes_the_place_of_the_video() -> None:
    baseline = person([(-2.0, -5.0)] * 20)
    assert named(baseline, -2.0, -5.0) == "neutral"
    baseline.fix(probabilities(-6.0, -5.0))
    assert named(baseline, -2.0, -5.0) == "happiness"


def test_people_are_told_apart_and_of_the_unknown_nothing_changes() -> None:
    baseline = person([(-6.0, -5.0)] * 20)
    given = probabilities(-4.0, -5.0)
    assert baseline.answer(2, given) == pytest.approx(given)
    assert named(baseline, -4.0, -5.0, track=2) == "neutral"


def test_a_model_without_neutral_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class 'neutral'.*--baseline"):
        PersonBaseline(("calm", "joy"))


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    """Dark squares are neutral, brighter ones smile; at 40 a face rests, 56 is neutral still."""
    path = brightness_model(tmp_path / "m.onnx", labels=("neutral", "happiness", "surprise", "sadness"))
    return Predictor(path, detector=FramedSquares())


def smile_first(frame: int) -> list[tuple[int, int, int]]:
    return [(20, 30, 56 if frame < 5 else 40)]


def names(results: object) -> list[str]:
    return [face.expression for face in results if isinstance(face, Face)]  # type: ignore[attr-defined]


def test_a_file_is_judged_by_all_of_it_and_frames_by_those_so_far(
    predictor: Predictor, tmp_path: Path
) -> None:
    clip = film(smile_first, 20)
    path = tmp_path / "clip.mp4"
    with write_video(path) as write:
        for frame in clip:
            write(frame.image, frame.time)
    assert set(names(predictor.video(path))) == {"neutral"}
    assert names(predictor.video(path, baseline="person")) == ["happiness"] * 5 + ["neutral"] * 15
    assert set(names(predictor.video(clip, baseline="person"))) == {"neutral"}
    last = film(lambda frame: [(20, 30, 56 if frame >= 15 else 40)], 20)
    assert names(predictor.video(last, baseline="person")) == ["neutral"] * 15 + ["happiness"] * 5


def test_a_photograph_of_rest(predictor: Predictor) -> None:
    clip = film(smile_first, 20)
    found = list(predictor.video(clip, neutral=scene([(20, 30, 40)])))
    assert names(found) == ["happiness"] * 5 + ["neutral"] * 15
    for picture in (scene([]), scene([(20, 30, 40), (120, 30, 40)])):
        with pytest.raises(ValueError, match=r"shows (no|2) faces; expected one"):
            predictor.video(clip, neutral=picture)


def test_it_goes_with_smoothing(predictor: Predictor) -> None:
    clip = film(lambda frame: [(20, 30, 56 if frame >= 15 else 40)], 20)
    assert names(predictor.video(clip, baseline="person", smoothing=0.08))[-2:] == ["happiness"] * 2


class Lying:
    """Says of the dark faces that they may not stand upright."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return FramedSquares().detect(images)

    class upright:  # noqa: N801
        @staticmethod
        def crops(cut: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.float32]:
            return np.where(cut[:, 16, 16, 0] > 50, 0.1, 1.0).astype(np.float32)


def test_a_face_that_may_not_stand_upright_is_neither_rest_nor_risen(predictor: Predictor) -> None:
    """What is said of it is nearly nothing, which is more of a smile than the rest of a solemn face."""
    strange = Predictor(predictor.model, detector=Lying())
    clip = film(lambda frame: [(20, 30, 56 if frame >= 15 else 40)], 20)
    plain = [face for face in strange.video(clip) if isinstance(face, Face)]
    related = [face for face in strange.video(clip, baseline="person") if isinstance(face, Face)]
    assert [face.probabilities for face in related[15:]] == [face.probabilities for face in plain[15:]]
    assert all(face.uncertain and "may not stand upright" in (face.doubt or "") for face in related[15:])
    assert all(face.doubt is None for face in related[:15])


def test_a_video_that_breaks_off_is_judged_by_what_there_is(predictor: Predictor) -> None:
    seen = list(predict_video(predictor, film(smile_first, 20)))

    def broken() -> Iterator[Seen]:
        yield from seen[:15]
        raise OSError("no more")

    person = PersonBaseline(predictor.labels)
    found = [s.faces[0].expression for s in relate_to_rest(seen, predictor.judge, person, first=broken)]
    assert found == ["happiness"] * 5 + ["neutral"] * 15
