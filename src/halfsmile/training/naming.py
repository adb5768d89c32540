"""Pseudo-labels that a stage is taught: finished networks name every face once, before the stage begins.

``pseudo_labels.parquet`` in the folder of the stage keeps what they said, so that a run that was stopped goes
on with the same names, and so that people can read them: ``image``; ``predicted``; ``agreement``, the share
of the teachers whose first choice that is; and ``probabilities`` (list<float32>), their mean, in the order of
the JSON list ``halfsmile.labels`` in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.trained import load_classifier
from halfsmile.methods.noisy_student import Naming
from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.precision import Precision
from halfsmile.models.weight_files import FACE
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import LABELS_KEY
from halfsmile.runs.stages import StageName
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.training.teaching.onnx_network import is_onnx
from halfsmile.utils.files import atomic_write
from halfsmile.utils.progress import Progress

NAMES = "pseudo_labels.parquet"
_BATCH = 128

Probabilities = npt.NDArray[np.float32]


def naming_of(recipe: Recipe, stage: StageName) -> Naming | None:
    """How unlabeled faces are named before a stage begins, or who teaches it; None where nobody does."""
    if stage == "pretrain":
        teacher = recipe.pretrain.teacher if recipe.pretrain is not None else None
        is_run = teacher is not None and teacher != FACE and not is_onnx(teacher)
        return Naming(teachers=(str(teacher),)) if is_run else None
    if stage == "tune":
        return recipe.tune.named if recipe.tune is not None and recipe.tune.named.batch_size else None
    method = recipe.semi.method if stage == "semi" and recipe.semi is not None else None
    return method if isinstance(method, Naming) else None


def require_teachers(recipe: Recipe, stage: StageName, budget: LabelBudget, taxonomy: Taxonomy) -> None:
    """Refuse other runs as teachers of a stage that know more labels than this run may use.

    What a teacher was told by another model may come from any labels, so one that trained on pseudo-labels
    is refused, too.

    Raises:
        ValueError: If one is no run, has no classifier yet, other classes, labels outside the budget, or
            pseudo-labels.
    """
    naming = naming_of(recipe, stage)
    if naming is None:
        return
    own = {image for image, role in zip(budget.images, budget.roles, strict=True) if role == "labeled"}
    for path in naming.teachers:
        folder = RunFolder.existing(Path(path))
        folder.last_stage()
        folder.taxonomy().require_same(taxonomy)
        if folder.data().get("pseudo_labels"):
            raise ValueError(
                f"The teacher {path} learned from pseudo-labels, too, and nobody knows from which labels "
                "those come. Give teachers that were trained without --pseudo-labels."
            )
        theirs = LabelBudget.load(folder.budget_path)
        pairs = zip(theirs.images, theirs.roles, strict=True)
        outside = sum(role == "labeled" and image not in own for image, role in pairs)
        if outside:
            raise ValueError(
                f"The teacher {path} learned from {outside:,} labels that are not in this run's budget "
                f"(its own: {theirs.amount}, seed {theirs.seed}; this run's: {budget.amount}, seed "
                f"{budget.seed}). It would pass them on. Give teachers of the same budget, or train with "
                f"theirs: --budget {folder.budget_path}"
            )


def name_faces(
    path: Path, teachers: Sequence[Callable[[], Probabilities]], images: Sequence[str], taxonomy: Taxonomy
) -> None:
    """Write what teachers say of faces, on the mean.

    Args:
        path: The file.
        teachers: Each gives its probabilities (N, classes) of the faces.
        images: Where each face is from, N locators.
        taxonomy: Classes.
    """
    said = np.stack([teacher() for teacher in teachers])
    mean = said.mean(axis=0, dtype=np.float64).astype(np.float32)
    chosen = mean.argmax(axis=1)
    agreement = (said.argmax(axis=2) == chosen).mean(axis=0)
    offsets = np.arange(len(mean) + 1, dtype=np.int32) * len(taxonomy)
    table = pa.table(
        {
            "image": pa.array(list(images), pa.string()),
            "predicted": pa.array([taxonomy.labels[k] for k in chosen], pa.string()),
            "agreement": pa.array(agreement, pa.float32()),
            "probabilities": pa.ListArray.from_arrays(offsets, mean.ravel()),
        }
    ).replace_schema_metadata({LABELS_KEY: json.dumps(taxonomy.labels)})
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def read_names(path: Path, images: Sequence[str], taxonomy: Taxonomy) -> Probabilities:
    """Probabilities (N, classes) that :func:`name_faces` wrote.

    Raises:
        ValueError: If the file is of other faces or classes.
    """
    table = pq.read_table(path, partitioning=None)
    labels = json.loads((table.schema.metadata or {}).get(LABELS_KEY, b"[]"))
    if table["image"].to_pylist() != list(images) or tuple(labels) != taxonomy.labels:
        raise ValueError(
            f"{path} names other faces ({len(table):,}, classes {', '.join(labels)}) than this run's "
            f"{len(images):,}. Delete the file to have them named again, or use a new folder for --out."
        )
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return np.array(flat, np.float32).reshape(len(table), len(taxonomy))


def ask_run(
    path: Path,
    parts: Sequence[DecodedFaces],
    *,
    cache: Path,
    zoom: float,
    where: Processes,
    precision: Precision,
) -> Probabilities:
    """What the last classifier of another run says of faces, in the size and colors that it takes.

    Args:
        path: Its folder.
        parts: The faces, as this run has them; they are read again.
        cache: Folder for their pixels where memory does not hold them.
        zoom: See :func:`ask`.
        where: This process.
        precision: Number format.
    """
    folder = RunFolder.existing(path)
    model = load_classifier(folder, folder.last_stage())
    config = model.encoder.config
    size, channels = config.image_size, config.channels
    pool = ImagePool(
        [load_faces(part.manifest, size=size, channels=channels, cache=cache).images for part in parts]
    )
    return ask(model, pool, zoom=zoom, where=where, precision=precision)


@torch.no_grad()
def ask(
    teacher: Classifier, pool: ImagePool, *, zoom: float, where: Processes, precision: Precision
) -> Probabilities:
    """What a classifier says of faces, (N, classes): the mean over each, its mirror image and closer looks.

    Args:
        teacher: A classifier that has finished learning; left in evaluation mode.
        pool: N faces.
        zoom: How many times closer the closer looks are; 1 for none.
        where: This process.
        precision: Number format.
    """
    device = where.device
    views = MirroredClassifier(teacher, zoom=zoom).to(device).eval()
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
