"""People who walk, cross, hide and come back, as lists of boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.track import TrackedFace, Tracker

RATE = 25.0
POINTS = np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0], [-0.15, 0.25], [0.15, 0.25]])


def face(x: float, y: float, side: float = 60, score: float = 0.9) -> Detection:
    center = np.array([x, y])
    box = np.concatenate([center - side / 2, center + side / 2])
    return Detection(box.astype(np.float32), (center + side * POINTS).astype(np.float32), score)


def ids(tracks: Sequence[TrackedFace]) -> list[int]:
    return [track.id for track in tracks]


def center(track: TrackedFace) -> npt.NDArray[np.float64]:
    return (track.box[:2] + track.box[2:]) / 2


def landmarks(found: TrackedFace | Detection) -> npt.NDArray[np.floating]:
    assert found.landmarks is not None
    return found.landmarks


def test_ids_count_from_one_in_every_tracker() -> None:
    for _ in range(2):
        tracker = Tracker()
        assert ids(tracker.update([face(100, 100), face(400, 100)], 0)) == [1, 2]


def test_a_detected_face_is_given_as_it_was_detected() -> None:
    detection = face(100, 80, score=0.8)
    (track,) = Tracker().update([detection], 0)
    assert np.array_equal(track.box, detection.box)
    assert np.array_equal(landmarks(track), landmarks(detection))
    assert (track.score, track.time, track.detected) == (detection.score, 0, True)


def test_two_people_who_cross_keep_their_ids() -> None:
    tracker = Tracker()
    for i in range(80):
        x = 100 + 6 * i
        faces = [face(x, 200), face(680 - x, 230)]
        hidden = abs(2 * x - 680) < 50
        tracks = tracker.update(faces[:1] if hidden else faces, i / RATE)
        found = {track.id: center(track)[0] for track in tracks}
        assert found[1] == pytest.approx(x)
        if not hidden:
            assert found[2] == pytest.approx(680 - x)


@pytest.mark.parametrize(("away", "same"), [(0.2, True), (0.9, True), (1.2, False)])
def test_who_leaves_is_known_until_the_time_is_over(away: float, same: bool) -> None:
    tracker = Tracker(lost_seconds=1.0)
    for i in range(10):
        tracker.update([face(300, 200)], i / RATE)
    last = 9 / RATE
    for i in range(1, int(away * RATE)):
        assert tracker.update([], last + i / RATE) == []
    tracks = [tracker.update([face(305, 198)], last + away + i / RATE) for i in range(2)]
    assert ids(tracks[1]) == [1 if same else 2]
    assert ids(tracks[0]) == ([1] if same else [])


def test_time_counts_and_not_the_number_of_frames() -> None:
    for rate in (5.0, 25.0, 120.0):
        tracker = Tracker(lost_seconds=0.5)
        for i in range(10):
            tracker.update([face(300, 200)], i / rate)
        assert ids(tracker.update([face(300, 200)], 9 / rate + 0.45)) == [1]
        for pause in (0.7, 0.95):
            assert tracker.update([], 9 / rate + pause) == []
        assert ids(tracker.update([face(300, 200)], 9 / rate + 1.0)) == []


def test_a_passing_false_alarm_gets_no_track_and_uses_up_no_id() -> None:
    tracker = Tracker(min_hits=3)
    tracker.update([face(100, 100)], 0)
    for i in range(1, 30):
        alarm = [face(50 * i, 400)] if i % 2 else []
        assert ids(tracker.update([face(100, 100), *alarm], i / RATE)) == [1]
    late = [ids(tracker.update([face(100, 100), face(500, 100)], 2 + i / RATE)) for i in range(3)]
    assert late == [[1], [1], [1, 2]]


def test_doubtful_detections_continue_tracks_and_start_none() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 0)
    for i in range(1, 40):
        tracks = tracker.update([face(100, 100, score=0.2), face(400, 100, score=0.4)], i / RATE)
        assert ids(tracks) == [1]
        assert tracks[0].score == pytest.approx(0.2)
    assert tracker.update([face(100, 100, score=0.05)], 2) == []


def test_without_a_detector_boxes_and_landmarks_move_on() -> None:
    tracker = Tracker()
    for i in range(61):
        x, side = 100 + 4 * i, 60 + 0.2 * i
        detections = [face(x, 200 - i, side)] if i % 3 == 0 else None
        (track,) = tracker.update(detections, i / RATE)
        assert track.id == 1
        assert track.detected == (i % 3 == 0)
        if i > 30:
            expected = face(x, 200 - i, side)
            assert np.allclose(track.box, expected.box, atol=1.5)
            assert np.allclose(landmarks(track), landmarks(expected), atol=1.5)


def test_prediction_changes_nothing_later() -> None:
    often, seldom = Tracker(), Tracker()
    rng = np.random.default_rng(0)
    for i in range(30):
        detections = [face(*rng.normal([100 + 5 * i, 200], 2)), face(*rng.normal([600 - 5 * i, 200], 2))]
        for part in (0.6, 0.2):
            often.update(None, (i - part) / RATE)
        first, second = often.update(detections, i / RATE), seldom.update(detections, i / RATE)
        assert ids(first) == ids(second)
        assert all(np.array_equal(a.box, b.box) for a, b in zip(first, second, strict=True))


def test_a_face_without_landmarks_is_followed_too() -> None:
    tracker = Tracker()
    for i in range(4):
        box = face(100 + i, 100).box
        (track,) = tracker.update([Detection(box, None, 0.9)] if i % 2 == 0 else None, i / RATE)
        assert track.landmarks is None


def test_nobody_is_known_after_a_reset_and_ids_are_not_given_again() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 0)
    tracker.reset()
    assert ids(tracker.update([face(100, 100)], 0.04)) == [2]


def picture(*seeds: int) -> npt.NDArray[np.uint8]:
    """Faces and what is close to them around (100, 100), (300, 100), …; each seed looks different."""
    image = np.full((200, 700, 3), 128, np.uint8)
    for place, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        coarse, fine = rng.integers(20, 200, (4, 4, 1)), rng.integers(0, 50, (20, 20, 1))
        face = np.kron(coarse, np.ones((20, 20, 3))) + np.kron(fine, np.ones((4, 4, 3)))
        image[60:140, 60 + 200 * place : 140 + 200 * place] = face
    return image


def test_where_a_cut_may_be_only_who_looks_alike_goes_on_and_the_others_are_new_at_once() -> None:
    tracker = Tracker()
    faces = [face(100, 100), face(300, 100)]
    assert ids(tracker.update(faces, 0, image=picture(1, 2))) == [1, 2]
    assert ids(tracker.update(faces, 0.04, image=picture(1, 3))) == [1, 2]  # where no cut is, places decide
    assert ids(tracker.update(faces, 0.08, image=picture(1, 4), may_be_cut=True)) == [1, 3]


def test_who_is_seen_again_after_a_cut_has_the_same_id_wherever_they_are() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100), face(300, 100)], 0, image=picture(1, 2))
    tracker.reset()
    assert ids(tracker.update([face(100, 100)], 0.04, image=picture(3))) == [3]
    tracker.reset()
    swapped = tracker.update([face(100, 100), face(300, 100)], 0.08, image=picture(2, 1))
    assert {track.id: center(track)[0] for track in swapped} == {2: 100, 1: 300}


def test_who_comes_back_much_later_has_the_same_id() -> None:
    for comes_back, expected in ((1, [1]), (2, [2])):
        tracker = Tracker()
        tracker.update([face(100, 100)], 0, image=picture(1))
        for second in range(1, 30):
            tracker.update([], second, image=picture())
        for time in (30.0, 30.04):
            tracks = tracker.update([face(500, 100)], time, image=picture(0, 0, comes_back))
        assert ids(tracks) == expected


def test_a_track_that_was_lost_goes_on_elsewhere_under_its_id_alone() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 0, image=picture(1))
    for i in range(1, 4):  # too far away to be the same track
        tracks = tracker.update([face(500, 100)], i / RATE, image=picture(0, 0, 1))
    assert ids(tracks) == [1]
    assert len(tracker._targets) == 1


@pytest.mark.parametrize("step", [0.9, 1.1, 2.0, 30.0])
def test_looks_that_are_far_apart_in_time_still_find_everybody(step: float) -> None:
    tracker = Tracker()
    for i in range(5):
        assert ids(tracker.update([face(100 + 5 * i, 100), face(400, 100)], i * step)) == [1, 2]
    if step > tracker.lost_seconds:
        assert ids(tracker.update([face(400, 100), face(250, 300)], 5 * step)) == [2, 3]
        assert ids(tracker.update([face(250, 300)], 6 * step)) == [3]


def test_looks_that_are_far_apart_in_time_tell_people_apart_by_how_they_look() -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 255, (200, 200, 3)).astype(np.uint8) for _ in range(2)]
    tracker = Tracker()
    found = [ids(tracker.update([face(100, 100)], 2.0 * i, image=pictures[i >= 2])) for i in range(4)]
    assert found == [[1], [1], [2], [2]]


def test_with_images_only_who_looks_alike_goes_on_after_a_gap() -> None:
    for comes_back, expected in ((1, [1]), (2, [2])):
        tracker = Tracker()
        tracker.update([face(100, 100)], 0, image=picture(1))
        tracker.update([], 0.3, image=picture())
        for time in (0.4, 0.44):
            tracks = tracker.update([face(100, 100)], time, image=picture(comes_back))
        assert ids(tracks) == expected
        assert ids(tracker.update([face(100, 100)], 0.48, image=picture(5))) == expected


@pytest.mark.parametrize(("comes_back", "expected"), [(1, [1]), (2, [2])])
def test_a_face_that_is_covered_little_by_little_is_known_when_it_comes_back(
    comes_back: int, expected: list[int]
) -> None:
    tracker = Tracker()
    for i in range(9):  # a hand moves over the face; at the end half of it is seen
        image = picture(1)
        image[70:130, 70 : 70 + 4 * i] = 40
        assert ids(tracker.update([face(100, 100)], i / RATE, image=image)) == [1]
    tracker.update([], 0.8, image=picture())
    for time in (1.0, 1.04):
        tracks = tracker.update([face(100, 100)], time, image=picture(comes_back))
    assert ids(tracks) == expected


def test_memory_depends_on_the_people_in_view_alone() -> None:
    tracker = Tracker()
    for i in range(600):
        faces = [face(100 + 200 * (i // 3 % 5), 100), face(50 + i % 7, 300)]
        tracker.update(faces, i / RATE, image=picture(1, 2, 3))
        assert len(tracker._targets) <= 12
        assert all(len(target.looks) <= RATE + 1 for target in tracker._targets)


Scene = list[list[Detection]]
coordinates = st.tuples(
    st.integers(0, 640), st.integers(0, 360), st.integers(10, 120), st.floats(0.05, 1, allow_nan=False)
)
scenes = st.lists(st.lists(coordinates, max_size=6), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(scenes, st.randoms(use_true_random=False))
def test_order_of_detections_does_not_matter_and_ids_differ(
    scene: list[list[tuple[int, int, int, float]]], random: np.random.Generator
) -> None:
    first, second = Tracker(), Tracker()
    for i, places in enumerate(scene):
        faces = [face(*place) for place in places]
        tracks = first.update(faces, i / RATE)
        shuffled = list(faces)
        random.shuffle(shuffled)
        others = second.update(shuffled, i / RATE)
        assert ids(tracks) == sorted(set(ids(tracks)))
        assert ids(tracks) == ids(others)
        assert all(np.array_equal(a.box, b.box) for a, b in zip(tracks, others, strict=True))
        boxes = {tuple(map(float, detection.box)) for detection in faces}
        assert {tuple(track.box.tolist()) for track in tracks} <= boxes
        assert len(tracks) <= len(faces)


@pytest.mark.parametrize(("every", "switches", "recall"), [(1, 2, 0.85), (3, 5, 0.8)])
def test_walks_with_misses_and_false_alarms_give_few_switches(
    every: int, switches: int, recall: float
) -> None:
    """Five people on crossing paths, at up to six times their width per second, for 30 seconds."""
    rng = np.random.default_rng(0)
    phase, height = rng.uniform(0, 6, 5), np.array([100, 220, 340, 460, 580])
    tracker, known = Tracker(), dict.fromkeys(range(5), 0)
    shown = found = changed = 0
    steps = range(0, 750, every)
    for i in steps:
        time = i / RATE
        x, y = 640 + 400 * np.sin(0.8 * time + phase), height + 50 * np.sin(1.3 * time + 2 * phase)
        here = [k for k in range(5) if rng.random() > 0.1]
        faces = [
            face(x[k] + rng.normal(0, 2), y[k] + rng.normal(0, 2), 70, rng.uniform(0.3, 1)) for k in here
        ]
        faces += [face(rng.uniform(50, 1000), rng.uniform(50, 600), 40, 0.7) for _ in range(rng.poisson(0.2))]
        for track in tracker.update(faces, time):
            distance = np.hypot(*(np.stack([x, y]) - center(track)[:, None]))
            person = int(distance.argmin())
            shown += 1
            if distance[person] < 25:
                found += 1
                changed += known[person] not in (0, track.id)
                known[person] = track.id
    assert changed <= switches, (changed, found / 5 / len(steps), shown)
    assert found > recall * 5 * len(steps), (changed, found / 5 / len(steps), shown)
    assert shown - found < 0.01 * shown


@pytest.mark.parametrize("time", [1.0, 0.5])
def test_times_must_rise(time: float) -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], 1.0)
    for detections in (None, [face(100, 100)]):
        with pytest.raises(ValueError, match="Times must rise"):
            tracker.update(detections, time)


@pytest.mark.parametrize(
    "wrong",
    [{"low_score": 0.7}, {"high_score": 1.1}, {"lost_seconds": -1.0}, {"grow": -0.1}, {"low_score": -0.1}],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="low_score"):
        Tracker(**wrong)  # type: ignore[arg-type]
