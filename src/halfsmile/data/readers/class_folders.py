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
from collections.abc import Mapping, Sequence
from pathlib import Path

from halfsmile.data.containers.archive import inner_path, split_locator
from halfsmile.data.manifest import Fault, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.beside.class_names import class_names_beside
from halfsmile.data.readers.folder import list_images
from halfsmile.data.readers.folders.meaning import Meaning, Parts, label_of, split_by_words, understand
from halfsmile.data.readers.words import (
    are_numbered_as_rafdb,
    expression_of,
    how_to_name,
    is_unlabeled,
    meaning_of,
    meaning_of_numbers,
    number_of,
    split_of,
)
from halfsmile.taxonomy import RAFDB, Taxonomy, from_names

_SHOWN = 12
_TEXTS = frozenset((".txt", ".csv", ".tsv", ".json", ".md", ".xml", ".yaml", ".lst"))


def read(
    root: Path,
    taxonomy: Taxonomy | None = None,
    *,
    labels: Mapping[str, str | None] | None = None,
    splits: Mapping[str, str | None] | None = None,
    files: Sequence[str] | None = None,
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
        files: What is read in place of the images below the root.

    Returns:
        Rows with ``image`` and ``label``, in the order of the file names, and ``split`` where the layout
        has splits.

    Raises:
        UnreadLabelsError: If the folders are numbers without names.
        ValueError: If there is no image, no or only one label, or a folder that the taxonomy lacks.
    """
    locators, notes = (list(files), list[str]()) if files is not None else list_images(root)
    folders = [tuple(inner_path(locator).split("/")[:-1]) for locator in locators]
    _require_folders(root, folders, splits or {})
    meaning = understand(folders, any_names=True, named=splits)
    layout = "<split>/<label>/" if meaning.has_splits else "<label>/"
    if not meaning.names:
        raise ValueError(
            f"{root} has {len(locators)} images but none in a folder {layout}; first {locators[0]}."
        )
    targets = _targets(root, locators, folders, meaning, dict(labels or {}), notes)
    kept = [row for row, folder in enumerate(folders) if targets.get(meaning.labels[folder] or "") != ""]
    notes += _around(folders, meaning) + _in_two(locators, folders, meaning)
    notes += _left_out(locators, folders, meaning, layout) + _empty(Path(root), locators, folders, meaning)
    if len(kept) < len(locators):
        notes.append(
            LeftOut(f"{len(locators) - len(kept):,} images were dropped because of their label, as asked.")
        )
    names = list(dict.fromkeys(target for _, target in sorted(targets.items()) if target))
    if taxonomy is None and meaning.kind == "numbers" and not labels and are_numbered_as_rafdb(targets):
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
        beside = class_names_beside([Path(root)], open_ones, locators)
        known = beside.names or meaning_of_numbers(meaning.names, images)
        if known is None:
            raise UnreadLabelsError(
                f"{root}: the folders {', '.join(open_ones)} are numbers, and class orders differ between "
                f"data sets.{f' {beside.note}' if beside.note else ''}",
                how_to_name(open_ones)
                + " If they are no classes: --unlabeled (for prepare) or --layout folder.",
                Manifest.from_rows(({"image": locator} for locator in locators), root, None, notes),
            )
        targets |= {name: known[name] or "" for name in open_ones}
        said = ", ".join(f"{name} {targets[name]}" for name in open_ones)
        notes.append(
            beside.note
            if beside.names
            else f"The folders are numbered as RAF-DB's classes are, whose pictures have such names: {said}."
        )
    elif meaning.renamed:
        said = ", ".join(f"{folder} as {label}" for folder, label in meaning.renamed[:_SHOWN])
        notes.append(f"Folders were read by the word in their name: {said}.")
    return targets


def _around(folders: Sequence[Parts], meaning: Meaning) -> list[str]:
    """Notes on folders around those of the labels that tell nothing by themselves, as people and folds."""
    around: dict[str, int] = {}
    lacking: dict[str, int] = {}
    counts = Counter(folders)
    for folder in sorted(set(folders)):
        label = meaning.labels[folder]
        if label is None or meaning.kind is None:
            continue
        told = [position for position, name in enumerate(folder) if label_of(name, meaning.kind, {}) == label]
        for name in folder[: told[0]] if told else ():
            if not meaning.splits[folder] or (
                split_of(name) != meaning.splits[folder] and name not in dict(meaning.guessed)
            ):
                around[name] = around.get(name, 0) + counts[folder]
        if meaning.has_splits and not meaning.splits[folder]:
            lacking[folder[0]] = lacking.get(folder[0], 0) + counts[folder]
    notes = []
    if meaning.guessed:
        said = ", ".join(f"{name} as {split}" for name, split in meaning.guessed)
        notes.append(f"Folders were read as splits by the word in their name: {said}.")
    if lacking:
        names = sorted(lacking)
        return [
            *notes,
            LeftOut(
                f"{sum(lacking.values()):,} labeled images lie outside the folders of the splits, in "
                f"{_listed(names)}, and take no part in training or testing. Say which split they are: "
                f"{_splits_of(names[:1])}, or none."
            ),
        ]
    if len(names := list(around)) < 2:
        return notes
    note = (
        f"The folders {_listed(names)} around those of the labels were passed over. If they are people: "
        f"--from-names '{{person}}/{{label}}/*'; if they are splits: "
        f"{_splits_of(sorted(names, key=lambda name: -around[name]))}."
    )
    is_split = sum(split_by_words(name) is not None for name in names) > 1
    return [*notes, Fault(note) if is_split and not meaning.has_splits else note]


def _splits_of(names: Sequence[str]) -> str:
    """What to type to make folders splits, by the words in their names, else the first one the training's."""
    others = iter(("train", "test") if len(names) > 1 else ("test",))
    said = {name: split_by_words(name) for name in names[:_SHOWN]}
    if not any(said.values()):
        said = dict(zip(names[:2], others, strict=False))
    return "--splits " + " ".join(f"{name}={split}" for name, split in said.items() if split)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def _in_two(locators: Sequence[str], folders: Sequence[Parts], meaning: Meaning) -> list[str]:
    """A fault where pictures lie in folders of two expressions, one in the other."""
    torn = {
        folder
        for folder in set(folders)
        if meaning.kind == "words"
        and len({said for name in folder if (said := meaning_of(name)) is not None}) > 1
    }
    rows = [row for row, folder in enumerate(folders) if folder in torn]
    if not rows:
        return []
    return [
        Fault(
            f"{len(rows):,} images lie in folders of two expressions, one in the other, and have the label "
            f"of the outer one, first {locators[rows[0]]} as {meaning.labels[folders[rows[0]]]}. Move them "
            "to where they belong."
        )
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


def _has_texts(folder: Path) -> bool:
    """Whether a folder is one of lists or notes."""
    return any(path.suffix.lower() in _TEXTS for path in folder.iterdir())


def _empty(root: Path, locators: Sequence[str], folders: Sequence[Parts], meaning: Meaning) -> list[str]:
    """A note on folders beside those of labels that hold no picture, as a broken copy leaves them."""
    if not root.is_dir() or any(split_locator(locator) for locator in locators[:1]):
        return []
    filled = {folder[:depth] for folder in set(folders) for depth in range(1, len(folder) + 1)}
    parents = {
        folder[:depth]
        for folder in set(folders)
        for depth, name in enumerate(folder)
        if meaning.labels[folder] is not None and label_of(name, meaning.kind or "names", {}) in meaning.names
    }
    empty = [
        (*parent, child.name)
        for parent in sorted(parents)
        for child in sorted(root.joinpath(*parent).iterdir())
        if child.is_dir()
        and not child.name.startswith((".", "__"))
        and (*parent, child.name) not in filled
        and not (expression_of(child.name) is None and _has_texts(child))
    ]
    if not empty:
        return []
    shown = ", ".join("/".join(parts) for parts in empty[:_SHOWN]) + (" …" if len(empty) > _SHOWN else "")
    return [Fault(f"{len(empty):,} folders beside those of the labels hold no picture: {shown}.")]
