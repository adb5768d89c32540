from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.cross_tool_table import (
    EIGHT,
    FER2013,
    NAMES,
    SEVEN,
    Known,
    confusion,
    crop_tables,
    fer2013_labels,
    in_taxonomy,
    is_order_right,
    known_faces,
    match,
    photo_tables,
)
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

FER = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
FACE_API = ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"]


def answers(truth: list[str], names: list[str], seed: int = 0) -> list[list[float]]:
    """Probabilities of a classifier with these output names, right about two times in three."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(len(names)), len(truth))
    own = {NAMES[name]: column for column, name in enumerate(names)}
    for row, label in zip(rows, truth, strict=True):
        if label in own and rng.random() < 0.66:
            row[own[label]] += 1
    return [list(map(float, row)) for row in rows / rows.sum(axis=1, keepdims=True)]


@pytest.fixture
def truth() -> list[str]:
    return [str(label) for label in np.random.default_rng(1).choice(EIGHT.labels, 400)]


@pytest.mark.parametrize("names", [FER, FACE_API, list(EIGHT.labels)])
def test_every_tools_names_cover_the_shared_classes_once(names: list[str]) -> None:
    meanings = [NAMES[name] for name in names]
    assert len(set(meanings)) == len(names)
    assert set(meanings) - {"contempt"} == set(SEVEN.labels)


def test_order_of_fer2013_is_that_of_the_tool_trained_on_it() -> None:
    assert [NAMES[name] for name in FER] == list(FER2013)


@given(st.permutations(FACE_API))
def test_scores_do_not_depend_on_the_order_of_a_tools_outputs(order: list[str]) -> None:
    scores = np.arange(14, dtype=np.float64).reshape(2, 7)
    mixed = scores[:, [FACE_API.index(name) for name in order]]
    assert (in_taxonomy(mixed, order, EIGHT) == in_taxonomy(scores, FACE_API, EIGHT)).all()
    assert in_taxonomy(mixed, order, EIGHT)[0, EIGHT.index("contempt")] == 0


@pytest.mark.parametrize(
    "names", [["happy", "happiness"], ["happy", "bored"], ["happy"]], ids=["twice", "unknown", "too few"]
)
def test_names_that_do_not_fit_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="expected different names"):
        in_taxonomy(np.ones((1, 2)), names, SEVEN)


def test_contempt_is_left_out_of_seven_classes_as_truth_and_as_answer() -> None:
    names = list(EIGHT.labels)
    sure = np.full((2, 8), 0.01)
    sure[:, EIGHT.index("contempt")] = 0.6
    sure[0, EIGHT.index("anger")] = 0.3
    counts = confusion(sure, names, ["anger", "contempt"], SEVEN)
    assert counts.sum() == 1
    assert counts[SEVEN.index("anger"), SEVEN.index("anger")] == 1
    assert confusion(sure, names, ["anger", "contempt"], EIGHT).sum() == 2


def test_images_without_a_truth_do_not_count() -> None:
    counts = confusion(np.ones((3, 7)), FER, [None, "fear", None], SEVEN)
    assert counts.sum() == 1


def test_a_wrong_order_of_labels_is_noticed(truth: list[str]) -> None:
    found = np.array(answers(truth, FER))
    assert is_order_right(confusion(found, FER, truth, SEVEN))
    assert not is_order_right(confusion(found, [FER[1], FER[0], *FER[2:]], truth, SEVEN))


def test_scores_of_the_table_are_scikit_learns(truth: list[str]) -> None:
    found = answers(truth, FACE_API)
    rates = {"single_rate": 12.4, "batched_rate": 99.6, "peak_bytes": 3e8, "install_bytes": 7.8e9}
    rows = [("other", {"labels": FACE_API, "probabilities": found, **rates}), ("absent", "not installed")]
    table, recalls = crop_tables(rows, truth, [None] * len(truth))
    cells = [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]]
    said = [NAMES[FACE_API[int(np.argmax(row))]] for row in found]
    assert cells[4] == f"{100 * accuracy_score(truth, said):.1f}"
    assert cells[5] == f"{100 * balanced_accuracy_score(truth, said):.1f}"
    assert cells[6] == f"{100 * f1_score(truth, said, average='macro', labels=EIGHT.labels):.1f}"
    kept = [row for row, label in enumerate(truth) if label != "contempt"]
    seven = accuracy_score([truth[row] for row in kept], [said[row] for row in kept])
    assert cells[1] == f"{100 * seven:.1f}"
    assert cells[7:] == ["–", "12", "100", "300 MB", "7.80 GB"]
    assert "not installed" in table.splitlines()[3]
    assert len(recalls.splitlines()) == 3


def test_a_warning_stands_below_the_table_where_another_order_fits_better(truth: list[str]) -> None:
    swapped = [FER[1], FER[0], *FER[2:]]
    result = {"labels": swapped, "probabilities": answers(truth, FER)}
    result |= dict.fromkeys(("single_rate", "batched_rate", "peak_bytes", "install_bytes"), 1.0)
    assert "another order" in crop_tables([("fer", result)], truth, [None] * len(truth))[-1]


HEADS = [Known("a.jpg", (0, 0, 100, 100), "neutral"), Known("a.jpg", (100, 0, 200, 100), "happiness")]


def test_boxes_are_matched_by_center_and_width() -> None:
    right, left = (110.0, 10.0, 190.0, 90.0), (10.0, 10.0, 90.0, 90.0)
    assert match(HEADS, [right, left]) == [1, 0]
    assert match(HEADS, [right]) == [None, 0]
    assert match(HEADS, []) == [None, None]
    assert match(HEADS, [(45, 45, 55, 55), (0, 200, 80, 280), (-150, 0, 240, 100)]) == [None, None]


def test_of_two_boxes_on_one_face_the_one_nearest_in_width_counts() -> None:
    assert match(HEADS[:1], [(20, 20, 80, 80), (2, 2, 98, 98)]) == [1]


def test_photo_table_counts_missed_extra_and_right() -> None:
    def face(box: tuple[float, ...], name: str) -> dict[str, Any]:
        return {"box": box, "probabilities": [0.9 if name == other else 0.01 for other in FER]}

    known = [*HEADS, Known("b.jpg", (0, 0, 50, 50))]
    photos = [
        [face((10, 10, 90, 90), "neutral"), face((20, 300, 90, 390), "sad")],
        [face((5, 5, 45, 45), "angry")],
    ]
    result = {"labels": FER, "photos": photos, "rate": 4.0, "first_seconds": 0.5, "peak_bytes": 1e8}
    summary, beside = photo_tables([("fer", result), ("absent", "not installed")], known)
    cells = [cell.strip() for cell in summary.splitlines()[2].split("|")[1:-1]]
    assert cells == ["fer", "2 of 3", "1", "1", "1 of 2", "4.0", "4.0", "0.5", "100 MB"]
    assert [line.split("|")[2].strip() for line in beside.splitlines()[2:]] == [
        "neutral 0.90",
        "missed",
        "anger 0.90",
    ]


def test_fer2013_labels_follow_the_row_number(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n3,0 0,Training\n-1,0 0,Training\n0,1,x\n")
    locators = ["fer2013.csv#2", "fer2013.csv#1", "fer2013.csv#0"]
    assert fer2013_labels(tmp_path, locators) == ["anger", None, "happiness"]
    assert fer2013_labels(tmp_path / "png", locators) == [None] * 3


def test_known_faces_of_the_demo_photographs(real_data: Path) -> None:
    known = known_faces(real_data / "demo")
    assert len(known) == 22
    assert sum(face.label is not None for face in known) == 18
    assert {face.label for face in known} == {None, *EIGHT.labels[:2]}
    assert all((real_data / "demo" / face.photo).is_file() for face in known)
