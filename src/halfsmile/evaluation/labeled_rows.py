"""Which rows of a labeled data set a model is measured on, and what their labels are in the model's words."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halfsmile.data.manifest import SPLITS, Manifest
from halfsmile.data.protocols.protocol import Protocol
from halfsmile.data.protocols.read import read_labeled
from halfsmile.data.readers.words import SYNONYMS
from halfsmile.data.store.read import is_store
from halfsmile.utils.page import plural

ALL = "all"
"""In place of splits: every labeled row."""

CROPPED = ("ferplus", "rafdb", "affwild2")
"""Data sets whose pictures are faces that were cut out already."""


@dataclass(frozen=True, eq=False)
class LabeledRows:
    """Rows to measure a model on.

    Args:
        path: The data set.
        manifest: N rows, all with a label; the labels are still those of the data.
        targets: (N,) index of each row's label among the model's labels.
        protocol: What a number on these rows means; its test splits are the chosen ones.
        splits: The chosen splits; empty for all labeled rows.
        has_splits: Whether the data set has splits at all.
        are_crops: Whether the pictures are faces that were cut out already, as far as the layout tells.
        renames: Label of the data to label of the model, where they differ; None left the rows out.
        dropped: Number of rows that were left out by a rename.
        unlabeled: Number of rows of the chosen splits that have no label.
    """

    path: Path
    manifest: Manifest
    targets: npt.NDArray[np.int64]
    protocol: Protocol
    splits: tuple[str, ...]
    has_splits: bool
    are_crops: bool
    renames: Mapping[str, str | None]
    dropped: int
    unlabeled: int

    def __len__(self) -> int:
        return len(self.manifest)

    def describe(self) -> str:
        """One line for people: which rows."""
        which = f"split {' + '.join(self.splits)}" if self.splits else "all of them"
        if not self.has_splits:
            which += ", as the data have no splits"
        text = f"{plural(len(self), 'labeled row')} of {self.path}: {which}"
        changed = ", ".join(f"{old} as {new or 'none (left out)'}" for old, new in self.renames.items())
        text += f"; labels read as: {changed}" if changed else ""
        text += f"; {plural(self.dropped, 'row')} left out by that" if self.dropped else ""
        return text + (
            f"; {plural(self.unlabeled, 'row')} without a label left out" if self.unlabeled else ""
        )


def labeled_rows(
    path: Path,
    labels: Sequence[str],
    protocol: Protocol,
    *,
    split: str | Sequence[str] | None = None,
    rename: Mapping[str, str | None] | None = None,
    manifest: Manifest | None = None,
) -> LabeledRows:
    """Read a data set and choose its rows.

    Args:
        path: Any labeled layout that ``halfsmile data check`` recognizes.
        labels: Of the model. Labels of the data are the same by name, in upper or lower case.
        protocol: Of the data set.
        split: ``train``, ``valid``, ``test``, several of them, or ``all``; by default the protocol's test
            splits where the data have splits, else all labeled rows.
        rename: Label of the data to label of the model, or to None to leave its rows out.
        manifest: The data set, where it was read already.

    Raises:
        ValueError: If the data can't be read or have no labels, a split is unknown or has no labeled row, or
            a label is not the model's and not renamed.
    """
    manifest = read_labeled(protocol, path) if manifest is None else manifest
    if manifest.taxonomy is None or not any(manifest.counts().values()):
        raise ValueError(
            f"{path} has no labels to measure a model by. `halfsmile predict {path}` names expressions "
            f"without; `halfsmile data check {path}` says how the data are read."
        )
    has_splits = any(manifest.column("split"))
    chosen = _splits(split, protocol, has_splits=has_splits)
    names = manifest.column("label")
    own = manifest.column("split")
    within = [i for i in range(len(names)) if not chosen or own[i] in chosen]
    rows = [i for i in within if names[i] is not None]
    if not rows:
        raise ValueError(
            f"{path} has no labeled row of the split {' or '.join(chosen)}. {_there_is(manifest)}"
        )
    occurring = {names[i] for i in rows}
    targets = _targets(
        [name for name in manifest.taxonomy.labels if name in occurring],
        manifest.taxonomy.labels,
        labels,
        dict(rename or {}),
    )
    kept = [i for i in rows if targets[names[i]] is not None]
    if not kept:
        raise ValueError("Every row was left out by a rename to none; keep a label of the model.")
    index = {label: i for i, label in enumerate(labels)}
    return LabeledRows(
        path=path,
        manifest=manifest.take(kept),
        targets=np.array([index[str(targets[names[i]])] for i in kept], np.int64),
        protocol=replace(protocol, test_splits=chosen or ("all labeled rows",), test_people=None, group=None),
        splits=chosen,
        has_splits=has_splits,
        are_crops=are_crops(protocol, path, manifest),
        renames={old: new for old, new in targets.items() if old != new},
        dropped=len(rows) - len(kept),
        unlabeled=len(within) - len(rows),
    )


def are_crops(protocol: Protocol, path: Path, manifest: Manifest) -> bool:
    """Whether the pictures of a data set are faces that were cut out already, as far as its layout tells.

    Those of FERPlus, of RAF-DB and Aff-Wild2 as they are read here, of AffectNet's release of 2021 (that of
    2017 has photographs and boxes), and of face stores are.
    """
    if protocol.data_set in CROPPED or is_store(path) or is_store(manifest.root):
        return True
    return protocol.data_set == "affectnet" and manifest.table["box"].null_count == len(manifest)


def _splits(split: str | Sequence[str] | None, protocol: Protocol, *, has_splits: bool) -> tuple[str, ...]:
    """The splits to take; none for all rows."""
    asked = (split,) if isinstance(split, str) else tuple(dict.fromkeys(split or ()))
    unknown = [name for name in asked if name not in (*SPLITS, ALL)]
    if unknown:
        raise ValueError(f"Unknown split {unknown[0]!r}; choose of {', '.join(SPLITS)}, or {ALL}.")
    if ALL in asked:
        if len(asked) > 1:
            raise ValueError(
                f"The split {ALL} takes every labeled row and stands alone; found {', '.join(asked)}."
            )
        return ()
    if asked or not has_splits:
        return asked
    return protocol.test_splits


def _there_is(manifest: Manifest) -> str:
    """What splits there are, and what to type."""
    pairs = zip(manifest.column("split"), manifest.column("label"), strict=True)
    counts = Counter(split for split, label in pairs if label is not None)
    found = {name: counts[name] for name in SPLITS if counts[name]}
    said = [f"{name} {count:,}" for name, count in found.items()]
    said += [f"without a split {counts[None]:,}"] if counts[None] else []
    choices = [f"--split {name}" for name in (" ".join(found), ALL) if name]
    return f"Labeled rows: {', '.join(said)}. Choose with {' or '.join(choices)}."


def _targets(
    found: Sequence[str],
    known: Sequence[str],
    labels: Sequence[str],
    rename: dict[str, str | None],
) -> dict[str, str | None]:
    """The model's label for each label that was found, None for those to leave out.

    Args:
        found: Labels that occur in the chosen rows.
        known: All labels of the data.
        labels: Labels of the model.
        rename: As asked.
    """
    by_name = {
        **{label.casefold(): label for label in reversed(labels)},
        **{label: label for label in labels},
    }

    def of_model(name: str) -> str | None:
        return by_name.get(name, by_name.get(name.casefold()))

    absent = [old for old in rename if old not in known]
    if absent:
        raise ValueError(
            f"The data have no label {absent[0]!r} to rename; they have {', '.join(known)}. Write --rename "
            "LABEL_OF_THE_DATA=LABEL_OF_THE_MODEL."
        )
    wrong = [new for new in rename.values() if new is not None and of_model(new) is None]
    if wrong:
        raise ValueError(
            f"The model has no label {wrong[0]!r}; it has {', '.join(labels)}. Rename to one of them, or to "
            "none to leave the rows out."
        )
    asked = {old: None if new is None else of_model(new) for old, new in rename.items()}
    targets = {name: asked[name] if name in asked else of_model(name) for name in found}
    missing = [name for name in found if name not in asked and targets[name] is None]
    if missing:
        proposed = asked | {name: of_model(SYNONYMS.get(name.casefold(), "")) for name in missing}
        typed = " ".join(shlex.quote(f"{old}={new or 'none'}") for old, new in proposed.items())
        raise ValueError(
            f"The model does not have the labels {', '.join(missing)} of the data.\n"
            f"  data:  {', '.join(known)}\n"
            f"  model: {', '.join(labels)}\n"
            f"Say which of the model's they are: --rename {typed} (none leaves their rows out)."
        )
    return targets
