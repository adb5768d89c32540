"""Published numbers stand beside ours only where they mean the same."""

from __future__ import annotations

from dataclasses import replace

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.published import published


def test_the_papers_twelve_numbers() -> None:
    seven = replace(PROTOCOLS["affectnet"], num_classes=7)
    table = {
        PROTOCOLS["rafdb"]: {"5%": 80.96, "10%": 85.07, "25%": 88.23},
        PROTOCOLS["ferplus"]: {"5%": 81.77, "10%": 83.95, "25%": 85.82},
        seven: {"1%": 59.08, "5%": 64.02, "10%": 65.37},
        PROTOCOLS["affectnet"]: {"1%": 53.85, "5%": 60.17, "10%": 61.65},
    }
    for protocol, values in table.items():
        for labels, value in values.items():
            (number,) = published(protocol, labels)
            assert (number.method, number.value) == ("SSFER", value)


def test_a_number_of_another_protocol_is_not_compared() -> None:
    usual = PROTOCOLS["ferplus"]
    assert published(usual, "10%")
    assert published(usual, "11%") == ()
    for other in (
        replace(usual, label_rule="majority"),
        replace(usual, test_splits=("test",)),
        replace(PROTOCOLS["affectnet"], num_classes=None),
    ):
        assert published(other, "10%") == ()
