"""Lists of faces: in the order that is asked, and as things stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.label.conftest import COUNT, Opened, click, say

from halfsmile.label import views
from halfsmile.label.session import Labeling

Drawn = tuple[Path, list[str]]


def rows(labeling: Labeling, **asked: Any) -> list[int]:
    """A list page by page."""
    found: list[int] = []
    for offset in range(0, COUNT, 50):
        page = views.faces(labeling, offset=offset, limit=50, **asked)
        found += [int(face["id"]) for face in page["faces"]]
        assert page["total"] >= len(found)
    return found


def test_orders_are_those_of_every_face_by_itself(opened: Opened, drawn: Drawn) -> None:
    labeling = opened()
    labeling.learning.wait()
    click(labeling, drawn[1], 30)
    for row in (3, 50, 7):
        say(labeling, row, "neutral", "ann")
        say(labeling, row, "surprise", "ben")
    labeling.learning.wait()
    state, doubts = labeling.state, labeling.learning.doubts()

    def newest(row: int) -> int:
        return -max((answer.seq for answer in state.by_face.get(row, {}).values()), default=0)

    def doubt(row: int) -> float:
        return doubts[row][1] if row in doubts else 2.0

    everyone = range(COUNT)
    assert rows(labeling, sort="newest") == sorted(everyone, key=newest)
    assert rows(labeling, sort="doubt") == sorted(everyone, key=doubt)
    assert set(rows(labeling, sort="disagreement")[:3]) >= {3, 50, 7} - set(state.random_faces)
    assert rows(labeling, sort="newest", answered=True) == sorted(state.answered_faces, key=newest)
    probabilities = labeling.learning.probabilities()
    assert probabilities is not None
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    assert rows(labeling, sort="uncertainty")[0] == int(entropy.argmax())


def test_a_list_follows_the_answers(opened: Opened) -> None:
    labeling = opened(trains=False)
    assert rows(labeling, answered=False) == list(range(COUNT))
    say(labeling, 4, "neutral")
    assert len(rows(labeling, answered=False)) == COUNT - 1
    assert rows(labeling, label="neutral") == [4]
    assert rows(labeling, sort="newest")[0] == 4
    say(labeling, 9, "neutral")
    assert rows(labeling, label="neutral") == [4, 9]
    assert rows(labeling, sort="newest")[:2] == [9, 4]
    labeling.change_classes(rename=("neutral", "calm"))
    assert rows(labeling, label="calm") == [4, 9]
    labeling.undo()
    assert rows(labeling, label="calm") == [4]
