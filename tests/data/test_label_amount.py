"""Published sizes and numbers by class."""

from __future__ import annotations

import pytest

from halfsmile.data.label_amount import PUBLISHED, LabelAmount
from halfsmile.taxonomy import RAFDB

COUNTS = {"calm": 5, "glad": 9}


def test_published_sizes_add_up_to_their_names() -> None:
    for name, counts in PUBLISHED.items():
        assert sum(number for _, number in counts) == int(name.removeprefix("ada-cm-"))
        assert {label for label, _ in counts} == set(RAFDB.labels)


def test_rafdb_has_enough_faces_for_all_published_sizes() -> None:
    train = dict(zip(RAFDB.labels, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True))
    for name in PUBLISHED:
        LabelAmount.parse(name).require_classes(train)


def test_numbers_by_class() -> None:
    amount = LabelAmount.parse(" calm=3, glad = 4 ")
    amount.require_classes(COUNTS)
    assert [amount.of_class(n, name) for name, n in COUNTS.items()] == [3, 4]


@pytest.mark.parametrize(
    "text", ["calm=0,glad=1", "calm=1,calm=2", "calm=,glad=1", "calm=1;glad=2", "ada-cm-5"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number for every class"):
        LabelAmount.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("calm=3", r"names the classes \['calm'\], the data has"),
        ("calm=6,glad=1", r"there are only \{'calm': 5\}"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        LabelAmount.parse(text).require_classes(COUNTS)
