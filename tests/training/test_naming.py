"""What teachers say of unlabeled faces is asked once and kept, and no teacher passes on labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional as F

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.classifier import Classifier
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.recipes import with_semi
from halfsmile.recipes.config import Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.training.batches import ImagePool
from halfsmile.training.distributed import Processes
from halfsmile.training.naming import NAMES, ask, name_faces, read_names
from halfsmile.training.run import train_run
from halfsmile.utils.files import read_json, write_json

HERE = Processes(0, 1, torch.device("cpu"))
FACES = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 1), dtype=np.uint8)
IMAGES = [f"face {i}.png" for i in range(len(FACES))]
MOODS = Taxonomy("moods", ("calm", "glad"))


@pytest.fixture
def teacher() -> Classifier:
    torch.manual_seed(0)
    encoder = ResNet(ResNetConfig(image_size=32, widths=(8, 16, 16), depths=(1, 1, 1)))
    return Classifier(encoder, taxonomy=FERPLUS, standardize=True, dropout=0.5).train()


def test_names_are_the_mean_over_the_face_its_mirror_image_and_closer_looks(teacher: Classifier) -> None:
    pool = ImagePool([FACES[:100], FACES[100:]])
    found = ask(teacher, pool, zoom=1.15, where=HERE, precision="float32")
    teacher.eval()
    faces = torch.from_numpy(FACES).permute(0, 3, 1, 2).float() / 255
    closer = F.interpolate(faces[:, :, 2:-2, 2:-2], size=(32, 32), mode="bilinear", align_corners=False)
    views = [faces, closer, faces.flip(-1), closer.flip(-1)]
    with torch.inference_mode():
        expected = torch.stack([teacher(view).softmax(dim=1) for view in views]).mean(dim=0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_several_teachers_by_hand(tmp_path: Path) -> None:
    said = [[[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.7, 0.3]], [[0.1, 0.9], [0.6, 0.4]]]
    teachers = [lambda one=one: np.array(one, np.float32) for one in said]
    name_faces(tmp_path / NAMES, teachers, ["a", "b"], MOODS)
    table = pq.read_table(tmp_path / NAMES)
    assert table["predicted"].to_pylist() == ["calm", "calm"]
    np.testing.assert_allclose(table["agreement"].to_pylist(), [2 / 3, 2 / 3], rtol=1e-6)
    found = read_names(tmp_path / NAMES, ["a", "b"], MOODS)
    np.testing.assert_allclose(found, [[0.6, 0.4], [17 / 30, 13 / 30]], rtol=1e-6)


def test_names_of_other_faces_are_refused(tmp_path: Path) -> None:
    name_faces(tmp_path / NAMES, [lambda: np.full((2, 2), 0.5, np.float32)], ["a", "b"], MOODS)
    with pytest.raises(ValueError, match=r"names other faces \(2, .*than this run's 2"):
        read_names(tmp_path / NAMES, ["b", "a"], MOODS)
    with pytest.raises(ValueError, match="names other faces"):
        read_names(tmp_path / NAMES, ["a", "b"], Taxonomy("moods", ("glad", "calm")))


def train(recipe: Recipe, data: Path, out: Path) -> RunFolder:
    return train_run(recipe, data=data / "labeled", unlabeled=[], out=out, where=HERE)


def test_a_small_network_learns_from_a_large_one(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    large = replace(tiny_recipe, pretrain=None, semi=None)
    teacher = train(large, generated_data, tmp_path / "large")
    student = with_semi(
        replace(tiny_recipe, pretrain=None), method=NoisyStudent(teachers=(str(teacher.path),), zoom=1.0)
    )
    small = replace(student.encoder, image_size=24)  # reads the faces in another size than its teacher
    folder = train(replace(student, encoder=small), generated_data, tmp_path / "small")
    said = pq.read_table(folder.stage("semi") / NAMES)
    assert set(said["agreement"].to_pylist()) == {1.0}

    other = train(replace(large, seed=1), generated_data, tmp_path / "other")
    leaking = with_semi(
        replace(tiny_recipe, pretrain=None), method=NoisyStudent(teachers=(str(other.path),), zoom=1.0)
    )
    with pytest.raises(ValueError, match=r"learned from \d+ labels that are not in this run's budget"):
        train(leaking, generated_data, tmp_path / "leaking")
    assert not (tmp_path / "leaking").exists()
    facts = read_json(other.data_path)
    write_json(other.data_path, {**facts, "pseudo_labels": [{"path": "named.parquet"}]})
    with pytest.raises(ValueError, match="learned from pseudo-labels, too"):
        train(leaking, generated_data, tmp_path / "leaking")
    nobody = with_semi(replace(tiny_recipe, pretrain=None), method=NoisyStudent(teachers=("nowhere",)))
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        train(nobody, generated_data, tmp_path / "leaking")
