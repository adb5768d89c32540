"""How many labels: a share of each class, a number per class, or a number for every class by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_EMOTIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


def _ada_cm(fear: int, others: int) -> tuple[tuple[str, int], ...]:
    return tuple((name, fear if name == "fear" else others) for name in _EMOTIONS)


PUBLISHED = {
    "ada-cm-100": _ada_cm(10, 15),
    "ada-cm-400": _ada_cm(40, 60),
    "ada-cm-1000": _ada_cm(100, 150),
    "ada-cm-2000": _ada_cm(200, 300),
    "ada-cm-4000": _ada_cm(250, 625),
}
"""Sizes of the RAF-DB lists of Ada-CM (Li et al., CVPR 2022): fear is rare, so it gets fewer."""


@dataclass(frozen=True)
class LabelAmount:
    """How many labels; one of the three is given.

    Args:
        share: Share of each class in (0, 1]; at least one face a class is drawn.
        per_class: Faces per class; a smaller class gives all it has.
        by_class: (class, faces) for every class; a class that has fewer is refused.
    """

    share: float | None = None
    per_class: int | None = None
    by_class: tuple[tuple[str, int], ...] | None = None

    @classmethod
    def parse(cls, text: str) -> LabelAmount:
        """Read ``10%``, ``40`` (faces per class), ``fear=10,anger=15``, ``all`` or a published size.

        Raises:
            ValueError: If the text is none of these.

        Example:
            >>> LabelAmount.parse("10%").share
            0.1
            >>> LabelAmount.parse("40").per_class
            40
            >>> dict(LabelAmount.parse("ada-cm-100").by_class)["fear"]
            10
        """
        text = text.strip()
        if text == "all":
            return cls(share=1.0)
        if text in PUBLISHED:
            return cls(by_class=PUBLISHED[text])
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
            share = float(match.group(1)) / 100
            if 0 < share <= 1:
                return cls(share=share)
        elif re.fullmatch(r"\d+", text) and int(text) > 0:
            return cls(per_class=int(text))
        elif re.fullmatch(r"\s*[^=,]+=\s*\d+\s*(,\s*[^=,]+=\s*\d+\s*)*", text):
            pairs = [part.split("=") for part in text.split(",")]
            counts = {name.strip(): int(number) for name, number in pairs}
            if len(counts) == len(pairs) and min(counts.values()) > 0:
                return cls(by_class=tuple(counts.items()))
        raise ValueError(
            f"Can't read a label budget from {text!r}: give a percentage of each class (10%), a number of "
            "faces per class (40), a number for every class (fear=10,anger=15,…), all, or a published size "
            f"({', '.join(PUBLISHED)})."
        )

    def of_class(self, available: int, name: str | None = None) -> int:
        """Faces to draw from a class.

        A share is SSFER's max(1, round(share · n)).

        Args:
            available: Faces that the class has.
            name: Of the class; needed for ``by_class``.
        """
        if self.share is not None:
            return min(available, max(1, round(self.share * available)))
        if self.by_class is not None:
            return dict(self.by_class)[name or ""]
        return min(available, self.per_class or 0)

    def require_classes(self, available: Mapping[str, int]) -> None:
        """Refuse numbers by class that do not fit the data.

        Args:
            available: Faces per class.

        Raises:
            ValueError: If the classes differ, or one has fewer faces than asked for.
        """
        if self.by_class is None:
            return
        wanted = dict(self.by_class)
        if set(wanted) != set(available):
            raise ValueError(
                f"The budget names the classes {sorted(wanted)}, the data has {sorted(available)}: name each "
                "class of the data once."
            )
        short = {name: found for name, found in available.items() if found < wanted[name]}
        if short:
            raise ValueError(f"The budget wants {wanted} faces, but of these classes there are only {short}.")
