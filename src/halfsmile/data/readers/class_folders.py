"""Labeled faces in folders named after their label, with or without folders for the splits above them.

``root/<label>/*`` or ``root/{train,valid,test}/<label>/*``; ``val`` and ``validation`` mean ``valid``. The
root may be a zip or tar archive; folders that wrap all of its contents are passed over. Below a label's
folder, sub-folders are searched too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.folder import list_images
from halfsmile.taxonomy import Taxonomy, from_names

SPLIT_FOLDERS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}


def read(root: Path, taxonomy: Taxonomy | None = None) -> Manifest:
    """Read images whose label is the name of their folder.

    Args:
        root: Folder or archive in one of the layouts above.
        taxonomy: Classes that the folders are named after, upper or lower case. Without it, a known taxonomy
            with exactly these names is taken (the first of :data:`~halfsmile.taxonomy.TAXONOMIES`), else the
            sorted names of the folders become a taxonomy of their own.

    Returns:
        Rows with ``image`` and ``label``, in the order of the file names, and ``split`` where the layout
        has splits.

    Raises:
        ValueError: If there is no image, no or only one label, or a folder that the taxonomy lacks.
    """
    locators, notes = list_images(root)
    wrapping = _wrapping_folders(locators) if Path(root).is_file() else 0
    outer = {locator.split("/")[wrapping] for locator in locators if locator.count("/") > wrapping}
    has_splits = outer <= SPLIT_FOLDERS.keys()
    depth = wrapping + (2 if has_splits else 1)
    labeled = [locator for locator in locators if locator.count("/") >= depth]
    outside = len(locators) - len(labeled)
    layout = "<split>/<label>/" if has_splits else "<label>/"
    if not labeled:
        raise ValueError(f"{root} has {outside} images but none in a folder {layout}; first {locators[0]}.")
    if outside:
        notes.append(f"{outside} images lie outside the folders {layout} and were ignored.")

    folders = [locator.split("/")[depth - 1] for locator in labeled]
    taxonomy = taxonomy or from_names(sorted(set(folders)))
    by_name = {label.casefold(): label for label in taxonomy.labels}
    unknown = sorted({folder for folder in folders if folder.casefold() not in by_name})
    if unknown:
        raise ValueError(
            f"{root}: the folders {sorted(set(folders))} do not match the taxonomy {taxonomy.name!r} "
            f"{list(taxonomy.labels)}: {unknown} are not in it. Rename or remove these folders."
        )
    labels = [by_name[folder.casefold()] for folder in folders]
    counts = Counter(labels)
    absent = [label for label in taxonomy.labels if not counts[label]]
    if absent:
        notes.append(f"Taxonomy {taxonomy.name!r} has labels without an image: {', '.join(absent)}.")
    splits = [SPLIT_FOLDERS[locator.split("/")[wrapping]] if has_splits else None for locator in labeled]
    return Manifest.from_rows(
        (
            {"image": image, "label": label, "split": split}
            for image, label, split in zip(labeled, labels, splits, strict=True)
        ),
        root,
        taxonomy,
        notes,
    )


def _wrapping_folders(locators: list[str]) -> int:
    """How many outer folders hold all the images and no others, split folders not counted."""
    paths = [locator.split("/")[:-1] for locator in locators]
    count = 0
    while all(len(path) > count + 1 and path[count] == paths[0][count] for path in paths):
        if paths[0][count] in SPLIT_FOLDERS:
            break
        count += 1
    return count
