"""What a number on a data set means: label rule, classes, test splits, metric.

A protocol is printed before training, and kept with every number of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from halfsmile.data.readers import ferplus
from halfsmile.data.split import Group

DataSet = Literal["ferplus", "rafdb", "affectnet", "affwild2", "sequences", "faces"]
Metric = Literal["accuracy", "macro_f1"]

VIDEOS: tuple[DataSet, ...] = ("sequences", "affwild2")
TITLES: dict[DataSet, str] = {
    "ferplus": "FERPlus",
    "rafdb": "RAF-DB, basic",
    "affectnet": "AffectNet",
    "affwild2": "Aff-Wild2, expressions",
    "sequences": "videos of one's own",
    "faces": "faces of one's own",
}
METRICS: dict[Metric, str] = {"accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is trained and tested on, and by which rule.

    Args:
        data_set: Which reader: a published data set, ``sequences`` of frames, or ``faces`` in any other
            layout.
        label_rule: How FERPlus's votes become a label, one of :data:`~halfsmile.data.readers.ferplus.RULES`.
        num_classes: Classes of AffectNet, 7 or 8 (with contempt); None elsewhere.
        test_splits: Splits that make up the test set.
        metric: The number that papers report first.
        group: Column whose equal values share a role in the label budget, see ``data/split``; None draws rows
            one by one.
        test_people: Share of the people that make up the test split, drawn by the seed of the run; None where
            the data set has splits of its own.

    Raises:
        ValueError: If a rule or a number of classes is given for a data set that has none, or is unknown.
    """

    data_set: DataSet
    label_rule: str | None = None
    num_classes: int | None = None
    test_splits: tuple[str, ...] = ("test",)
    metric: Metric = "accuracy"
    group: Group | None = None
    test_people: float | None = None

    def __post_init__(self) -> None:
        if self.data_set not in get_args(DataSet):
            raise ValueError(f"Unknown data set {self.data_set!r}; known are {', '.join(get_args(DataSet))}.")
        if self.label_rule is not None:
            if self.data_set != "ferplus":
                raise ValueError(
                    f"A label rule is for FERPlus; this is {self.title}. Leave --label-rule away."
                )
            if self.label_rule not in ferplus.RULES:
                raise ValueError(
                    f"Unknown label rule {self.label_rule!r}; known are {', '.join(ferplus.RULES)}."
                )
        if self.num_classes is not None and self.data_set != "affectnet":
            raise ValueError(
                f"The number of classes can be chosen for AffectNet; this is {self.title}, whose classes are "
                "those of its labels. Leave --classes away, or rename labels with `halfsmile data merge`."
            )
        if self.num_classes not in (None, 7, 8):
            raise ValueError(f"AffectNet has 7 or 8 classes; found {self.num_classes}.")

    @property
    def title(self) -> str:
        """The data set's name for people."""
        return TITLES[self.data_set]

    @property
    def is_video(self) -> bool:
        """Whether the data are frames of videos, with times."""
        return self.data_set in VIDEOS

    def describe(self) -> str:
        """One line for people: data set, rule, test set, metric."""
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        rule = f"label rule {self.label_rule}" if self.label_rule else None
        names = {"valid": "PublicTest", "test": "PrivateTest"} if self.data_set == "ferplus" else {}
        if self.data_set == "affectnet":
            names = {"test": "the validation set, as the test set was never published"}
        tested = " + ".join(names.get(split, split) for split in self.test_splits)
        if self.test_people is not None:
            tested = f"{100 * self.test_people:.0f} % of the people, drawn by the seed"
        drawn = f"labels drawn by {self.group}" if self.group else None
        parts = (self.title + classes, rule, f"tested on {tested}", drawn, f"by {METRICS[self.metric]}")
        return " · ".join(part for part in parts if part)


PROTOCOLS: dict[DataSet, Protocol] = {
    "ferplus": Protocol(data_set="ferplus", label_rule="argmax", test_splits=("valid", "test")),
    "rafdb": Protocol(data_set="rafdb"),
    "affectnet": Protocol(data_set="affectnet", num_classes=8),
    "affwild2": Protocol(data_set="affwild2", test_splits=("valid",), metric="macro_f1", group="video"),
    "sequences": Protocol(data_set="sequences", metric="macro_f1", group="person", test_people=0.3),
    "faces": Protocol(data_set="faces"),
}
"""The usual protocol of each data set. FERPlus is as SSFER measures it: plain argmax of the ten vote columns,
tested on PublicTest and PrivateTest together."""
