"""Label names and the maps between data sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.taxonomy import (
    AFFECTNET7,
    AFFECTNET8,
    AFFWILD2,
    FERPLUS,
    RAFDB,
    TAXONOMIES,
    Taxonomy,
    from_labels,
    from_names,
)

known = st.sampled_from(list(TAXONOMIES.values()))
names = st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=9, unique=True)


@given(names)
def test_index_is_the_position(labels: list[str]) -> None:
    taxonomy = Taxonomy("t", tuple(labels))
    assert len(taxonomy) == len(labels)
    assert [taxonomy.index(label) for label in labels] == list(range(len(labels)))


def test_known_orders_are_those_of_the_label_files() -> None:
    # RAF-DB counts from 1, the others from 0.
    assert RAFDB.labels[1 - 1] == "surprise"
    assert RAFDB.labels[7 - 1] == "neutral"
    assert AFFECTNET8.labels[7] == "contempt"
    assert AFFECTNET7.labels == AFFECTNET8.labels[:7]
    assert FERPLUS.labels[6] == "fear"
    assert AFFWILD2.labels[7] == "other"


@given(known)
def test_mapping_onto_itself_is_the_identity(taxonomy: Taxonomy) -> None:
    assert taxonomy.map_to(taxonomy) == {label: label for label in taxonomy.labels}


@given(known, known)
def test_maps_cover_every_label_and_hit_only_existing_ones(source: Taxonomy, target: Taxonomy) -> None:
    lacking = [label for label in source.labels if label not in target.labels]
    if lacking:
        with pytest.raises(ValueError, match=lacking[0]):
            source.map_to(target)
    mapped = source.map_to(target, dict.fromkeys(lacking))
    assert list(mapped) == list(source.labels)
    assert set(mapped.values()) - {None} <= set(target.labels)
    assert [label for label, to in mapped.items() if to is None] == lacking


def test_renames_win_over_equal_names_and_must_exist() -> None:
    assert FERPLUS.map_to(RAFDB, {"contempt": "disgust", "fear": None})["contempt"] == "disgust"
    assert FERPLUS.map_to(RAFDB, {"contempt": "disgust", "fear": None})["fear"] is None
    with pytest.raises(ValueError, match=r"contempt is renamed to scorn.*--taxonomy .*,neutral,scorn\."):
        FERPLUS.map_to(RAFDB, {"contempt": "scorn"})


def test_renames_of_labels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="contemt"):
        FERPLUS.map_to(RAFDB, {"contemt": None, "contempt": None})


def test_the_same_names_in_another_order_do_not_match() -> None:
    RAFDB.require_same(Taxonomy("copy", RAFDB.labels))
    with pytest.raises(ValueError, match=r"rafdb.*affectnet7"):
        RAFDB.require_same(AFFECTNET7)


@given(known)
def test_known_labels_give_the_known_taxonomy(taxonomy: Taxonomy) -> None:
    assert from_labels(taxonomy.labels) is taxonomy
    assert from_labels(taxonomy.labels[::-1]) == Taxonomy("custom", taxonomy.labels[::-1])


@pytest.mark.parametrize("labels", [(), ("smile",), ("smile", "smile")])
def test_fewer_than_two_different_labels_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        Taxonomy("t", labels)


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'contempt' is not in taxonomy 'rafdb'"):
        RAFDB.index("contempt")


def test_names_find_the_taxonomy_in_their_order_first() -> None:
    for known in TAXONOMIES.values():
        assert from_names(known.labels) == known
        assert set(from_names([name.upper() for name in reversed(known.labels)]).labels) == set(known.labels)
    assert from_names(["Smile", "calm", "smile"]) == Taxonomy("custom", ("Smile", "calm"))
