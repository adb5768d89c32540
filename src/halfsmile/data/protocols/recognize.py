"""Which data set lies at a path, and its protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from halfsmile.data.protocols.protocol import PROTOCOLS, DataSet, Protocol
from halfsmile.data.readers.registry import Layout, read_any, recognize
from halfsmile.data.readers.words import are_rafdb
from halfsmile.data.split import require_no_budget
from halfsmile.taxonomy import FERPLUS, RAFDB


def protocol_of(
    path: Path,
    *,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
) -> Protocol:
    """The protocol of the data at a path, recognized as ``halfsmile data check`` does.

    A store or manifest with FERPlus's classes and votes was made of FERPlus; of other stores nothing says
    which data set they were made of, so they are ``faces`` unless ``data_set`` says more.

    Args:
        path: Folder, table, archive or store.
        data_set: Takes the place of what is recognized.
        label_rule: Takes the place of the usual rule.
        num_classes: Takes the place of the usual number.

    Raises:
        ValueError: If there is no such path, it is a label budget, or a choice does not fit the data set.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    require_no_budget(path)
    found = PROTOCOLS[data_set or _recognized(path)]
    return replace(
        found, label_rule=label_rule or found.label_rule, num_classes=num_classes or found.num_classes
    )


def _recognized(path: Path) -> DataSet:
    layout = layout_of(path)
    if layout is None:
        return "faces"
    for known in get_args(DataSet):
        if layout.name == known:
            data_set: DataSet = known
            return data_set
    if layout.name in ("store", "manifest"):
        manifest = read_any(path)
        has_votes = manifest.table["votes"].null_count < len(manifest)
        if manifest.taxonomy is not None and manifest.taxonomy.labels == FERPLUS.labels and has_votes:
            return "ferplus"
    if layout.has_rafdb_names and _is_rafdb(path):
        return "rafdb"
    return "faces"


def _is_rafdb(path: Path) -> bool:
    """Whether folders or a table hold RAF-DB, in its own splits and with its own classes."""
    try:
        manifest = read_any(path)
    except ValueError:
        return False
    classes = set(manifest.taxonomy.labels) if manifest.taxonomy else set()
    return classes == set(RAFDB.labels) and are_rafdb(manifest.column("image"), manifest.column("split"))


def layout_of(path: Path) -> Layout | None:
    """The layout of a path, if its own files or the names of its pictures tell it."""
    try:
        layout = recognize(path)
    except ValueError:
        return None
    return layout if layout.is_certain or layout.has_rafdb_names else None


def root_of(path: Path) -> Path:
    """The folder to read: the path, or the one below that it only wraps."""
    layout = layout_of(path)
    return path if layout is None else layout.root
