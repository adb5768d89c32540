"""Runs are compared on the same pictures, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from halfsmile.evaluation.compare import compare
from halfsmile.runs.predictions import read_predictions, write_predictions
from halfsmile.taxonomy import AFFECTNET8

MakeRun = Callable[..., Path]
SUPERVISED = {"name": "supervised", "method": "supervised"}


def rewrite(run: Path, keep: slice = slice(None), relabel: bool = False) -> None:
    """Store the run's predictions again with some rows left out or in reverse, or one label changed."""
    path = run / "predictions.parquet"
    old = read_predictions(path)
    targets = old.targets[keep].copy()
    if relabel:
        targets[0] = (targets[0] + 1) % len(old.taxonomy)
    write_predictions(
        path, old.images[keep], old.splits[keep], targets, old.probabilities[keep], old.taxonomy
    )


def test_order_of_rows_is_irrelevant(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b", recipe=SUPERVISED, skill=0.5)]
    before = compare(runs)
    rewrite(runs[1], slice(None, None, -1))
    assert compare(runs) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep": slice(10, None)}, r"10 images are only in .*a \(such as fer2013"),
        ({"relabel": True}, r"1 images have another label \(such as fer2013\.csv#32298: "),
    ],
)
def test_other_test_sets_are_refused(make_run: MakeRun, change: dict[str, object], message: str) -> None:
    runs = [make_run("a"), make_run("b", seed=1)]
    rewrite(runs[1], **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        compare(runs)


def test_other_images_and_other_taxonomies_are_refused(make_run: MakeRun) -> None:
    first = make_run("a")
    with pytest.raises(ValueError, match=r"600 images are only in .*b"):
        compare([first, make_run("b", prefix="other.csv#")])
    with pytest.raises(ValueError, match="Taxonomies do not match"):
        compare([first, make_run("c", taxonomy=AFFECTNET8)])


def with_hashes(run: Path, *, offset: int = 0, hashed: bool = True) -> Path:
    """The run's predictions with a hash for each picture."""
    path = run / "predictions.parquet"
    old = read_predictions(path)
    hashes = [f"{i + offset:064x}" for i in range(len(old))] if hashed else None
    write_predictions(path, old.images, old.splits, old.targets, old.probabilities, old.taxonomy, hashes)
    return run


def test_pictures_are_the_same_when_their_pixels_are_whatever_their_names(make_run: MakeRun) -> None:
    named = compare([make_run("a"), make_run("b", recipe=SUPERVISED, skill=0.5)])
    first = with_hashes(make_run("c"))
    other = with_hashes(make_run("d", recipe=SUPERVISED, skill=0.5, prefix="store/faces.tar#"))
    found = compare([first, other])
    for group, same in zip(found.groups, named.groups, strict=True):
        assert group.scores == same.scores
        assert (group.against_first is None) == (same.against_first is None)
    assert found.groups[1].against_first is not None
    assert named.groups[1].against_first is not None
    assert found.groups[1].against_first.difference == named.groups[1].against_first.difference


def test_equal_names_of_other_pictures_are_refused(make_run: MakeRun) -> None:
    runs = [with_hashes(make_run("a")), with_hashes(make_run("b", seed=1), offset=7)]
    with pytest.raises(ValueError, match=r"7 images are only in .*a \(such as fer2013\.csv#\d+\); 7 images"):
        compare(runs)
    old = with_hashes(make_run("c", seed=2), hashed=False)
    assert len(compare([runs[0], old]).groups) == 1
