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
from halfsmile.models.encoder import EncoderConfig, build_encoder
from halfsmile.models.face_network import WIDTHS, FaceNetwork, FaceNetworkConfig
from halfsmile.models.pretrained import load_pretrained
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.weight_files import FACE
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.progress import Progress

GRID = 3
MIDDLE = 9  # the block of the face network whose map tells expressions best
_ROWS = 128
_KEPT_EVERY = 8  # batches


def teacher_config(teacher: str, channels: int) -> EncoderConfig:
    """The network of a teacher.

    Args:
        teacher: ``face``, or a run folder.
        channels: Of the student's faces, which the face network takes as they are.

    Raises:
        ValueError: If it is neither, or a Transformer, which has no maps to match.
    """
    if teacher == FACE:
        return FaceNetworkConfig(channels=channels)
    config = read_recipe(RunFolder.existing(Path(teacher)).recipe_path).encoder
    if not isinstance(config, FaceNetworkConfig | ResNetConfig):
        raise ValueError(
            f"The teacher {teacher} is a Vision Transformer; Stage I matches the maps of residual networks. "
            "Give a run of one, or face."
        )
    return config


def teacher_shape(config: EncoderConfig) -> TeacherShape:
    """What is kept of a teacher's answer."""
    if isinstance(config, FaceNetworkConfig):
        return TeacherShape(WIDTHS[MIDDLE], GRID, config.width)
    if isinstance(config, ResNetConfig):
        return TeacherShape(config.widths[round(np.log2(config.patch_size)) - 1], GRID, config.width)
    raise ValueError("A Vision Transformer has no maps to match.")


def load_teacher(teacher: str, channels: int) -> FaceNetwork | ResNet:
    """The network of a teacher, in evaluation mode; see :func:`teacher_config`."""
    if teacher == FACE:
        network = build_encoder(teacher_config(teacher, channels))
        load_pretrained(network, FACE)
    else:
        teacher_config(teacher, channels)
        folder = RunFolder.existing(Path(teacher))
        network = load_classifier(folder, folder.last_stage()).encoder
    if not isinstance(network, FaceNetwork | ResNet):
        raise ValueError("A Vision Transformer has no maps to match.")
    return network.eval()


@torch.no_grad()
def look(network: FaceNetwork | ResNet, images: Tensor) -> Tensor:
    """What a teacher says of images (B, C, H, W) in [0, 1], (B, count): the middle map, then the feature."""
    if isinstance(network, FaceNetwork):
        maps = network.maps(images)
        middle, last = maps[MIDDLE], maps[-1]
    else:
        middle, last = network.maps(images)
    pooled = F.adaptive_avg_pool2d(middle, GRID).flatten(1)
    return torch.cat([pooled, last.mean(dim=(2, 3))], dim=1).float()


def teacher_features(
    teacher: str, parts: Sequence[DecodedFaces], *, channels: int, cache: Path, where: Processes
) -> npt.NDArray[np.float16]:
    """What a teacher says of all faces, each number standardized over them, (N, count).

    Args:
        teacher: ``face``, or a run folder.
        parts: The faces, as this run has them; they are read again in the size that the teacher takes.
        channels: Of this run's faces.
        cache: Folder of the run for what takes long.
        where: This process; the first one asks.
    """
    network = load_teacher(teacher, channels)
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


def _ask(network: FaceNetwork | ResNet, pool: ImagePool, path: Path, where: Processes) -> None:
    """Fill the file from the first row that is not done on."""
    network.to(where.device).to(memory_format=torch.channels_last)
    start = _done(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count = teacher_shape(network.config).count
    kept = np.lib.format.open_memmap(
        path, mode="r+" if start else "w+", dtype=np.float16, shape=(len(pool), count)
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


def _key(network: FaceNetwork | ResNet, images: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([list(images), GRID, MIDDLE, repr(network.config)]).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
