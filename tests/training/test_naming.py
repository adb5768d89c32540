"""What the teacher says of unlabeled faces is asked once and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.classifier import Classifier
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import processes
from halfsmile.training.naming import NAMES, name_faces

FACES = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 1), dtype=np.uint8)
IMAGES = [f"face {i}.png" for i in range(len(FACES))]


@pytest.fixture
def teacher() -> Classifier:
    torch.manual_seed(0)
    encoder = ResNet(ResNetConfig(image_size=32, widths=(8, 16, 16), depths=(1, 1, 1)))
    return Classifier(encoder, taxonomy=FERPLUS, standardize=True, dropout=0.5).train()


def ask(folder: Path, teacher: Classifier, images: list[str] = IMAGES, zoom: float = 1.15) -> np.ndarray:
    with processes("cpu") as where:
        pool = ImagePool([FACES[:100], FACES[100:]])
        method = NoisyStudent(zoom=zoom)
        return name_faces(folder, method, teacher, pool, images, where=where, precision="float32")


def test_names_are_the_mean_over_the_face_its_mirror_image_and_closer_looks(
    teacher: Classifier, tmp_path: Path
) -> None:
    found = ask(tmp_path, teacher)
    teacher.eval()
    faces = torch.from_numpy(FACES).permute(0, 3, 1, 2).float() / 255
    closer = F.interpolate(faces[:, :, 2:-2, 2:-2], size=(32, 32), mode="bilinear", align_corners=False)
    views = [faces, closer, faces.flip(-1), closer.flip(-1)]
    with torch.inference_mode():
        expected = torch.stack([teacher(view).softmax(dim=1) for view in views]).mean(dim=0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_the_teacher_is_asked_once(teacher: Classifier, tmp_path: Path) -> None:
    first = ask(tmp_path, teacher)
    with torch.no_grad():
        teacher.head.weight.mul_(-1)
    np.testing.assert_array_equal(ask(tmp_path, teacher), first)
    (tmp_path / NAMES).unlink()
    assert not np.allclose(ask(tmp_path, teacher), first)


def test_names_of_other_faces_are_refused(teacher: Classifier, tmp_path: Path) -> None:
    ask(tmp_path, teacher)
    with pytest.raises(ValueError, match=r"names other faces \(150, .*than this run's 150"):
        ask(tmp_path, teacher, [*IMAGES[1:], IMAGES[0]])
