"""What a number on a data set means."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from halfsmile.data.protocols.protocol import PROTOCOLS, TITLES, VIDEOS, DataSet, Protocol
from halfsmile.data.readers.registry import LAYOUTS


def test_every_data_set_has_a_protocol_a_title_and_a_reader() -> None:
    assert set(PROTOCOLS) == set(TITLES) == set(get_args(DataSet))
    assert set(get_args(DataSet)) - {"faces"} <= set(LAYOUTS)
    assert all(protocol.data_set == name for name, protocol in PROTOCOLS.items())
    assert set(VIDEOS) == {name for name, protocol in PROTOCOLS.items() if protocol.group}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data_set": "rafdb", "label_rule": "argmax"}, "A label rule is for FERPlus; this is RAF-DB"),
        (
            {"data_set": "ferplus", "label_rule": "mean"},
            "Unknown label rule 'mean'; known are argmax, argmax8",
        ),
        ({"data_set": "rafdb", "num_classes": 7}, "can be chosen for AffectNet; this is RAF-DB"),
        ({"data_set": "affectnet", "num_classes": 6}, "AffectNet has 7 or 8 classes; found 6"),
        ({"data_set": "imagenet"}, "Unknown data set 'imagenet'; known are ferplus, rafdb"),
    ],
)
def test_choices_that_do_not_fit_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**settings)  # type: ignore[arg-type]


def test_a_protocol_is_said_in_one_line() -> None:
    assert PROTOCOLS["ferplus"].describe() == (
        "FERPlus · label rule argmax · tested on PublicTest + PrivateTest · by accuracy"
    )
    assert (
        "7 classes · tested on the validation set"
        in replace(PROTOCOLS["affectnet"], num_classes=7).describe()
    )
    assert (
        "30 % of the people, drawn by the seed · labels drawn by person" in PROTOCOLS["sequences"].describe()
    )
    assert "tested on valid · labels drawn by video · by macro F1" in PROTOCOLS["affwild2"].describe()
