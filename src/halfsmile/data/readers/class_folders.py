"""Labeled faces in folders named after their label, with or without folders for the splits.

``root/<label>/*``, ``root/<split>/<label>/*`` or ``root/<label>/<split>/*``, in any case; splits are called
as :data:`~halfsmile.data.readers.words.SPLIT_NAMES` knows them (``Train``, ``val_set``, ``PublicTest``). A
folder ``labeled`` above them is passed over, one named ``unlabeled`` holds faces without a label, and so do
other folders beside those of the splits. The root may be a zip or tar archive; folders that wrap everything
are passed over, and folders of people above those of the labels are, too. Below a label's folder, sub-folders
are searched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from halfsmile.data.manifest import Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.folder import list_images
from halfsmile.data.readers.words import (
    LABELED,
    expression_of,
    how_to_name,
    is_unlabeled,
    meaning_of_numbers,
    number_of,
    split_of,
)
from halfsmile.taxonomy import RAFDB, Taxonomy, from_names

MAX_CLASSES = 64
_DEEPEST_SPLIT = 3
_DEEPEST_LABEL = 6
_SHOWN = 12

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
    """

    kind: Literal["words", "numbers", "names"] | None
    labels: Mapping[Parts, str | None]
    splits: Mapping[Parts, str | None]
    names: tuple[str, ...]
    extra: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

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
    split_of = partial(_split_of, named=named or {})
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
                labels[parts] = _label(rest[depth], kind, renamed)
        known = {label.casefold() for label in labels.values() if label}
        for parts in outside - bare:
            said = [label for name in rests[parts] if (label := _label(name, kind, {})).casefold() in known]
            labels[parts] = said[0] if said else None
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
    )


def read(
    root: Path,
    taxonomy: Taxonomy | None = None,
    *,
    labels: Mapping[str, str | None] | None = None,
    splits: Mapping[str, str | None] | None = None,
) -> Manifest:
    """Read images whose label is the name of their folder.

    Args:
        root: Folder or archive in one of the layouts above.
        taxonomy: Classes that the folders are named after, upper or lower case. Without it, a known taxonomy
            with exactly these names is taken (the first of :data:`~halfsmile.taxonomy.TAXONOMIES`), else the
            sorted names of the folders become a taxonomy of their own.
        labels: Label by the name of a folder, as ``{"0": "neutral"}``; None drops its pictures. Needed where
            folders are numbers.
        splits: Split by the name of a folder, as ``{"fold1": "train"}``; None for none.

    Returns:
        Rows with ``image`` and ``label``, in the order of the file names, and ``split`` where the layout
        has splits.

    Raises:
        UnreadLabelsError: If the folders are numbers without names.
        ValueError: If there is no image, no or only one label, or a folder that the taxonomy lacks.
    """
    locators, notes = list_images(root)
    folders = [tuple(locator.split("/")[:-1]) for locator in locators]
    _require_folders(root, folders, splits or {})
    meaning = understand(folders, any_names=True, named=splits)
    layout = "<split>/<label>/" if meaning.has_splits else "<label>/"
    if not meaning.names:
        raise ValueError(
            f"{root} has {len(locators)} images but none in a folder {layout}; first {locators[0]}."
        )
    targets = _targets(root, locators, folders, meaning, dict(labels or {}), notes)
    kept = [row for row, folder in enumerate(folders) if targets.get(meaning.labels[folder] or "") != ""]
    notes += _around(folders, meaning)
    notes += _left_out(locators, folders, meaning, layout) + _empty(Path(root), locators, folders, meaning)
    if len(kept) < len(locators):
        notes.append(
            LeftOut(f"{len(locators) - len(kept):,} images were dropped because of their label, as asked.")
        )
    names = list(dict.fromkeys(target for _, target in sorted(targets.items()) if target))
    if taxonomy is None and meaning.kind == "numbers" and not labels:
        taxonomy = RAFDB
    taxonomy = taxonomy or from_names(names)
    by_name = {label.casefold(): label for label in taxonomy.labels}
    unknown = sorted({name for name in names if name.casefold() not in by_name})
    if unknown:
        raise ValueError(
            f"{root}: the folders {sorted(names)} do not match the taxonomy {taxonomy.name!r} "
            f"{list(taxonomy.labels)}: {unknown} are not in it. Rename or remove these folders."
        )
    rows = []
    for row in kept:
        label = meaning.labels[folders[row]]
        rows.append(
            {
                "image": locators[row],
                "label": by_name[targets[label].casefold()] if label else None,
                "split": _split(folders[row], meaning),
            }
        )
    counts = Counter(row["label"] for row in rows)
    absent = [label for label in taxonomy.labels if not counts[label]]
    if absent:
        notes.append(f"Taxonomy {taxonomy.name!r} has labels without an image: {', '.join(absent)}.")
    return Manifest.from_rows(rows, root, taxonomy, notes)


def _require_folders(root: Path, folders: Sequence[Parts], splits: Mapping[str, str | None]) -> None:
    """Refuse splits of folders that are not there."""
    there = {part for folder in set(folders) for part in folder}
    if lacking := sorted(splits.keys() - there):
        raise ValueError(
            f"{root}: no folder is called {', '.join(lacking)}; there are "
            f"{', '.join(sorted(there)[:_SHOWN])}."
        )


def _split_of(name: str, named: Mapping[str, str | None]) -> str | None:
    """The split that a folder means, by what was said or else by its name."""
    return named[name] if name in named else split_of(name)


def _split(folder: Parts, meaning: Meaning) -> str | None:
    """Where others have a split, faces that are named unlabeled are to be trained with."""
    split = meaning.splits[folder]
    if split is None and meaning.has_splits and any(map(is_unlabeled, folder)):
        return "train"
    return split


def _targets(
    root: Path,
    locators: Sequence[str],
    folders: Sequence[Parts],
    meaning: Meaning,
    renames: Mapping[str, str | None],
    notes: list[str],
) -> dict[str, str]:
    """Class by the label that a folder tells; empty where its pictures are to be dropped."""
    if unknown := sorted(name for name in set(renames) - set(meaning.names) if number_of(name) is None):
        raise ValueError(
            f"{root}: no folder is called {', '.join(unknown)}; labels are {', '.join(meaning.names)}."
        )
    targets = {name: renames.get(name, name) or "" for name in meaning.names}
    open_ones = [name for name in meaning.names if meaning.kind == "numbers" and name not in renames]
    if open_ones:
        images = [
            locator
            for locator, folder in zip(locators, folders, strict=True)
            if meaning.labels[folder] is not None
        ]
        known = meaning_of_numbers(meaning.names, images)
        if known is None:
            raise UnreadLabelsError(
                f"{root}: the folders {', '.join(open_ones)} are numbers, and class orders differ between "
                "data sets.",
                how_to_name(open_ones)
                + " If they are no classes: --unlabeled (for prepare) or --layout folder.",
                Manifest.from_rows(({"image": locator} for locator in locators), root, None, notes),
            )
        targets |= {name: known[name] or "" for name in open_ones}
        said = ", ".join(f"{name} {targets[name]}" for name in open_ones)
        notes.append(
            f"The folders are numbered as RAF-DB's classes are, whose pictures have such names: {said}."
        )
    elif meaning.renamed:
        said = ", ".join(f"{folder} as {label}" for folder, label in meaning.renamed[:_SHOWN])
        notes.append(f"Folders were read by the word in their name: {said}.")
    return targets


def _around(folders: Sequence[Parts], meaning: Meaning) -> list[str]:
    """A note on folders around those of the labels that tell nothing by themselves, as people and folds."""
    around: dict[str, None] = {}
    for folder in sorted(set(folders)):
        label = meaning.labels[folder]
        if label is None or meaning.kind is None:
            continue
        told = [position for position, name in enumerate(folder) if _label(name, meaning.kind, {}) == label]
        for name in folder[: told[0]] if told else ():
            if not meaning.splits[folder] or split_of(name) != meaning.splits[folder]:
                around[name] = None
    names = list(around)
    if len(names) < 2:
        return []
    shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    return [
        f"The folders {shown} around those of the labels were passed over. If they are people: --from-names "
        f"'{{person}}/{{label}}/*'; if they are splits: --splits {names[0]}=train {names[1]}=test."
    ]


def _left_out(locators: Sequence[str], folders: Sequence[Parts], meaning: Meaning, layout: str) -> list[str]:
    """Notes on pictures without a label or a split while others have one."""
    notes: list[str] = []
    bare = [
        row
        for row, folder in enumerate(folders)
        if meaning.labels[folder] is None and any(map(is_unlabeled, folder))
    ]
    if bare:
        notes.append(
            f"{len(bare):,} images lie in folders called unlabeled and have no label, first "
            f"{locators[bare[0]]}."
        )
    extra = [
        row
        for row, folder in enumerate(folders)
        if meaning.labels[folder] is None and not any(map(is_unlabeled, folder))
    ]
    if extra:
        where = f" (folders {', '.join(meaning.extra[:_SHOWN])})" if meaning.extra else ""
        notes.append(
            LeftOut(
                f"{len(extra):,} images lie outside the folders {layout}{where} and have no label, first "
                f"{locators[extra[0]]}."
            )
        )
    return notes


def _empty(root: Path, locators: Sequence[str], folders: Sequence[Parts], meaning: Meaning) -> list[str]:
    """A note on folders beside those of labels that hold no picture, as a broken copy leaves them."""
    if not root.is_dir():
        return []
    filled = {folder[:depth] for folder in set(folders) for depth in range(1, len(folder) + 1)}
    parents = {
        folder[:depth]
        for folder in set(folders)
        for depth, name in enumerate(folder)
        if meaning.labels[folder] is not None and _label(name, meaning.kind or "names", {}) in meaning.names
    }
    empty = [
        (*parent, child.name)
        for parent in sorted(parents)
        for child in sorted(root.joinpath(*parent).iterdir())
        if child.is_dir() and not child.name.startswith((".", "__")) and (*parent, child.name) not in filled
    ]
    if not empty:
        return []
    shown = ", ".join("/".join(parts) for parts in empty[:_SHOWN]) + (" …" if len(empty) > _SHOWN else "")
    return [Fault(f"{len(empty):,} folders beside those of the labels hold no picture: {shown}.")]


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


def _label(name: str, kind: Literal["words", "numbers", "names"], renamed: dict[str, str]) -> str:
    """The label that a folder's name tells."""
    if kind == "names":
        return name
    said = number_of(name) if kind == "numbers" else expression_of(name)
    if said is None:
        return name
    if said != name and kind == "words":
        renamed[name] = said
    return said
