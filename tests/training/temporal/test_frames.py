"""Who trains which stage, and whole videos in order with the labels that may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.frames import load_frames
from halfsmile.data.manifest import Manifest
from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers.sequences import Sequences
from halfsmile.data.sets import read_data
from halfsmile.recipes import temporal
from halfsmile.recipes.config import Recipe
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.data import load_roles
from halfsmile.training.temporal.frames import temporal_groups

MOODS = Taxonomy("moods", ("neutral", "glad", "sad"))
RECIPE = replace(temporal(), protocol=PROTOCOLS["sequences"])


def share(value: float, seed: int = 0) -> Recipe:
    assert RECIPE.temporal is not None
    return replace(RECIPE, seed=seed, temporal=replace(RECIPE.temporal, own_share=value))


def manifest(rows: Sequence[tuple[str | None, str | None]]) -> Manifest:
    """Rows of (person, label)."""
    made: list[dict[str, Any]] = [
        {"image": f"{i}.png", "person": person, "label": label, "video": "v", "split": "train"}
        for i, (person, label) in enumerate(rows)
    ]
    return Manifest.from_rows(made, Path("faces"), MOODS)


def test_all_people_train_stage_four_when_none_is_kept_for_it() -> None:
    rows = manifest([("ada", "glad"), ("ben", "sad"), (None, "sad"), ("ada", "neutral")])
    assert temporal_groups(share(0.0), rows) == {"ada", "ben"}


@given(
    labels=st.lists(st.sets(st.sampled_from(MOODS.labels), min_size=1), min_size=6, max_size=12),
    seed=st.integers(0, 20),
)
@settings(max_examples=40, deadline=None)
def test_no_class_is_taken_from_the_stages_before(labels: list[set[str]], seed: int) -> None:
    rows = [(f"{i}", label) for i, own in enumerate(labels) for label in sorted(own) for _ in range(5)]
    try:
        people = temporal_groups(share(0.4, seed), manifest(rows))
    except ValueError as error:
        assert "can't be divided" in str(error)  # noqa: PT017
        return
    assert people == temporal_groups(share(0.4, seed), manifest(rows))
    assert 0 < len(people) < len(labels)
    assert {label for _, label in rows} == {label for person, label in rows if person not in people}


def test_about_the_share_of_every_class_is_kept() -> None:
    rows = [(f"{i}", label) for i in range(50) for label in ("neutral", "neutral", MOODS.labels[1 + i % 2])]
    people = temporal_groups(share(0.4), manifest(rows))
    for label in MOODS.labels:
        own = [person for person, name in rows if name == label]
        assert sum(person in people for person in own) / len(own) == pytest.approx(0.4, abs=0.05)


def test_one_person_can_t_be_divided_and_a_group_is_needed() -> None:
    rows = manifest([("ada", "glad"), ("ada", "sad"), ("ada", "neutral")])
    with pytest.raises(ValueError, match=r"1 \(person\) can't be divided: 40%"):
        temporal_groups(share(0.4), rows)
    with pytest.raises(ValueError, match="needs a group"):
        temporal_groups(replace(RECIPE, protocol=replace(PROTOCOLS["sequences"], group=None)), rows)


def test_frames_are_sorted_and_missing_pictures_keep_their_time(tmp_path: Path) -> None:
    for name in (0, 2, 3):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((8, 8), 10 * name, np.uint8))
    rows = replace(manifest([("ada", "glad"), ("ada", None), ("ben", None), ("ada", "sad")]), root=tmp_path)
    times = np.array([0.2, 0.1, 0.0, 0.0])
    table = Sequences(rows, times, np.full(4, np.nan, np.float32), np.zeros(4, np.bool_))
    found = load_frames(table, np.array([1, -1, -1, -1]), size=8, channels=1, cache=tmp_path)
    assert found.present.tolist() == [True, False, True, True]
    assert [track.rows.tolist() for track in found.tracks] == [[3, 1, 0], [2]]
    assert found.counts() == {"neutral": 0, "glad": 1, "sad": 0}
    spread = found.spread(np.array([[0.0], [2.0], [3.0]], np.float32))
    np.testing.assert_array_equal(spread[:, 0], [0, np.nan, 2, 3])
    assert any("1 of 2 videos have no labeled frame" in note for note in found.notes)
    assert any("sorted by time" in note for note in found.notes)


def test_stage_four_of_single_faces_is_refused(generated_data: Path, tmp_path: Path) -> None:
    from halfsmile.data.split import LabelBudget

    recipe = replace(RECIPE, protocol=PROTOCOLS["faces"])
    sets = read_data(recipe.resolved_protocol, generated_data / "labeled")
    budget = LabelBudget.draw(sets.train, "all", seed=0)
    with pytest.raises(
        ValueError,
        match=r"needs frames of videos; this is faces of one's own\. Leave it out with --set",
    ):
        load_roles(recipe, sets, budget, cache=tmp_path)
