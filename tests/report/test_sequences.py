"""The report's section on videos: scores from the stored file, strips that say what the file says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfsmile.report.report import write_report
from halfsmile.report.sequences import MAX_FRAMES, SHOWN, sequences_section
from halfsmile.runs.finished import read_run
from halfsmile.runs.frame_predictions import METHODS, FramePredictions, write_frame_predictions
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.utils.colors import COLORS
from halfsmile.utils.files import read_json, write_json

MakeRun = Callable[..., Path]


def films(lengths: list[int], taxonomy: Taxonomy = FERPLUS) -> FramePredictions:
    """Videos that go from neutral to one expression in their middle; every method says the truth."""
    count = sum(lengths)
    targets = np.concatenate(
        [np.where(np.arange(n) < n // 2, 0, 1 + i % 7) for i, n in enumerate(lengths)]
    ).astype(np.int64)
    videos = tuple(f"<{i}>" for i, n in enumerate(lengths) for _ in range(n))
    truth = np.eye(len(taxonomy), dtype=np.float32)[targets]
    return FramePredictions(
        tuple(str(i) for i in range(count)),
        videos,
        videos,
        np.concatenate([np.arange(n) / 25 for n in lengths]),
        targets,
        np.zeros(count, np.bool_),
        np.ones(count, np.bool_),
        dict.fromkeys(METHODS, truth),
        taxonomy,
    )


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    """A run with a Stage IV, without its frames."""
    path = make_run("run", stages=["finetune", "temporal"])
    write_json(
        path / "temporal/result.json",
        {**read_json(path / "temporal/result.json"), "smoothing": {"kind": "median", "width": 0.25}},
    )
    return path


def section_of(run: Path, found: FramePredictions) -> str:
    write_frame_predictions(run / "temporal/frames.parquet", found)
    return str(sequences_section(read_run(run)))


def test_runs_without_frames_have_no_section(run: Path, make_run: MakeRun) -> None:
    assert sequences_section(read_run(run)) is None
    assert sequences_section(read_run(make_run("other"))) is None
    assert 'id="videos"' not in write_report(run).read_text()


def test_scores_and_smoothing_are_told(run: Path) -> None:
    text = section_of(run, films([20, 30]))
    assert "Smoothed (median, 0.25 s)" in text
    assert text.count("100.0 %") == len(METHODS)
    assert text.count("37.5 %") == len(METHODS)  # three of eight classes occur
    assert "50 labeled frames with a face in 2 videos, 0 of them" in text
    assert text.count("<td>–</td>") == 6
    assert "<0>" not in text
    assert "&lt;0&gt;" in text


def test_each_stretch_is_a_rectangle_in_the_color_of_its_label(run: Path) -> None:
    text = section_of(run, films([20]))
    rectangles = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="22" fill="(#\w+)"', text)
    assert len(rectangles) == 2 * (1 + len(METHODS))
    for (x, width, fill), (later, more, other) in zip(rectangles[::2], rectangles[1::2], strict=True):
        assert (fill, other) == (COLORS["neutral"], COLORS["happiness"])
        assert float(width) == float(more) == 405
        assert (float(x), float(later)) == (150, 555)


def test_silence_is_empty(run: Path) -> None:
    found = films([20])
    lost = {m: np.full_like(values, np.nan) for m, values in found.probabilities.items()}
    text = section_of(run, replace(found, probabilities=lost))
    assert text.count('fill="#') == 2 + 2  # the truth: two stretches and their names
    assert text.count('fill="var(--soft)"') == 4


def test_long_videos_are_cut_around_the_first_change_and_few_are_shown(run: Path) -> None:
    text = section_of(run, films([4 * MAX_FRAMES]))
    assert text.count("<svg") == 1
    assert f"{(2 * MAX_FRAMES - MAX_FRAMES // 4) / 25:.2f} s" in text
    assert f"{(3 * MAX_FRAMES - MAX_FRAMES // 4 - 1) / 25:.2f} s" in text
    assert section_of(run, films([8] * 20)).count("<svg") == SHOWN


def test_every_expression_is_shown_before_one_is_shown_twice(run: Path) -> None:
    lengths = [8] * 16
    text = section_of(run, films(lengths))
    shown = set(re.findall(r"<title>(\w+)</title>", text))
    assert len(shown) == SHOWN + 1


def test_other_classes_are_refused(run: Path) -> None:
    other = Taxonomy("custom", FERPLUS.labels[::-1])
    write_frame_predictions(run / "temporal/frames.parquet", films([8], other))
    with pytest.raises(ValueError, match="Taxonomies do not match"):
        sequences_section(read_run(run))


def test_the_report_names_the_labels_of_stage_four(run: Path) -> None:
    data = read_json(run / "data.json")
    write_json(run / "data.json", {**data, "temporal": {"neutral": 30, "fear": 20}})
    write_frame_predictions(run / "temporal/frames.parquet", films([8]))
    text = write_report(run).read_text()
    total = sum(data["labeled"].values()) + 50
    assert f"{total:,} labels train the model (50 of them Stage IV alone)" in text
    assert "the intervals are too narrow" in text
