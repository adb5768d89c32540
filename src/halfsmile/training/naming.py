"""Pseudo-labels that a stage is taught: the network of the stage before names every face once.

``pseudo_labels.parquet`` in the folder of the stage keeps what the network said, so that a run that was
stopped goes on with the same names, and so that people can read them: ``image``, ``predicted``, and
``probabilities`` (list<float32>) in the order of the JSON list ``halfsmile.labels`` in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.precision import Precision
from halfsmile.runs.predictions import LABELS_KEY
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.utils.files import atomic_write
from halfsmile.utils.progress import Progress

NAMES = "pseudo_labels.parquet"
_BATCH = 128

Probabilities = npt.NDArray[np.float32]


def name_faces(
    folder: Path,
    method: NoisyStudent,
    teacher: Classifier,
    pool: ImagePool,
    images: Sequence[str],
    *,
    where: Processes,
    precision: Precision,
) -> Probabilities:
    """What the teacher says of each face of the pool, (N, classes): said once, then read from the file.

    Args:
        folder: Of the stage that will learn them.
        method: How the teacher is asked.
        teacher: A classifier that has finished learning.
        pool: N unlabeled faces.
        images: Where each of them is from, N locators.
        where: This process; the main one asks, the others read.
        precision: Number format.

    Raises:
        ValueError: If the file that an earlier start left is of other faces or classes.
    """
    path = folder / NAMES
    with where.main_first():
        if where.is_main and not path.exists():
            said = _ask(method, teacher, pool, where, precision)
            _write(path, images, said, teacher.taxonomy)
        return _read(path, images, teacher.taxonomy)


@torch.no_grad()
def _ask(
    method: NoisyStudent, teacher: Classifier, pool: ImagePool, where: Processes, precision: Precision
) -> Probabilities:
    device = where.device
    views = MirroredClassifier(teacher, zoom=method.zoom).to(device).eval()
    views.to(memory_format=torch.channels_last)
    said = []
    with Progress("naming unlabeled faces", total=len(pool)) as shown:
        for start in range(0, len(pool), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(pool)))
            faces = pool(rows).to(device).float() / 255
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                logits: Tensor = views(faces)
            said.append(logits.float().softmax(dim=1).cpu())
            shown.advance(len(rows))
    found: Probabilities = torch.cat(said).numpy()
    return found


def _write(path: Path, images: Sequence[str], said: Probabilities, taxonomy: Taxonomy) -> None:
    offsets = np.arange(len(said) + 1, dtype=np.int32) * len(taxonomy)
    table = pa.table(
        {
            "image": pa.array(list(images), pa.string()),
            "predicted": pa.array([taxonomy.labels[k] for k in said.argmax(axis=1)], pa.string()),
            "probabilities": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(said).ravel()),
        }
    ).replace_schema_metadata({LABELS_KEY: json.dumps(taxonomy.labels)})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def _read(path: Path, images: Sequence[str], taxonomy: Taxonomy) -> Probabilities:
    table = pq.read_table(path, partitioning=None)
    labels = json.loads((table.schema.metadata or {}).get(LABELS_KEY, b"[]"))
    if table["image"].to_pylist() != list(images) or tuple(labels) != taxonomy.labels:
        raise ValueError(
            f"{path} names other faces ({len(table):,}, classes {', '.join(labels)}) than this run's "
            f"{len(images):,}. Delete the file to have them named again, or use a new folder for --out."
        )
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return np.array(flat, np.float32).reshape(len(table), len(taxonomy))
