"""The predictions of a run as a Parquet file, from which every score can be recomputed.

Columns: ``image``, ``split``, ``label`` (the truth) and ``predicted`` (strings), ``probabilities``
(list<float32>) and, where it is known, ``sha256`` of each picture's decoded pixels. The order of the
probabilities is the JSON list ``halfsmile.labels`` in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.metrics.scores import Metrics, evaluate_predictions
from halfsmile.taxonomy import Taxonomy, from_labels
from halfsmile.utils.files import atomic_write

SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("split", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("probabilities", pa.list_(pa.float32())),
    ]
)
HASH = pa.field("sha256", pa.string())
LABELS_KEY = b"halfsmile.labels"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said about N images.

    Args:
        images: Locators.
        splits: Split of each image.
        targets: (N,) true class indices.
        probabilities: (N, K) float32, rows sum to 1.
        taxonomy: The K classes.
        sha256: Hash of each picture's decoded pixels, None of one that can't be read; None where they are not
            known.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    taxonomy: Taxonomy
    sha256: tuple[str | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) index of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """(N,) probability of the most probable class."""
        return np.asarray(self.probabilities.max(axis=1))

    def metrics(self) -> Metrics:
        """Every score of these predictions."""
        return evaluate_predictions(self.probabilities, self.targets, self.taxonomy)


def write_predictions(
    path: Path,
    images: Sequence[str],
    splits: Sequence[str],
    truth: Sequence[str] | npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    taxonomy: Taxonomy,
    sha256: Sequence[str | None] | None = None,
) -> None:
    """Write predictions atomically.

    Args:
        path: The Parquet file.
        images: N locators.
        splits: N split names.
        truth: N label names, or class indices (N,).
        probabilities: (N, K), rows sum to 1.
        taxonomy: The K classes.
        sha256: N hashes of the pictures' decoded pixels, if they are known.

    Raises:
        ValueError: If lengths differ, a label is unknown, or the probabilities are not such.
    """
    if isinstance(truth, np.ndarray):
        targets = truth
    else:
        targets = np.array([taxonomy.index(label) for label in truth], dtype=np.int64)
    if not len(images) == len(splits) == len(targets):
        raise ValueError(
            f"Found {len(images)} images, {len(splits)} splits and {len(targets)} true labels; "
            "predictions need one of each per row."
        )
    evaluate_predictions(probabilities, targets, taxonomy)
    stored = np.ascontiguousarray(probabilities, dtype=np.float32)
    offsets = np.arange(len(stored) + 1, dtype=np.int32) * len(taxonomy)
    table = pa.table(
        [
            pa.array(list(images), pa.string()),
            pa.array(list(splits), pa.string()),
            pa.array([taxonomy.labels[k] for k in targets], pa.string()),
            pa.array([taxonomy.labels[k] for k in stored.argmax(axis=1)], pa.string()),
            pa.ListArray.from_arrays(offsets, stored.ravel()),
        ],
        schema=SCHEMA,
    )
    if sha256 is not None:
        table = table.append_column(HASH, pa.array(list(sha256), HASH.type))
    table = table.replace_schema_metadata({LABELS_KEY: json.dumps(taxonomy.labels)})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def read_predictions(path: Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises:
        ValueError: If the file is missing, is no Parquet file of predictions, or its values do not fit.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"{path} is not a readable Parquet file of predictions: {error}") from error
    metadata = table.schema.metadata or {}
    hashes = HASH.name in table.schema.names
    if table.schema.names != [*SCHEMA.names, *([HASH.name] if hashes else [])] or LABELS_KEY not in metadata:
        raise ValueError(
            f"{path} holds no predictions: expected the columns {SCHEMA.names} and the class order in the "
            f"metadata entry {LABELS_KEY.decode()!r}, found {table.schema.names} and {sorted(metadata)}."
        )
    taxonomy = from_labels(json.loads(metadata[LABELS_KEY]))
    rows = table["probabilities"].to_pylist()
    lengths = {len(row or ()) for row in rows}
    if lengths != {len(taxonomy)}:
        raise ValueError(
            f"{path}: expected {len(taxonomy)} probabilities per row, one for each of "
            f"{list(taxonomy.labels)}, found {sorted(lengths) or 'no row'}."
        )
    try:
        targets = np.array([taxonomy.index(label) for label in table["label"].to_pylist()], dtype=np.int64)
        probabilities = np.array(rows, dtype=np.float32)
        evaluate_predictions(probabilities, targets, taxonomy)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Predictions(
        tuple(table["image"].to_pylist()),
        tuple(table["split"].to_pylist()),
        targets,
        probabilities,
        taxonomy,
        tuple(table[HASH.name].to_pylist()) if hashes else None,
    )
