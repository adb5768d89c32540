"""What the folders above pictures mean: which of them are labels, and which splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from halfsmile.data.readers.words import (
    LABELED,
    composed,
    expression_of,
    is_unlabeled,
    number_of,
    split_in,
    split_of,
    word_in,
)

MAX_CLASSES = 64
_DEEPEST_SPLIT = 3
_DEEPEST_LABEL = 6

Parts = tuple[str, ...]
SplitOf = Callable[[str], str | None]


@dataclass(frozen=True)
class Meaning:
    """What the folders above pictures mean.

    Args:
        kind: Whether the labels are ``words`` for expressions, ``numbers``, or other ``names``; None where
            the folders tell no labels.
        labels: Label by folder; None for faces without one.
        splits: Split by folder; None where it tells none.
        names: The labels, sorted.
        extra: Folders beside those of the splits, by the first of their names.
        renamed: Folder to label, where the label is only a part of the name.
        guessed: Split by the name of a folder that has its word among others, as ``train_v2``.
    """

    kind: Literal["words", "numbers", "names"] | None
    labels: Mapping[Parts, str | None]
    splits: Mapping[Parts, str | None]
    names: tuple[str, ...]
    extra: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    guessed: tuple[tuple[str, str], ...] = ()

    @property
    def has_splits(self) -> bool:
        """Whether a folder is named after a split."""
        return any(self.splits.values())


def understand(
    folders: Iterable[Parts], *, any_names: bool = False, named: Mapping[str, str | None] | None = None
) -> Meaning:
    """Tell labels and splits from the names of folders.

    Args:
        folders: The folders that pictures lie in, as their parts below the root.
        any_names: Take the names of folders for labels where no words of expressions are among them. Below
            folders of splits this is done anyway, for up to :data:`MAX_CLASSES` names.
        named: Split by the name of a folder, in place of what it is usually called; None for none.
    """
    found = sorted(set(folders))
    guessed = _nearly_splits(found, named or {})
    split_of = partial(_split_of, named={**guessed, **(named or {})})
    skipped = _wrapping(found, split_of)
    level = _split_level([parts[skipped:] for parts in found], split_of)
    splits: dict[Parts, str | None] = {}
    rests: dict[Parts, Parts] = {}
    outside: set[Parts] = set()
    for parts in found:
        below = list(parts[skipped:])
        splits[parts] = None
        if level is not None and len(below) > level and (split := split_of(below[level])):
            splits[parts] = split
            del below[level]
        elif level is not None:
            outside.add(parts)
        if len(below) > 0 and below[0].casefold() in LABELED:
            del below[0]
        rests[parts] = tuple(below)
    bare = {parts for parts in found if any(map(is_unlabeled, rests[parts]))}
    inside = [rests[parts] for parts in found if parts not in bare and parts not in outside]
    kind, depth = _label_level(inside, any_names=any_names, has_splits=level is not None)
    labels: dict[Parts, str | None] = dict.fromkeys(found)
    renamed: dict[str, str] = {}
    if kind is not None:
        for parts in found:
            rest = rests[parts]
            if parts not in bare and parts not in outside and len(rest) > depth:
                labels[parts] = label_of(rest[depth], kind, renamed)
        known = {label.casefold() for label in labels.values() if label}
        for parts in outside - bare:
            names_of = [label_of(name, kind, {}) for name in rests[parts]]
            said = [label for label in names_of if label.casefold() in known]
            words = [label for label in names_of if kind == "words" and expression_of(label)]
            labels[parts] = next(iter(said or words), None)
    names = {label.casefold(): label for label in sorted(filter(None, labels.values()), reverse=True)}
    labels = {parts: names[label.casefold()] if label else None for parts, label in labels.items()}
    extra = {parts[skipped] for parts in outside if labels[parts] is None and len(parts) > skipped}
    return Meaning(
        kind,
        labels,
        splits,
        tuple(sorted(names.values())),
        tuple(sorted(extra)),
        tuple(sorted(renamed.items())),
        tuple(sorted(guessed.items())),
    )


def split_by_words(name: str) -> str | None:
    """The one split whose word is in the name of a folder that is no expression's.

    Example:
        >>> split_by_words("train_v2"), split_by_words("test_happy"), split_by_words("holdout")
        ('train', None, None)
    """
    return None if word_in(name) else split_in(name)


def _nearly_splits(folders: Sequence[Parts], named: Mapping[str, str | None]) -> dict[str, str]:
    """Splits of folders whose names have a split's word among others, where that leaves no doubt.

    A level needs two splits, and no two of its folders may mean the same one.
    """
    for level in range(_DEEPEST_SPLIT):
        told: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted({parts[level] for parts in folders if len(parts) > level} - named.keys()):
            if split := split_of(name) or split_by_words(name):
                told[split].append(name)
        nearly = [names for names in told.values() if len(names) == 1 and split_of(names[0]) is None]
        if nearly and len(told) > 1:
            return {name: str(split_by_words(name)) for (name,) in nearly}
    return {}


def _split_of(name: str, named: Mapping[str, str | None]) -> str | None:
    """The split that a folder means, by what was said or else by its name."""
    return named[name] if name in named else split_of(name)


def _wrapping(folders: Sequence[Parts], split_of: SplitOf) -> int:
    """How many outer folders hold all the images and no others; those with a meaning are not passed over."""
    count = 0
    while folders and all(len(parts) > count + 1 and parts[count] == folders[0][count] for parts in folders):
        name = folders[0][count]
        if split_of(name) or expression_of(name) or is_unlabeled(name):
            break
        count += 1
    return count


def _split_level(folders: Sequence[Parts], split_of: SplitOf) -> int | None:
    """The level whose folders are named after splits: the first one, or one below with two of them."""
    for level in range(_DEEPEST_SPLIT):
        names = {parts[level] for parts in folders if len(parts) > level}
        found = {split for name in names if (split := split_of(name))}
        if len(found) > 1 or (found and level == 0):
            return level
        if level == 1 and found and all(split_of(name) for name in names):
            return level
    return None


def _label_level(
    rests: Sequence[Parts], *, any_names: bool, has_splits: bool
) -> tuple[Literal["words", "numbers", "names"] | None, int]:
    """How the labels are told, and by which of the folders that are left without those of splits."""
    levels = []
    for level in range(_DEEPEST_LABEL):
        by_name = {parts[level].casefold(): parts[level] for parts in rests if len(parts) > level}
        if by_name:
            levels.append((level, list(by_name.values())))
    for level, names in levels:
        known = sum(expression_of(name) is not None for name in names)
        if len(names) > 1 and 2 * known >= len(names):
            return "words", level
    for level, names in levels[:2]:
        if 1 < len(names) <= MAX_CLASSES and all(map(number_of, names)):
            return "numbers", level
    if levels and (any_names or (has_splits and 1 < len(levels[0][1]) <= MAX_CLASSES)):
        return "names", levels[0][0]
    return None, 0


def label_of(name: str, kind: Literal["words", "numbers", "names"], renamed: dict[str, str]) -> str:
    """The label that a folder's name tells."""
    if kind == "names":
        return name
    said = number_of(name) if kind == "numbers" else expression_of(name)
    if said is None:
        return name
    if said != composed(name) and kind == "words":
        renamed[name] = said
    return said
