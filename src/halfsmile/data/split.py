"""The label budget: which labels may be seen, drawn once and kept in a file that all stages share."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.manifest import Manifest
from halfsmile.files import atomic_write

ROLES = ("labeled", "held_out", "unlabeled")


@dataclass(frozen=True)
class LabelAmount:
    """How many labels: a share of each class, or a number per class.

    Args:
        share: Share of each class in (0, 1]; at least one face a class is drawn.
        per_class: Faces per class.
    """

    share: float | None = None
    per_class: int | None = None

    @classmethod
    def parse(cls, text: str) -> LabelAmount:
        """Read ``10%`` (share of each class), ``40`` (faces per class) or ``all``.

        Raises:
            ValueError: If the text is none of these.

        Example:
            >>> LabelAmount.parse("10%").share
            0.1
            >>> LabelAmount.parse("40").per_class
            40
        """
        text = text.strip()
        if text == "all":
            return cls(share=1.0)
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
            share = float(match.group(1)) / 100
            if 0 < share <= 1:
                return cls(share=share)
        elif re.fullmatch(r"\d+", text) and int(text) > 0:
            return cls(per_class=int(text))
        raise ValueError(
            f"Can't read a label budget from {text!r}: give a percentage of each class (10%), a number of "
            "faces per class (40), or all."
        )

    def of_class(self, available: int) -> int:
        """Faces to draw from a class of this size: SSFER's max(1, round(share · n)), or the fixed number."""
        if self.share is not None:
            return min(available, max(1, round(self.share * available)))
        return min(available, self.per_class or 0)


@dataclass(frozen=True)
class LabelBudget:
    """Role of each row of a training manifest.

    Args:
        images: Locators, one a row.
        roles: ``labeled`` (label may be used), ``unlabeled`` (it may not), or ``held_out`` (kept out of
            training; its label serves only to watch the quality of pseudo-labels, and selects nothing).
        fingerprint: Of the manifest that it was drawn for.
        amount: As the user gave it.
        seed: Of the draw.
    """

    images: tuple[str, ...]
    roles: tuple[str, ...]
    fingerprint: str
    amount: str
    seed: int

    @classmethod
    def draw(cls, manifest: Manifest, amount: str, *, seed: int, held_out: float = 0.05) -> LabelBudget:
        """Draw a budget, class by class.

        Args:
            manifest: Training rows; rows without a label are unlabeled.
            amount: See :meth:`LabelAmount.parse`.
            seed: Decides the draw, together with the manifest's order.
            held_out: Share of each class's remaining rows that is held out.

        Raises:
            ValueError: If a class would be left without a label, or a locator is there twice.
        """
        parsed = LabelAmount.parse(amount)
        if manifest.taxonomy is None:
            raise ValueError("A label budget needs labeled rows, but this manifest has no taxonomy.")
        classes = manifest.class_indices()
        images = tuple(manifest.column("image"))
        if len(set(images)) < len(images):
            (repeated, times), *_ = Counter(images).most_common(1)
            raise ValueError(
                f"{repeated} is in the manifest {times} times, and a face can have only one role. Remove the "
                "repeated rows."
            )
        roles = np.array(["unlabeled"] * len(manifest), dtype=object)
        empty = [n for i, n in enumerate(manifest.taxonomy.labels) if not (classes == i).any()]
        if empty:
            raise ValueError(
                f"A budget of {amount} leaves the classes {empty} without a label: the training data has no "
                f"face of them. Counts: {manifest.counts()}. Add faces, or use a taxonomy without these "
                "classes."
            )
        for index in range(len(manifest.taxonomy)):
            rng = np.random.default_rng([seed, index])
            rows = rng.permutation(np.flatnonzero(classes == index))
            count = parsed.of_class(len(rows))
            roles[rows[:count]] = "labeled"
            rest = rows[count:]
            roles[rest[: round(held_out * len(rest))]] = "held_out"
        return cls(images, tuple(roles), manifest.fingerprint(), amount, seed)

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
        with atomic_write(path) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary)

    @classmethod
    def load(cls, path: Path) -> LabelBudget:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: If the file is missing or not a label budget.
        """
        try:
            table = pq.read_table(path)
            metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
            return cls(
                tuple(table["image"].to_pylist()),
                tuple(table["role"].to_pylist()),
                metadata["fingerprint"],
                metadata["amount"],
                int(metadata["seed"]),
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
