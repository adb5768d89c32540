"""Middle maps and features of a teacher, asked once of every face and kept, for Stage I by distillation.

They lie in ``RUN/cache`` as ``teacher-<key>.npy`` (N, count) float16 with ``.json`` beside it, which says how
many rows are done: a run that was stopped goes on there. The key is a hash of the teacher's weights, the
faces and what is kept, so numbers of another teacher or of other faces are never taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.evaluation.trained import load_classifier
from halfsmile.methods.pretrain.distill import TeacherShape
from halfsmile.models.encoder import Encoder, build_encoder
from halfsmile.models.face_network import WIDTHS, FaceNetwork, FaceNetworkConfig
from halfsmile.models.pretrained import load_pretrained
from halfsmile.models.resnet import ResNet
from halfsmile.models.weight_files import FACE
from halfsmile.recipes.config import PretrainConfig, Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.training.teaching.onnx_network import OnnxNetwork, is_onnx
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.mapped import new_mapped_array
from halfsmile.utils.progress import Progress

GRID = 3
MIDDLE = 9  # the block of the face network whose map tells expressions best
_ROWS = 128
_KEPT_EVERY = 8  # batches


Teacher = FaceNetwork | ResNet | OnnxNetwork


def load_teacher(config: PretrainConfig, channels: int) -> Teacher:
    """The network that teaches Stage I, in evaluation mode.

    Args:
        config: The stage; its teacher is ``face``, an ONNX file, or a run folder.
        channels: Of the student's faces, which the face network takes as they are.

    Raises:
        ValueError: If there is no such teacher, it is a Transformer, which has no maps to match, or an ONNX
            file of another kind, see :class:`~halfsmile.training.teaching.onnx_network.OnnxNetwork`.
    """
    teacher = config.teacher
    if teacher is None:
        raise ValueError("Stage I has no teacher.")
    network: Encoder | OnnxNetwork
    if teacher == FACE:
        network = build_encoder(FaceNetworkConfig(channels=channels))
        load_pretrained(network, FACE)
    elif is_onnx(teacher):
        if not Path(teacher).is_file():
            raise ValueError(
                f"There is no file {teacher}; --teacher takes face, a run folder, or an ONNX file."
            )
        network = OnnxNetwork(Path(teacher), config.teacher_mean, config.teacher_std)
    else:
        folder = RunFolder.existing(Path(teacher))
        network = load_classifier(folder, folder.last_stage()).encoder
    if not isinstance(network, FaceNetwork | ResNet | OnnxNetwork):
        raise ValueError(
            f"The teacher {teacher} is a Vision Transformer; Stage I matches the maps of residual networks. "
            "Give a run of one, or face."
        )
    return network.eval()


def require_teacher(recipe: Recipe) -> None:
    """Refuse a teacher of Stage I that can't be had, before anything is written; see :func:`load_teacher`."""
    if recipe.pretrain is not None and recipe.pretrain.teacher is not None:
        load_teacher(recipe.pretrain, recipe.encoder.channels)


def teacher_shape(network: Teacher) -> TeacherShape:
    """What is kept of a teacher's answer; an ONNX file says a vector and no map."""
    if isinstance(network, OnnxNetwork):
        return TeacherShape(0, GRID, network.config.width)
    if isinstance(network, FaceNetwork):
        return TeacherShape(WIDTHS[MIDDLE], GRID, network.config.width)
    config = network.config
    return TeacherShape(config.widths[round(np.log2(config.patch_size)) - 1], GRID, config.width)


@torch.no_grad()
def look(network: Teacher, images: Tensor) -> Tensor:
    """What a teacher says of images (B, C, H, W) in [0, 1], (B, count): the middle map, then the feature."""
    if isinstance(network, OnnxNetwork):
        said: Tensor = network(images)
        return said
    if isinstance(network, FaceNetwork):
        maps = network.maps(images)
        middle, last = maps[MIDDLE], maps[-1]
    else:
        middle, last = network.maps(images)
    pooled = F.adaptive_avg_pool2d(middle, GRID).flatten(1)
    return torch.cat([pooled, last.mean(dim=(2, 3))], dim=1).float()


def teacher_features(
    network: Teacher, parts: Sequence[DecodedFaces], *, cache: Path, where: Processes
) -> npt.NDArray[np.float16]:
    """What a teacher says of all faces, each number standardized over them, (N, count).

    Args:
        network: The teacher.
        parts: The faces, as this run has them; they are read again in the size that the teacher takes.
        cache: Folder of the run for what takes long.
        where: This process; the first one asks.
    """
    config = network.config
    images = [image for part in parts for image in part.manifest.column("image")]
    path = cache / f"teacher-{_key(network, images)}.npy"
    with where.main_first():
        if where.is_main and _done(path) < len(images):
            pool = ImagePool(
                [
                    load_faces(
                        part.manifest, size=config.image_size, channels=config.channels, cache=cache
                    ).images
                    for part in parts
                ]
            )
            _ask(network, pool, path, where)
        said = np.load(path, mmap_mode="r")
    mean, square = np.zeros(said.shape[1]), np.zeros(said.shape[1])
    for start in range(0, len(said), 4096):
        rows = said[start : start + 4096].astype(np.float64)
        mean += rows.sum(axis=0) / len(said)
        square += np.square(rows).sum(axis=0) / len(said)
    deviation = np.sqrt(np.maximum(square - mean**2, 0)) + 1e-3
    found: npt.NDArray[np.float16] = ((said - mean) / deviation).astype(np.float16)
    return found


def _ask(network: Teacher, pool: ImagePool, path: Path, where: Processes) -> None:
    """Fill the file from the first row that is not done on."""
    network.to(where.device).to(memory_format=torch.channels_last)
    start = _done(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count = teacher_shape(network).count
    kept = (
        np.lib.format.open_memmap(path, mode="r+")
        if start
        else new_mapped_array(path, dtype=np.float16, shape=(len(pool), count))
    )
    with Progress("asking the teacher", total=len(pool) - start) as shown:
        for number, first in enumerate(range(start, len(pool), _ROWS)):
            rows = np.arange(first, min(first + _ROWS, len(pool)))
            said = look(network, pool(rows).to(where.device).float() / 255)
            kept[rows] = said.clamp(-6e4, 6e4).cpu().numpy()
            shown.advance(len(rows))
            if number % _KEPT_EVERY == _KEPT_EVERY - 1 or rows[-1] == len(pool) - 1:
                kept.flush()
                write_json(path.with_suffix(".json"), {"rows": int(rows[-1]) + 1})


def _done(path: Path) -> int:
    """Rows of a file that are whole."""
    told = path.with_suffix(".json")
    return int(read_json(told)["rows"]) if told.is_file() and path.is_file() else 0


def _key(network: Teacher, images: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([list(images), GRID, MIDDLE, repr(network.config)]).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
