"""A class for every frame of the test set, with or without a face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.evaluation.abaw.submission import HEADER, check_submission
from halfsmile.evaluation.abaw.submit import fill_classes, submit
from halfsmile.runs.predictions import LABELS_KEY, write_predictions
from halfsmile.sequences.smoothing import Smoothing
from halfsmile.taxonomy import AFFWILD2, FERPLUS


def name(frame: int, video: str = "video5_left") -> str:
    return f"{video}/{frame:05d}.jpg"


def one_hot(**classes: int) -> dict[str, np.ndarray]:
    """Rows of ``f<frame>=class``."""
    return {name(int(frame[1:])): np.eye(8)[k] for frame, k in classes.items()}


def test_frames_without_a_face_take_the_nearest_of_their_video() -> None:
    expected = [name(frame) for frame in range(1, 8)]
    filled = fill_classes(expected, one_hot(f2=3, f5=1, f6=4))
    assert list(filled.classes) == expected
    # Frame 4 is next to 5; 3 is next to 2; 1 and 7 have one side only.
    assert list(filled.classes.values()) == [3, 3, 3, 1, 1, 4, 4]
    assert (filled.nearest, filled.neutral) == (4, 0)


def test_of_two_equally_near_frames_the_earlier_one_counts() -> None:
    assert fill_classes([name(2)], one_hot(f1=6, f3=5)).classes == {name(2): 6}


def test_other_videos_give_nothing_and_videos_without_any_face_are_neutral() -> None:
    filled = fill_classes([name(1), name(1, "dark"), name(2, "dark")], one_hot(f1=6))
    assert filled.classes == {name(1): 6, name(1, "dark"): 0, name(2, "dark"): 0}
    assert filled.neutral == 2


def test_a_video_whose_results_are_all_empty_is_neutral() -> None:
    rows = {name(1): np.full(8, np.nan), name(1, "video6"): np.eye(8)[3]}
    filled = fill_classes([name(1), name(2), name(1, "video6")], rows)
    assert (filled.neutral, filled.nearest) == (2, 0)
    assert filled.classes[name(2)] == AFFWILD2.index("neutral")


def test_smoothing_works_in_seconds_on_all_frames_that_are_there() -> None:
    rows = one_hot(**{f"f{frame}": 4 if frame == 6 else 2 for frame in range(1, 12)})
    expected = [name(frame) for frame in range(5, 8)]
    smoothing = Smoothing("average", width=0.4)
    plain = fill_classes(expected, rows)
    slow = fill_classes(expected, rows, smoothing=smoothing, frames_per_second=10)
    fast = fill_classes(expected, rows, smoothing=smoothing, frames_per_second=2)
    assert list(plain.classes.values()) == list(fast.classes.values()) == [2, 4, 2]
    assert list(slow.classes.values()) == [2, 2, 2]


def test_short_gaps_are_filled_by_interpolation_and_long_ones_by_the_nearest_frame() -> None:
    rows = one_hot(f1=0, f11=1, f111=2)
    rows[name(1)] = np.eye(8)[0] * 0.6 + np.eye(8)[5] * 0.4
    rows[name(11)] = np.eye(8)[1] * 0.6 + np.eye(8)[5] * 0.4
    smoothing = Smoothing("none", max_gap=0.5)
    filled = fill_classes([name(6), name(60), name(62)], rows, smoothing=smoothing)
    # Half way between 0 and 1, both have 0.3, and 5 keeps its 0.4.
    assert filled.classes == {name(6): 5, name(60): 1, name(62): 2}
    assert filled.nearest == 2


def example(tmp_path: Path) -> Path:
    path = tmp_path / "example.txt"
    frames = [name(frame) for frame in range(1, 6)] + [name(1, "dark")]
    path.write_text("\n".join([f"{HEADER}", *(f"{frame},0" for frame in frames)]))
    return path


def test_from_a_file_of_predictions_to_a_valid_submission(tmp_path: Path) -> None:
    images = [f"cropped_aligned/{name(frame)}" for frame in (1, 3, 4)]
    probabilities = np.eye(8)[[1, 4, 4]]
    write_predictions(
        tmp_path / "p.parquet", images, ["test"] * 3, np.zeros(3, np.int64), probabilities, AFFWILD2
    )
    filled = submit(tmp_path / "p.parquet", example(tmp_path), tmp_path / "out.txt")
    assert (filled.nearest, filled.neutral) == (2, 1)
    assert check_submission(tmp_path / "out.txt", filled.classes).is_valid
    assert [line[-1] for line in (tmp_path / "out.txt").read_text().splitlines()[1:]] == list("114440")


def unlabeled(path: Path, images: list[str], probabilities: np.ndarray, labels: tuple[str, ...]) -> Path:
    table = pa.table({"image": images, "probabilities": probabilities.tolist()})
    pq.write_table(table.replace_schema_metadata({LABELS_KEY: json.dumps(labels)}), path)
    return path


def test_predictions_need_no_labels_but_the_right_classes_and_each_frame_once(tmp_path: Path) -> None:
    path, frames, out = tmp_path / "p.parquet", example(tmp_path), tmp_path / "out.txt"
    submit(unlabeled(path, [name(1)], np.eye(8)[:1], AFFWILD2.labels), frames, out)
    assert out.is_file()
    with pytest.raises(ValueError, match=r"Taxonomies do not match: 'affwild2'.*'ferplus'"):
        submit(unlabeled(path, [name(1)], np.eye(8)[:1], FERPLUS.labels), frames, out)
    twice = [f"cropped_aligned/{name(1)}", f"other/{name(1)}"]
    with pytest.raises(ValueError, match="1 frames appear more than once"):
        submit(unlabeled(path, twice, np.eye(8)[:2], AFFWILD2.labels), frames, out)
    with pytest.raises(ValueError, match="holds no predictions"):
        submit(frames, frames, out)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="None of the 1 expected videos"):
        fill_classes([name(1, "other")], one_hot(f1=1))
    with pytest.raises(ValueError, match="expected 8 probabilities per frame"):
        fill_classes([name(1)], {name(1): np.array([0.5, 0.5])})
    with pytest.raises(ValueError, match="softmax"):
        fill_classes([name(1)], {name(1): np.full(8, 0.5)})
    with pytest.raises(ValueError, match="Expected <video>"):
        fill_classes([name(1)], {"00001.jpg": np.eye(8)[0]})
