from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from tests.predict.tables.test_columns import FACE

from halfsmile.predict.face import NoFace
from halfsmile.predict.summary import PredictSummary


def rendered(summary: PredictSummary) -> str:
    text = io.StringIO()
    summary.render(Console(file=text, width=80))
    return text.getvalue()


def test_faces_are_counted_by_expression() -> None:
    summary = PredictSummary(pictures=2)
    summary.count([FACE, replace(FACE, expression="calm", uncertain=True)])
    summary.count([replace(FACE, uncertain=True), NoFace(source="a")])
    assert summary.expressions == {"joy": 2, "calm": 1}
    assert (summary.faces, summary.uncertain) == (3, 2)
    shown = rendered(summary)
    assert "2 pictures in 0.0 s: 3 faces, 2 of them uncertain." in shown
    assert [line.split() for line in shown.splitlines()[1:3]] == [["joy", "2", "67%"], ["calm", "1", "33%"]]


def test_the_detector_is_named_and_unknown_certainty_is_told() -> None:
    summary = PredictSummary(pictures=1, detector="YuNet")
    assert "0 faces." in rendered(summary)
    summary.count([replace(FACE, uncertain=None), replace(FACE, uncertain=None)])
    shown = rendered(summary)
    assert "1 picture in 0.0 s: 2 faces found by YuNet." in shown
    assert "uncertain" not in shown
    assert "Certainty unknown: the model was not calibrated. --threshold" in shown
    summary.count([replace(FACE, uncertain=True)])
    assert "3 faces found by YuNet, 1 of them uncertain." in rendered(summary)


def test_failures_are_told_by_reason_with_an_example() -> None:
    summary = PredictSummary(videos=1, frames=1000, people=1, without_face=1, skipped=3)
    summary.failures += [("[a].jpg", "empty"), ("b.jpg", "empty"), ("c.mp4", "no video")]
    summary.ignored = (("d.txt", "no picture"), ("e.nef", "raw"), ("f.txt", "no picture"))
    summary.written.append(Path("out.csv"))
    shown = rendered(summary)
    for line in (
        "1 video (1,000 frames) in 0.0 s: 0 faces; 1 person in videos.",
        "3 sources had been done before.",
        "1 source without a face.",
        "3 sources could not be read:",
        "  2 × empty (first: [a].jpg)",
        "  1 × no video (first: c.mp4)",
        "3 files ignored, first d.txt (no picture).",
        "  1 × raw",
        "Written: out.csv",
    ):
        assert line in shown.splitlines()
