"""The label budget: which labels may be seen, drawn once and kept in a file that all stages share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.grouped_draw import draw_groups, group_counts
from halfsmile.data.label_amount import LabelAmount
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.words import same_expression
from halfsmile.utils.files import atomic_write

__all__ = ["ROLES", "LabelAmount", "LabelBudget", "is_budget", "require_no_budget"]

ROLES = ("labeled", "held_out", "unlabeled")
Group = Literal["person", "video"]


@dataclass(frozen=True)
class LabelBudget:
    """Role of each row of a training manifest.

    Args:
        images: Locators, one a row.
        roles: ``labeled`` (label may be used), ``unlabeled`` (it may not), or ``held_out`` (kept out of
            training; its label watches the quality of pseudo-labels, which selects nothing, and
            calibrates the export).
        fingerprint: Of the manifest that it was drawn for.
        amount: As the user gave it.
        seed: Of the draw.
        group: Column whose equal values share a role; None if rows were drawn one by one.
    """

    images: tuple[str, ...]
    roles: tuple[str, ...]
    fingerprint: str
    amount: str
    seed: int
    group: Group | None = None

    @classmethod
    def draw(
        cls,
        manifest: Manifest,
        amount: str,
        *,
        seed: int,
        held_out: float = 0.05,
        group: Group | None = None,
    ) -> LabelBudget:
        """Draw a budget, class by class, or by whole groups.

        Neighboring frames of a video and pictures of one person are much alike: drawn one by one, a tenth of
        the labels tells nearly all of them. With ``group``, all labeled rows of a person or a video have one
        role, and the numbers of labels are only about what was asked for.

        Args:
            manifest: Training rows; rows without a label are unlabeled.
            amount: See :meth:`LabelAmount.parse`.
            seed: Decides the draw, together with the manifest's order.
            held_out: Share of each class's remaining rows that is held out; one by one, those with an exact
                copy among the other rows are not.
            group: ``person`` or ``video``: a column of the manifest; rows without a value stand alone.

        Raises:
            ValueError: If a class would be left without a label, a locator is there twice, the amount does
                not fit the classes, ``held_out`` is no share, or no row has a value of ``group``.
        """
        if not 0 <= held_out <= 1:
            raise ValueError(f"The held-out share must be from 0 to 1, found {held_out}; 0.05 is 5 %.")
        parsed = LabelAmount.parse(amount)
        if manifest.taxonomy is None:
            raise ValueError("A label budget needs labeled rows, but this manifest has no taxonomy.")
        classes = manifest.class_indices()
        images = tuple(manifest.column("image"))
        if len(set(images)) < len(images):
            (repeated, times), *_ = Counter(images).most_common(1)
            raise ValueError(
                f"{repeated} is listed {times} times, and a picture can have only one role. "
                + _of_repeats(manifest)
            )
        empty = [n for i, n in enumerate(manifest.taxonomy.labels) if not (classes == i).any()]
        if empty:
            raise ValueError(
                f"A budget of {amount} leaves the classes {empty} without a label: the training data has no "
                f"face of them. Counts: {manifest.counts()}. {_of_empty(manifest.taxonomy.labels, empty)}"
            )
        parsed.require_classes(manifest.counts())
        wanted = np.array([parsed.of_class(n, name) for name, n in manifest.counts().items()])
        if group is None:
            roles = _one_by_one(classes, wanted, seed=seed, held_out=held_out)
            roles = _without_copies(roles, manifest.column("sha256"))
        else:
            roles = _by_group(manifest, wanted, group, seed=seed, held_out=held_out)
        return cls(images, tuple(roles), manifest.fingerprint(), amount, seed, group)

    def rows(self, manifest: Manifest, role: str) -> Manifest:
        """Rows of one role; the labels of ``unlabeled`` rows are gone from what is returned.

        Args:
            manifest: The training rows that the budget was drawn for, or some of them in any order.
            role: One of ``labeled``, ``held_out``, ``unlabeled``.

        Raises:
            ValueError: If the manifest has a row that the budget does not know.
        """
        known = dict(zip(self.images, self.roles, strict=True))
        images = manifest.column("image")
        unknown = [image for image in images if image not in known]
        if unknown:
            raise ValueError(
                f"The label budget does not know {len(unknown)} of {len(images)} rows (first: {unknown[0]}). "
                "It was drawn for other data; draw a new one in a new run folder."
            )
        chosen = manifest.take([i for i, image in enumerate(images) if known[image] == role])
        return chosen.without_labels() if role == "unlabeled" else chosen

    def save(self, path: Path) -> None:
        """Write as Parquet with the columns ``image`` and ``role``."""
        table = pa.table({"image": list(self.images), "role": list(self.roles)})
        metadata = {"fingerprint": self.fingerprint, "amount": self.amount, "seed": str(self.seed)}
        if self.group is not None:
            metadata["group"] = self.group
        with atomic_write(path) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary)

    @classmethod
    def load(cls, path: Path) -> LabelBudget:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: If the file is missing or not a label budget.
        """
        try:
            table = pq.read_table(path, partitioning=None)
            metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
            group: Any = metadata.get("group")
            return cls(
                tuple(table["image"].to_pylist()),
                tuple(table["role"].to_pylist()),
                metadata["fingerprint"],
                metadata["amount"],
                int(metadata["seed"]),
                group,
            )
        except (OSError, KeyError, pa.ArrowInvalid) as error:
            raise ValueError(f"{path} is not a label budget written by halfsmile: {error}") from error

    def require_same_data(self, manifest: Manifest) -> None:
        """Refuse a training manifest other than the one that the budget was drawn for.

        Raises:
            ValueError: If the fingerprints differ.
        """
        if manifest.fingerprint() != self.fingerprint:
            raise ValueError(
                "The training data is not what this label budget was drawn for (fingerprints differ): files, "
                "labels or the label rule have changed. Use a new run folder."
            )


def is_budget(path: Path) -> bool:
    """Whether a file is one that :meth:`LabelBudget.save` wrote."""
    if not path.is_file():
        return False
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return False
    told = (schema.metadata or {}).keys() >= {b"fingerprint", b"amount", b"seed"}
    return told and schema.names == ["image", "role"]


def require_no_budget(path: Path) -> None:
    """Refuse the file of a label budget where a data set is wanted.

    Raises:
        ValueError: If it is one.
    """
    if path.suffix.lower() == ".parquet" and is_budget(path):
        raise ValueError(
            f"{path} is a label budget: it says which labels of a data set may be used, and holds no faces. "
            f"Give both: `halfsmile train … --data DATA --budget {path}`."
        )


def _of_empty(labels: Sequence[str], empty: Sequence[str]) -> str:
    """What to do about classes without a face; other words for classes that have some are told as such."""
    pairs = [
        (name, other)
        for group in same_expression(labels)
        for name in group
        if name in empty and (other := next((one for one in group if one not in empty), None))
    ]
    if pairs:
        return (
            "To make words for one expression one class, where the data are read: --label-names "
            f"{' '.join(f'{name}={other}' for name, other in pairs)}."
        )
    dropped = " ".join(f"{name}=none" for name in empty)
    return f"Add faces, or leave these classes out where the data are read: --label-names {dropped}."


def _of_repeats(manifest: Manifest) -> str:
    """What to do about pictures that are listed several times."""
    if manifest.table["box"].null_count < len(manifest):
        return (
            "Where each row is another of its faces, cut them out and train on these: `halfsmile data "
            "prepare DATA --detector given --out STORE`."
        )
    return (
        "Keep one row of each picture, or make votes of several answers: `halfsmile data import PICTURES "
        "TABLE --layout folder --out list.parquet`."
    )


def _one_by_one(
    classes: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64], *, seed: int, held_out: float
) -> list[str]:
    """Roles of rows drawn from each class."""
    roles = np.array(["unlabeled"] * len(classes), dtype=object)
    for index, count in enumerate(wanted.tolist()):
        rng = np.random.default_rng([seed, index])
        rows = rng.permutation(np.flatnonzero(classes == index))
        roles[rows[:count]] = "labeled"
        rest = rows[count:]
        roles[rest[: round(held_out * len(rest))]] = "held_out"
    return list(roles)


def _without_copies(roles: list[str], hashes: Sequence[str | None]) -> list[str]:
    """The same roles, but rows held out whose pixels some other row trains with are unlabeled."""
    trained = {digest for role, digest in zip(roles, hashes, strict=True) if role != "held_out"} - {None}
    return [
        "unlabeled" if digest in trained and role == "held_out" else role
        for role, digest in zip(roles, hashes, strict=True)
    ]


def _by_group(
    manifest: Manifest, wanted: npt.NDArray[np.int64], group: str, *, seed: int, held_out: float
) -> list[str]:
    """Roles of rows drawn as whole groups; a row without a label in them stays unlabeled."""
    if group not in get_args(Group):
        raise ValueError(f"Rows are grouped by {get_args(Group)}, found {group!r}.")
    names, classes = manifest.column(group), manifest.class_indices()
    if not any(name is not None for name in names):
        raise ValueError(f"No row of this manifest says its {group}: draw without groups.")
    of_row, counts = group_counts(names, classes, len(wanted))
    order = np.random.default_rng([seed, len(wanted)]).permutation(len(counts))
    labeled = draw_groups(counts, wanted, order)
    missing = [
        n for n, found in zip(manifest.counts(), counts[labeled].sum(axis=0), strict=True) if not found
    ]
    if missing:
        raise ValueError(
            f"A budget by {group} leaves the classes {missing} without a label; there are "
            f"{len(counts)} groups. Ask for more labels, try another seed, or draw without groups."
        )
    rest = order[~np.isin(order, labeled)]
    watched = draw_groups(counts, np.round(held_out * counts[rest].sum(axis=0)).astype(np.int64), rest)
    role_of_group = np.array(["unlabeled"] * len(counts), dtype=object)
    role_of_group[labeled], role_of_group[watched] = "labeled", "held_out"
    return list(np.where(classes >= 0, role_of_group[of_row], "unlabeled"))
