"""The real reader, real pixels and all stages, on a small part of FERPlus and LFW where they are at hand."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from halfsmile.data.readers import ferplus
from halfsmile.data.readers.ferplus import RULES
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.recipes import ssfer
from halfsmile.recipes.config import Recipe
from halfsmile.training.distributed import Processes
from halfsmile.training.run import train_run


def writer() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "write_ferplus.py"
    spec = importlib.util.spec_from_file_location("write_ferplus", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def real_faces(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 images of FERPlus in its official folders, with every class in training, and 100 of LFW."""
    root = tmp_path_factory.mktemp("real")
    with np.load(real_data / "ferplus" / "ferplus.npz") as archive:
        data = {name: archive[name] for name in ("images_d2", "split", "votes", "fer2013", "row", "name")}
    winners = RULES["argmax"](data["votes"].astype(np.int64))
    rng = np.random.default_rng(0)
    rows = [
        rng.choice(np.flatnonzero((winners == label) & (data["split"] == split)), count, replace=False)
        for split, count in ((0, 100), (1, 5), (2, 7))
        for label in range(8)
    ]
    chosen = np.sort(np.concatenate(rows))
    data = {name: values[chosen] for name, values in data.items()}
    images = np.cumsum(np.cumsum(data.pop("images_d2"), 1, dtype=np.uint8), 2, dtype=np.uint8)
    writer().write_folders(root / "ferplus", data, images)
    with (
        zipfile.ZipFile(real_data / "faces_lfw" / "lfw112.zip") as source,
        zipfile.ZipFile(root / "lfw.zip", "w") as target,
    ):
        for name in source.namelist()[:100]:
            target.writestr(name, source.read(name))
    return root


def test_every_stage_runs_on_real_faces(real_faces: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(
        ssfer(),
        encoder=tiny_recipe.encoder,
        pretrain=tiny_recipe.pretrain,
        finetune=tiny_recipe.finetune,
        semi=tiny_recipe.semi,
    )
    here = Processes(0, 1, torch.device("cpu"))
    folder = train_run(
        recipe,
        data=real_faces / "ferplus",
        unlabeled=[real_faces / "lfw.zip"],
        out=tmp_path / "run",
        where=here,
    )
    metrics = evaluate_run(folder, device=here.device)
    facts = json.loads((folder.path / "data.json").read_text())
    manifest = ferplus.read(real_faces / "ferplus")

    assert metrics["semi"].count == 8 * 12 == sum(facts["test"].values())
    assert facts["pretrain_images"][str(real_faces / "lfw.zip")] == 100
    assert facts["bad_images"] == []
    train = set(manifest.split("train").column("sha256"))
    assert not train & set(manifest.split("valid", "test").column("sha256"))
