"""Whole runs in small: every stage, from files to the report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.pretrain.mae import MaeTask, MaskedAutoencoder
from halfsmile.methods.pseudo_label import PseudoLabelTask
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import recipe_named, supervised
from halfsmile.recipes.config import Recipe
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import read_predictions
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.distributed import Processes
from halfsmile.training.optim import make_optimizer
from halfsmile.training.run import train_run

HERE = Processes(0, 1, torch.device("cpu"))


def run(recipe: Recipe, data: Path, out: Path) -> RunFolder:
    return train_run(recipe, data=data / "labeled", unlabeled=[data / "unlabeled.zip"], out=out, where=HERE)


def test_every_stage_leaves_what_the_report_needs(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    folder = run(tiny_recipe, generated_data, tmp_path / "run")
    metrics = evaluate_run(folder, device=HERE.device)
    report = write_report(folder.path).read_text(encoding="utf-8")

    assert set(metrics) == {"finetune", "semi"}
    predictions = read_predictions(folder.path / "predictions.parquet")
    assert len(predictions) == 64
    assert json.loads((folder.path / "metrics.json").read_text())["final"]["accuracy"] == pytest.approx(
        (predictions.predicted == predictions.targets).mean()
    )
    facts = json.loads((folder.path / "data.json").read_text())
    assert sum(facts["labeled"].values()) + sum(facts["held_out"].values()) + facts["unlabeled"] == 160
    assert sum(facts["pretrain_images"].values()) == 160 - sum(facts["held_out"].values()) + 64
    for picture in ("pretrain/figures/reconstructions.png", "finetune/figures/facemix.png"):
        assert (folder.path / picture).stat().st_size > 1000
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert 'src="http' not in report


def test_stages_share_one_label_budget_and_see_no_other_label(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    folder = run(replace(tiny_recipe, pretrain=None), generated_data, tmp_path / "run")
    roles = pq.read_table(folder.budget_path).to_pydict()
    labels = {
        image.split("/")[1]
        for image, role in zip(roles["image"], roles["role"], strict=True)
        if role == "labeled"
    }
    before = folder.budget_path.read_bytes()
    run(replace(tiny_recipe, pretrain=None), generated_data, tmp_path / "run")

    assert labels == set(FERPLUS.labels)
    assert folder.budget_path.read_bytes() == before


def test_a_finished_run_is_not_trained_again(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    folder = run(tiny_recipe, generated_data, tmp_path / "run")
    stamps = {
        stage: (folder.stage(stage) / "model.safetensors").stat().st_mtime_ns
        for stage in ("pretrain", "semi")
    }
    run(tiny_recipe, generated_data, tmp_path / "run")

    assert stamps == {s: (folder.stage(s) / "model.safetensors").stat().st_mtime_ns for s in stamps}


def test_equal_seeds_give_equal_weights_and_other_seeds_others(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, pretrain=None, semi=None)
    folders = [
        run(replace(recipe, seed=seed), generated_data, tmp_path / name)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    first, second, third = (load_file(f.stage("finetune") / "model.safetensors") for f in folders)

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first)


def test_a_run_from_stores_has_the_bits_of_one_from_files(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    settings = Settings(detector="aligned", is_lossless=True)
    for name in ("labeled", "unlabeled.zip"):
        prepare([str(generated_data / name)], tmp_path / name, settings=settings, workers=0, progress=False)
    folders = [
        run(tiny_recipe, root, tmp_path / f"run-{i}") for i, root in enumerate((generated_data, tmp_path))
    ]
    lines = [
        [json.loads(line) for line in (folder.stage(stage) / "metrics.jsonl").read_text().splitlines()]
        for folder in folders
        for stage in ("pretrain", "finetune", "semi")
    ]
    losses = [[line["loss"] for line in stage if "loss" in line] for stage in lines]
    assert all(losses)
    assert losses[:3] == losses[3:]
    weights = [load_file(folder.stage("semi") / "model.safetensors") for folder in folders]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


def test_a_run_starts_from_the_stage_one_of_another(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    source = train_run(
        tiny_recipe,
        data=generated_data / "labeled",
        unlabeled=[generated_data / "unlabeled.zip"],
        out=tmp_path / "source",
        where=HERE,
        last_stage="pretrain",
    )
    short = replace(tiny_recipe, semi=None)
    own = run(short, generated_data, tmp_path / "own")
    lent = train_run(
        replace(short, pretrain=None, init=str(source.path)),
        data=generated_data / "labeled",
        unlabeled=[],
        out=tmp_path / "lent",
        where=HERE,
    )
    first, second = (load_file(f.stage("finetune") / "model.safetensors") for f in (own, lent))

    assert not lent.finished("pretrain")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_supervised_baseline_goes_through_the_same_stages(
    generated_data: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    baseline = supervised()
    recipe = replace(
        baseline,
        encoder=tiny_recipe.encoder,
        finetune=replace(baseline.finetune, epochs=2, batch_size=16),
        labels="all",
    )
    folder = train_run(
        recipe, data=generated_data / "labeled", unlabeled=[], out=tmp_path / "run", where=HERE
    )

    assert set(evaluate_run(folder, device=HERE.device)) == {"finetune"}
    assert json.loads((folder.path / "data.json").read_text())["unlabeled"] == 0


def test_bad_images_are_counted_and_skipped(tiny_recipe: Recipe, tmp_path: Path) -> None:
    from halfsmile.data.synthetic import write_data_set

    write_data_set(tmp_path / "faces", train=80, test=32, unlabeled=16, size=32, seed=5, people=10)
    first = sorted((tmp_path / "faces/labeled/train/neutral").glob("*.png"))
    first[0].write_bytes(b"")
    first[1].write_bytes(first[1].read_bytes()[:200])
    folder = run(
        replace(tiny_recipe, labels="all", pretrain=None, semi=None), tmp_path / "faces", tmp_path / "run"
    )
    facts = json.loads((folder.path / "data.json").read_text())

    assert len(facts["bad_images"]) == 2
    assert sum(facts["labeled"].values()) == 78


def test_changed_data_are_refused(tiny_recipe: Recipe, tmp_path: Path) -> None:
    from halfsmile.data.synthetic import write_data_set

    write_data_set(tmp_path / "faces", train=80, test=32, unlabeled=16, size=32, seed=5, people=10)
    recipe = replace(tiny_recipe, pretrain=None, semi=None)
    run(recipe, tmp_path / "faces", tmp_path / "run")
    next((tmp_path / "faces/labeled/train/anger").glob("*.png")).unlink()

    with pytest.raises(ValueError, match="fingerprints differ"):
        run(recipe, tmp_path / "faces", tmp_path / "run")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_runs_end_in_the_bits_of_an_unbroken_one(generated_data: Path, tmp_path: Path) -> None:
    """One run in one piece, and one that is killed in each stage."""
    program = [sys.executable, "-c", KILLED_RUN, str(generated_data), str(tmp_path)]
    done = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    assert list(map(int, done.stdout.split())) == [0, -signal.SIGKILL, -signal.SIGKILL, 130, 0]

    for stage in ("pretrain", "finetune", "semi"):
        first, second = (
            load_file(tmp_path / name / stage / "model.safetensors") for name in ("unbroken", "broken")
        )
        assert all(torch.equal(first[name], second[name]) for name in first), stage


KILLED_RUN = """
import importlib
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from halfsmile.models.vit_config import VitConfig
from halfsmile.models.precision import choose_precision
from halfsmile.recipes import ssfer
from halfsmile.training import loop
from halfsmile.training.distributed import Processes
from halfsmile.training.run import train_run
from halfsmile.utils.errors import StopRequestedError

torch.set_num_threads(1)
importlib.import_module("torch._dynamo")  # as the first optimizer does, here for all processes
choose_precision(torch.device("cpu"))  # so that all train in one format
save_every = loop.LoopConfig.__init__


def often(self, **values):
    save_every(self, **{**values, "checkpoint_seconds": 0.05})


loop.LoopConfig.__init__ = often
recipe = ssfer(data_set="faces")
encoder = VitConfig(
    image_size=32, patch_size=8, channels=1, width=32, depth=2, heads=2, stem=(8, 16),
    mean=(0.5,), std=(0.25,),
)
recipe = replace(
    recipe,
    labels="25%",
    encoder=encoder,
    pretrain=replace(recipe.pretrain, epochs=4, batch_size=16, decoder_width=32, decoder_heads=2),
    finetune=replace(recipe.finetune, epochs=10, batch_size=16),
    semi=replace(recipe.semi, epochs=4, labeled_batch=8, unlabeled_batch=16),
)
data, root = map(Path, sys.argv[1:])


def start(name):
    child = os.fork()  # the next one need not import everything again
    if child:
        return child
    code = 1
    try:
        train_run(
            recipe,
            data=data / "labeled",
            unlabeled=[data / "unlabeled.zip"],
            out=root / name,
            where=Processes(0, 1, torch.device("cpu")),
        )
        code = 0
    except StopRequestedError:
        code = 130
    finally:
        os._exit(code)


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


print(ended(start("unbroken")))
for stage, number in (("pretrain", signal.SIGKILL), ("finetune", signal.SIGKILL), ("semi", signal.SIGINT)):
    child = start("broken")
    deadline = time.monotonic() + 60
    while not list((root / "broken" / stage / "checkpoint").glob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)
    os.kill(child, number)
    print(ended(child))
print(ended(start("broken")))
"""


def one_step(task: Task, batch: Batch, recipe: Recipe) -> float:
    optimizer = make_optimizer(task.model, recipe.finetune.optim)
    loss, _ = task.train()(batch, torch.Generator().manual_seed(0))
    loss.backward()
    optimizer.step()
    task.after_update()
    return float(loss.detach())


def test_paper_preset_builds_and_steps_in_every_stage() -> None:
    recipe = recipe_named("ssfer", "paper", data_set="ferplus")
    assert recipe.pretrain is not None
    assert recipe.semi is not None
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (2, 3, 224, 224), dtype=np.uint8))
    targets = torch.eye(8)[:2]
    torch.manual_seed(0)
    assert isinstance(recipe.encoder, VitConfig)
    encoder = VisionTransformer(recipe.encoder)
    mae = MaskedAutoencoder(
        encoder,
        decoder_width=recipe.pretrain.decoder_width,
        decoder_depth=recipe.pretrain.decoder_depth,
        decoder_heads=recipe.pretrain.decoder_heads,
        normalize_target=recipe.pretrain.normalize_target,
    )
    losses = [one_step(MaeTask(mae, augment=recipe.pretrain.augment), Batch(images=images[:1]), recipe)]
    encoder.pos_embed.requires_grad_(True)
    model = Classifier(encoder, taxonomy=FERPLUS)
    fine = FineTuneTask(model, augment=recipe.finetune.augment, ema_decay=recipe.finetune.ema_decay)
    losses.append(one_step(fine, Batch(images=images, targets=targets), recipe))
    semi = PseudoLabelTask(model, weak=recipe.semi.weak, strong=recipe.semi.strong, threshold=0.0)
    losses.append(one_step(semi, Batch(images=images, targets=targets, unlabeled=images[:1]), recipe))

    assert all(np.isfinite(losses))
    assert sum(p.numel() for p in encoder.parameters()) == pytest.approx(85.8e6, rel=0.01)
