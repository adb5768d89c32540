"""Splits and folds: shares, classes, whole people, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.folds import draw_folds, draw_splits, of_fold
from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import Taxonomy

THREE = Taxonomy("three", ("a", "b", "c"))


def faces(counts: dict[str | None, int], *, people: int | None = None, **more: Any) -> Manifest:
    labels = [label for label, count in counts.items() for _ in range(count)]
    rows = [
        {"image": f"{i}.png", "label": label, "person": None if people is None else str(i % people), **more}
        for i, label in enumerate(labels)
    ]
    return Manifest.from_rows(rows, Path("root"), THREE)


def counted(manifest: Manifest) -> Counter[tuple[str | None, str | None]]:
    return Counter(zip(manifest.column("split"), manifest.column("label"), strict=True))


def test_shares_of_every_class_are_exact() -> None:
    drawn = draw_splits(faces({"a": 100, "b": 10, "c": 5, None: 7}), test=0.2, valid=0.1)
    found = counted(drawn)
    assert [found["test", label] for label in "abc"] == [20, 2, 1]
    assert [found["valid", label] for label in "abc"] == [10, 1, 1]
    assert [found["train", label] for label in "abc"] == [70, 7, 3]
    assert found["train", None] == 7
    assert drawn.notes[-1] == "Splits drawn row by row with seed 0: 20 % test, 10 % valid."


def test_the_seed_decides() -> None:
    manifest = faces({"a": 50, "b": 50, "c": 50})
    first, same, other = (draw_splits(manifest, test=0.2, seed=seed).column("split") for seed in (1, 1, 2))
    assert first == same != other


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 40), st.integers(0, 5), st.floats(0.1, 0.4))
def test_a_person_is_in_one_split(people: int, seed: int, test: float) -> None:
    manifest = faces({"a": 150, "b": 150, "c": 150}, people=people)
    drawn = draw_splits(manifest, test=test, seed=seed, by="person")
    of_person: dict[str, set[str]] = {}
    for person, split in zip(drawn.column("person"), drawn.column("split"), strict=True):
        of_person.setdefault(person, set()).add(split)
    assert all(len(splits) == 1 for splits in of_person.values())
    tested = drawn.column("split").count("test") / len(drawn)
    assert abs(tested - test) <= 1.5 / people + 0.02


def test_equal_pixels_stay_together() -> None:
    manifest = faces({"a": 40, "b": 40, "c": 40}, sha256="x")
    rows = [{**row, "sha256": f"h{i // 2}"} for i, row in enumerate(manifest.table.to_pylist())]
    drawn = draw_splits(Manifest.from_rows(rows, Path("root"), THREE), test=0.3)
    splits = drawn.column("split")
    assert splits[::2] == splits[1::2]


def test_a_training_split_is_divided_and_others_are_kept() -> None:
    rows = faces({"a": 20, "b": 20, "c": 20}, split="train").table.to_pylist()
    rows += faces({"a": 5, "b": 5, "c": 5}, split="valid").table.to_pylist()
    manifest = Manifest.from_rows(rows, Path("root"), THREE)
    found = counted(draw_splits(manifest, test=0.25))
    assert [found[split, "a"] for split in ("train", "valid", "test")] == [15, 5, 5]
    with pytest.raises(ValueError, match=r"a valid split of 15 rows already\. To draw anew: --again"):
        draw_splits(manifest, test=0.25, valid=0.1)
    assert counted(draw_splits(manifest, test=0.2, valid=0.2, again=True))["valid", "a"] == 5


@pytest.mark.parametrize("by", [None, "person"])
def test_classes_without_a_row_take_no_part(by: Literal["person"] | None) -> None:
    drawn = draw_splits(faces({"a": 40, "b": 40}, people=10), test=0.2, by=by)
    found = counted(drawn)
    assert found["test", "a"] == found["test", "b"] == 8
    assert drawn.taxonomy == THREE
    assert set(draw_folds(faces({"a": 40, "b": 40}, people=10), 5, by=by).tolist()) == set(range(5))
    elsewhere = [*faces({"a": 9, "b": 9}).table.to_pylist(), {"image": "x", "label": "c", "split": "valid"}]
    with pytest.raises(ValueError, match="No row of c would be left for the test split"):
        draw_splits(Manifest.from_rows(elsewhere, Path("root"), THREE), test=0.2)


def test_a_validation_split_alone_is_divided() -> None:
    rows = faces({"a": 20, "b": 20, "c": 20}, split="valid").table.to_pylist()
    rows.append({"image": "unlabeled.png"})
    found = counted(draw_splits(Manifest.from_rows(rows, Path("root"), THREE), test=0.25))
    assert [found[split, "a"] for split in ("train", "valid", "test")] == [15, 0, 5]


def test_folds_have_every_row_once_and_each_class_evenly() -> None:
    manifest = faces({"a": 50, "b": 23, "c": 5, None: 4})
    folds = draw_folds(manifest, 5, seed=3)
    assert (folds[-4:] == -1).all()
    for label, low, high in (("a", 10, 10), ("b", 4, 5), ("c", 1, 1)):
        rows = [row for row, name in enumerate(manifest.column("label")) if name == label]
        assert all(low <= count <= high for count in np.bincount(folds[rows], minlength=5))
    fold = of_fold(manifest, folds, 2)
    assert [i for i, split in enumerate(fold.column("split")) if split == "test"] == np.flatnonzero(
        folds == 2
    ).tolist()
    assert fold.column("split")[-4:] == ["train"] * 4
    assert np.array_equal(folds, draw_folds(manifest, 5, seed=3))


def test_folds_by_person() -> None:
    manifest = faces({"a": 60, "b": 60, "c": 60}, people=12)
    folds = draw_folds(manifest, 4, by="person")
    of_person = {
        (person, fold) for person, fold in zip(manifest.column("person"), folds.tolist(), strict=True)
    }
    assert len(of_person) == 12
    assert sorted(np.bincount(folds)) == [45] * 4


@pytest.mark.parametrize(
    ("counts", "options", "reason"),
    [
        ({"a": 5, "b": 5, "c": 5}, {"test": 0.0}, "lie between 0 and 1"),
        ({"a": 5, "b": 5, "c": 5}, {"test": 0.6, "valid": 0.4}, "leave some rows"),
        ({"a": 5, "b": 5, "c": 1}, {"test": 0.2}, "No row of c would be left for the test split"),
        (
            {"a": 5, "b": 5, "c": 2},
            {"test": 0.2, "valid": 0.2},
            "No row of c would be left for the train split",
        ),
        ({"a": 5, "b": 5, "c": 5}, {"test": 0.2, "by": "person"}, "says its person: draw without --by"),
    ],
)
def test_what_can_not_be_drawn_is_told(
    counts: dict[str | None, int], options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        draw_splits(faces(counts), **options)


def test_what_gives_no_folds_is_told() -> None:
    with pytest.raises(ValueError, match="at least 2 folds, found 1"):
        draw_folds(faces({"a": 5, "b": 5, "c": 5}), 1)
    with pytest.raises(ValueError, match="classes c have too few rows for 3 folds"):
        draw_folds(faces({"a": 5, "b": 5, "c": 1}), 3)
    with pytest.raises(ValueError, match="has no labels"):
        draw_folds(Manifest.from_rows([{"image": "a"}], Path("root")), 2)


def test_several_faces_of_a_picture_stay_together() -> None:
    rows = faces({"a": 40, "b": 40, "c": 40}).table.to_pylist()
    rows = [{**row, "image": f"{i // 3}.png", "box": [i % 3, 0, 9, 9]} for i, row in enumerate(rows)]
    manifest = Manifest.from_rows(rows, Path("root"), THREE)
    splits = draw_splits(manifest, test=0.3).column("split")
    assert splits[::3] == splits[1::3] == splits[2::3]
    assert set(splits) == {"train", "test"}
    folds = draw_folds(manifest, 4)
    np.testing.assert_array_equal(folds[::3], folds[2::3])


def test_unlabeled_rows_are_in_the_fold_of_their_person_or_picture() -> None:
    rows = faces({"a": 40, "b": 40, "c": 40}, people=12).table.to_pylist()
    unlabeled = [
        {"image": f"more {i}.png", "person": str(i)} for i in range(14)
    ]  # two people without a label
    manifest = Manifest.from_rows([*rows, *unlabeled], Path("root"), THREE)
    folds = draw_folds(manifest, 4, by="person")
    assert folds[-14:-2].tolist() == folds[:12].tolist()
    assert folds[-2:].tolist() == [-1, -1]
    pictures = [{"image": row["image"], "box": [9, 9, 9, 9]} for row in rows]
    folds = draw_folds(Manifest.from_rows([*rows, *pictures], Path("root"), THREE), 4)
    assert folds[: len(rows)].tolist() == folds[len(rows) :].tolist()


def test_a_face_without_a_person_goes_with_the_person_of_its_picture() -> None:
    rows = faces({"a": 60, "b": 60, "c": 60}).table.to_pylist()
    rows = [
        {**row, "image": f"{i // 2}.png", "box": [i % 2, 0, 9, 9], "person": None if i % 2 else str(i % 20)}
        for i, row in enumerate(rows)
    ]
    manifest = Manifest.from_rows(rows, Path("root"), THREE)
    splits = draw_splits(manifest, test=0.3, by="person").column("split")
    assert splits[::2] == splits[1::2]
    assert set(splits) == {"train", "test"}
    folds = draw_folds(manifest, 4, by="person")
    np.testing.assert_array_equal(folds[::2], folds[1::2])
