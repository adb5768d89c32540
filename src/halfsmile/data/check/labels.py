"""What can be wrong with the list of a data set: classes, splits, people, votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from halfsmile.data.check.duplicates import people_in_two_splits
from halfsmile.data.check.subject import Finding, Subject, of_rows
from halfsmile.data.manifest import SPLITS, Fault

IMBALANCE = 20  # times that the largest class is larger than the smallest


def unread(subject: Subject) -> Iterator[Finding]:
    """Labels that seem to be there and were not read."""
    if subject.unread is not None:
        yield Finding(f"Labels are not read. {subject.unread.seen}", subject.unread.mend)


def faults(subject: Subject) -> Iterator[Finding]:
    """What the reader could not understand or did not find."""
    for note in subject.manifest.notes:
        if isinstance(note, Fault):
            yield Finding(
                str(note), "Mend the list or the files; what is left out is not trained or tested with."
            )


def repeated_rows(subject: Subject) -> Iterator[Finding]:
    """Pictures that are listed more than once."""
    images = subject.manifest.column("image")
    times = {image: count for image, count in Counter(images).items() if count > 1}
    if not times:
        return
    is_known = subject.manifest.table["box"].is_valid().to_pylist()
    has_boxes = all(known for known, image in zip(is_known, images, strict=True) if image in times)
    yield Finding(
        f"Pictures listed more than once: {len(times):,}.",
        "They may show several faces: `halfsmile data prepare --detector given` cuts each out."
        if has_boxes
        else "Keep one row for each picture: labels can't be matched with rows otherwise.",
        tuple(f"{image}: {count} times" for image, count in times.items()),
        is_problem=not has_boxes,
    )


def classes(subject: Subject) -> Iterator[Finding]:
    """Classes without faces, and very uneven ones."""
    manifest = subject.manifest
    if subject.unread is not None:
        return
    if manifest.taxonomy is None:
        yield Finding(
            "Nothing is labeled.",
            "Fine for pre-training and as unlabeled faces; to train a classifier, labels are needed.",
            is_problem=False,
        )
        return
    labels, splits = manifest.column("label"), manifest.column("split")
    counts = Counter(zip(splits, labels, strict=True))
    present: list[str | None] = [split for split in SPLITS if split in splits]
    present = present or [None]
    for split in present:
        empty = [name for name in manifest.taxonomy.labels if not counts[split, name]]
        if not empty:
            continue
        where = f"The {split} split has" if split else "There is"
        yield Finding(
            f"{where} no face of {', '.join(empty)}.",
            "Are folders or names misspelt? If these classes are not wanted, map the labels onto a taxonomy "
            "without them: `halfsmile data merge --taxonomy`."
            if split in ("train", None)
            else f"Scores on the {split} split say nothing about these classes.",
            is_problem=split in ("train", None),
        )
    unlabeled = labels.count(None)
    if unlabeled:
        yield Finding(
            f"Rows without a label: {unlabeled:,} of {len(labels):,}.",
            "They serve as unlabeled faces.",
            is_problem=False,
        )
    split = "train" if "train" in present else None
    training = [(counts[split, name], name) for name in manifest.taxonomy.labels if counts[split, name]]
    if training and max(training)[0] > IMBALANCE * min(training)[0]:
        (few, rare), (many, common) = min(training), max(training)
        yield Finding(
            f"{common} has {many / few:.0f} times as many training faces as {rare}.",
            "Read balanced accuracy and macro F1 beside accuracy; class-balanced sampling may help.",
            is_problem=False,
        )


def splits(subject: Subject) -> Iterator[Finding]:
    """Splits that are missing."""
    values = set(subject.manifest.column("split"))
    if subject.manifest.taxonomy is None:
        return
    if values == {None}:
        yield Finding(
            "There are no splits.",
            "Put test faces apart before training, by person where people are known: `halfsmile data split "
            "… --test 20% --by person`; what is tested on must not be trained on. Where names of pictures "
            "or folders tell people, --from-names reads them, as '{person}_*' or '{person}/*/*'.",
            is_problem=False,
        )
    elif None in values:
        number = subject.manifest.column("split").count(None)
        yield Finding(
            f"Rows without a split, while others have one: {number:,}.",
            "They take no part in training or testing. Say what folders or the values of a column mean by "
            "--splits NAME=test, or draw splits of all: `halfsmile data split … --test 20% --again`.",
        )
    elif "test" not in values or "train" not in values:
        lacking = " and ".join(f"no {name} split" for name in ("train", "test") if name not in values)
        yield Finding(
            f"There is {lacking}.",
            "Training and testing need one each: `halfsmile data split … --test 20% --out list.parquet` "
            "draws them (--again where there is a test split already).",
            is_problem=False,
        )


def people(subject: Subject) -> Iterator[Finding]:
    """People who stand in more than one split."""
    found = people_in_two_splits(subject.manifest)
    if found:
        yield Finding(
            f"People in more than one split: {len(found):,}.",
            "Put each person into one split: scores are too good otherwise.",
            tuple(
                f"{person}: " + ", ".join(f"{count} in {split}" for split, count in counts.items())
                for person, counts in found.items()
            ),
        )


def votes(subject: Subject) -> Iterator[Finding]:
    """Votes that are no distribution."""
    lists = subject.manifest.table["votes"].to_pylist()
    images = subject.manifest.column("image")
    wrong = [
        row
        for row, shares in enumerate(lists)
        if shares is not None and (min(shares) < 0 or abs(sum(shares) - 1) > 1e-3)
    ]
    yield from of_rows(
        wrong, "Rows with votes that are negative or don't sum to 1", "Divide them by their sum.", images
    )
