"""Predictions frame by frame: they come back from the file, and all methods are scored on the same frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.runs.frame_predictions import (
    METHODS,
    FramePredictions,
    fill,
    read_frame_predictions,
    write_frame_predictions,
)
from halfsmile.taxonomy import FERPLUS, Taxonomy

TWO = Taxonomy("custom", ("neutral", "smile"))
SAY = {0: [0.9, 0.1], 1: [0.2, 0.8], None: [np.nan, np.nan]}


def predictions(taxonomy: Taxonomy = TWO) -> FramePredictions:
    """Two videos: neutral to smile, one frame without a face; and one frame without a label."""
    said: dict[str, list[int | None]] = {
        "per_frame": [0, 1, None, 1, 1],
        "smoothed": [0, 0, 1, 1, 1],
        "temporal": [0, 0, 1, 1, 0],
    }
    return FramePredictions(
        images=tuple("abcde"),
        videos=("v", "v", "v", "v", None),
        people=("ada", "ada", "ada", "ada", None),
        times=np.array([0.0, 0.04, 0.08, 0.12, 0.0]),
        targets=np.array([0, 0, 1, 1, -1]),
        spoiled=np.array([False, True, False, False, False]),
        faces=np.array([True, True, False, True, True]),
        probabilities={
            name: np.array([SAY[value] for value in values], np.float32) for name, values in said.items()
        },
        taxonomy=taxonomy,
    )


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    before = predictions()
    write_frame_predictions(tmp_path / "frames.parquet", before)
    after = read_frame_predictions(tmp_path / "frames.parquet")
    assert after.taxonomy == TWO
    assert (after.images, after.videos, after.people) == (before.images, before.videos, before.people)
    for name in ("times", "targets", "spoiled", "faces"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for method in METHODS:
        np.testing.assert_array_equal(after.probabilities[method], before.probabilities[method])
    rows = pq.read_table(tmp_path / "frames.parquet").to_pylist()
    assert rows[2]["per_frame"] is None
    assert rows[4]["label"] is None
    assert rows[0]["temporal"] == pytest.approx([0.9, 0.1])


def test_tracks_are_stretches_of_one_person_in_one_video() -> None:
    assert predictions().tracks() == [slice(0, 4), slice(4, 5)]


def test_all_methods_are_scored_on_the_frames_with_face_and_label() -> None:
    found = predictions()
    scores = found.scores()
    kept = found.faces & (found.targets >= 0)
    for method in METHODS:
        expected = evaluate_predictions(found.probabilities[method][kept], found.targets[kept], TWO)
        assert scores[method].frames == 3
        assert scores[method].accuracy == pytest.approx(expected.accuracy)
        assert scores[method].macro_f1 == pytest.approx(expected.macro_f1)
        assert scores[method].spoiled_frames == 1
    assert scores["per_frame"].accuracy == pytest.approx(2 / 3)
    assert scores["per_frame"].onset_error == 1
    assert scores["temporal"].onset_error == 0


def test_without_a_neutral_class_there_are_no_onsets() -> None:
    scores = predictions(Taxonomy("custom", ("calm", "smile"))).scores()["temporal"]
    assert np.isnan(scores.onset_error)
    assert (scores.onsets, scores.onsets_missed) == (0, 0)


def test_gaps_are_interpolated_and_ends_held() -> None:
    gap = [np.nan, np.nan]
    rows = np.array([gap, [1.0, 0.0], gap, [0.0, 1.0], gap])
    times = np.array([0.0, 1.0, 2.0, 5.0, 6.0])
    np.testing.assert_allclose(fill(rows, times)[:, 0], [1, 1, 0.75, 0, 0])
    np.testing.assert_allclose(fill(rows, times).sum(axis=1), 1)
    np.testing.assert_allclose(fill(rows[:1], times[:1]), [[0.5, 0.5]])
    assert np.isnan(rows[0, 0])


@pytest.mark.parametrize("damage", ["missing", "text", "no metadata", "other label"])
def test_broken_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "frames.parquet"
    write_frame_predictions(path, predictions())
    if damage == "missing":
        path.unlink()
    elif damage == "text":
        path.write_text("no table")
    elif damage == "no metadata":
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    else:
        table = pq.read_table(path)
        labels = pa.array(["rage"] * len(table))
        pq.write_table(table.set_column(table.schema.get_field_index("label"), "label", labels), path)
    with pytest.raises(ValueError, match=r"frames\.parquet holds no readable predictions"):
        read_frame_predictions(path)


def test_imports_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['matplotlib'] = None\n"
        "import halfsmile.runs.frame_predictions, halfsmile.report.sequences"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_taxonomy_keeps_its_name(tmp_path: Path) -> None:
    found = predictions()
    wide = {m: np.full((5, 8), 1 / 8, np.float32) for m in METHODS}
    whole = FramePredictions(
        found.images, found.videos, found.people, found.times, found.targets, found.spoiled, found.faces,
        wide, FERPLUS,
    )  # fmt: skip
    write_frame_predictions(tmp_path / "frames.parquet", whole)
    assert read_frame_predictions(tmp_path / "frames.parquet").taxonomy == FERPLUS
