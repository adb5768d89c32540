"""What others published for exactly a protocol.

SSFER's numbers are those of its README, "Model weights" (arXiv 2410.17622, ViT-B/16, 1.25 million unlabeled
faces for Stage I).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from halfsmile.data.protocols.protocol import PROTOCOLS, Protocol


@dataclass(frozen=True)
class Published:
    """A number that somebody published.

    Args:
        method: Whose.
        value: Percent, of the protocol's metric.
        source: Where it stands.
    """

    method: str
    value: float
    source: str


_SSFER = "README of SSFER, Model weights"


def _ssfer(values: Mapping[str, float]) -> dict[str, tuple[Published, ...]]:
    return {labels: (Published("SSFER", value, _SSFER),) for labels, value in values.items()}


_PUBLISHED: dict[Protocol, dict[str, tuple[Published, ...]]] = {
    PROTOCOLS["rafdb"]: _ssfer({"5%": 80.96, "10%": 85.07, "25%": 88.23}),
    PROTOCOLS["ferplus"]: _ssfer({"5%": 81.77, "10%": 83.95, "25%": 85.82}),
    replace(PROTOCOLS["affectnet"], num_classes=7): _ssfer({"1%": 59.08, "5%": 64.02, "10%": 65.37}),
    PROTOCOLS["affectnet"]: _ssfer({"1%": 53.85, "5%": 60.17, "10%": 61.65}),
    PROTOCOLS["affwild2"]: {
        "all": (Published("baseline of the challenge (VGG-Face)", 25.0, "arXiv 2603.12693"),)
    },
}


def published(protocol: Protocol, labels: str) -> tuple[Published, ...]:
    """Published numbers for exactly this protocol and label budget; none for a protocol of one's own.

    Args:
        protocol: What was measured.
        labels: Label budget, such as ``10%``.

    Example:
        >>> published(PROTOCOLS["ferplus"], "10%")[0].value
        83.95
        >>> published(replace(PROTOCOLS["ferplus"], test_splits=("test",)), "10%")
        ()
    """
    return _PUBLISHED.get(protocol, {}).get(labels.replace(" ", ""), ())
