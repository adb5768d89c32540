"""Expression classes: which names a data set uses, in which order, and how one set maps onto another.

Names, never bare integers, cross a file boundary. RAF-DB counts from 1 with surprise first, AffectNet
from 0 with neutral first, FERPlus has contempt and RAF-DB has not: comparing integers is how published
numbers went wrong. Sources of the orders: the data sets' own label files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Taxonomy:
    """An ordered, named tuple of expression labels.

    Args:
        name: Short name, unique among the taxonomies of this module.
        labels: Class names; the position is the index that a model's output uses.

    Raises:
        ValueError: If a label appears twice or there are fewer than two.

    Example:
        >>> FERPLUS.index("surprise")
        2
        >>> len(RAFDB)
        7
    """

    name: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(
                f"Taxonomy {self.name!r} needs at least two different labels, found {list(self.labels)}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def index(self, label: str) -> int:
        """Position of a label.

        Raises:
            ValueError: If the label is not in this taxonomy.
        """
        if label not in self.labels:
            raise ValueError(
                f"Label {label!r} is not in taxonomy {self.name!r}, whose classes are "
                f"{', '.join(self.labels)}. Rename it to one of these, or choose classes that have it."
            )
        return self.labels.index(label)

    def require_same(self, other: Taxonomy) -> None:
        """Refuse another taxonomy whose labels or their order differ.

        Raises:
            ValueError: With both lists in the message.
        """
        if self.labels != other.labels:
            raise ValueError(
                f"Taxonomies do not match: {self.name!r} has {list(self.labels)}, "
                f"{other.name!r} has {list(other.labels)}. Map one onto the other explicitly."
            )

    def map_to(
        self, other: Taxonomy, renames: Mapping[str, str | None] | None = None
    ) -> dict[str, str | None]:
        """Map every label of this taxonomy onto one of another, or onto None (row is dropped).

        Args:
            other: Target taxonomy.
            renames: Explicit targets for the labels whose name the target lacks.

        Returns:
            A dictionary with one entry per label of this taxonomy.

        Raises:
            ValueError: If a label has no target and none is given, or a renamed label or its target does
                not exist.

        Example:
            >>> FERPLUS.map_to(RAFDB, {"contempt": None})["anger"]
            'anger'
        """
        renames = dict(renames or {})
        for label in renames:
            self.index(label)
        targets = {label: renames.get(label, label) for label in self.labels}
        classes = ", ".join(other.labels)
        if lacking := [n for n in self.labels if n not in renames and n not in other.labels]:
            first, are = lacking[0], "is" if len(lacking) == 1 else "are"
            raise ValueError(
                f"The classes of the result are {classes}, and {', '.join(lacking)} {are} none of them. Say "
                f"what becomes of each label: --rename {first}=… gives it the name of a class, {first}=none "
                "drops its rows. Or choose other classes: --taxonomy a,b,c; without it they are those of the "
                "first source."
            )
        for label, target in targets.items():
            if target is not None and target not in other.labels:
                more = shlex.quote(",".join((*other.labels, target)))
                raise ValueError(
                    f"{label} is renamed to {target}, and the classes of the result are {classes}. Rename it "
                    f"to one of these, or add the class: --taxonomy {more}."
                )
        return targets


RAFDB = Taxonomy("rafdb", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"))
AFFECTNET8 = Taxonomy(
    "affectnet8", ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
)
AFFECTNET7 = Taxonomy("affectnet7", AFFECTNET8.labels[:7])
FERPLUS = Taxonomy(
    "ferplus", ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
)
FER2013 = Taxonomy("fer2013", ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"))
AFFWILD2 = Taxonomy(
    "affwild2", ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
)

TAXONOMIES = {t.name: t for t in (RAFDB, AFFECTNET7, AFFECTNET8, FERPLUS, AFFWILD2, FER2013)}


def from_labels(labels: Iterable[str]) -> Taxonomy:
    """The known taxonomy with exactly these labels in this order, or a new one named ``custom``.

    Example:
        >>> from_labels(RAFDB.labels).name
        'rafdb'
        >>> from_labels(["calm", "smile"]).name
        'custom'
    """
    ordered = tuple(labels)
    for known in TAXONOMIES.values():
        if known.labels == ordered:
            return known
    return Taxonomy("custom", ordered)


def from_names(names: Iterable[str]) -> Taxonomy:
    """A known taxonomy with exactly these names in any case, or a new one named ``custom``.

    One with the same order is taken before one with another.

    Example:
        >>> from_names(["Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise"]).name
        'rafdb'
        >>> from_names(["smile", "calm"]).labels
        ('smile', 'calm')

    Names that differ in case only count once.
    """
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    same = [known for known in TAXONOMIES.values() if set(known.labels) == folded.keys()]
    in_order = [known for known in same if known.labels == tuple(folded)]
    return next(iter(in_order + same), Taxonomy("custom", tuple(folded.values())))
