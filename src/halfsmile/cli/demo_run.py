"""The demo: the whole idea on generated faces, beside a baseline that sees the same few labels only."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from halfsmile.data.synthetic import write_data_set
from halfsmile.evaluation.compare import compare
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.catalog import ssfer_folders, supervised_folders
from halfsmile.recipes.config import Recipe
from halfsmile.report.report import write_report
from halfsmile.training.distributed import processes
from halfsmile.training.run import train_run
from halfsmile.transforms.augment import Augment
from halfsmile.utils.console import make_console

TRAIN, TEST, UNLABELED = 3000, 1000, 3000
DIFFICULTY = 0.3
VIEW = Augment(crop_scale=(0.8, 1.0), crop_ratio=(0.9, 1.1), flip=0.5)


def small(recipe: Recipe, *, seed: int) -> Recipe:
    """A recipe with a small Transformer and schedules that two cores train in about a minute a stage."""
    encoder = VitConfig(
        image_size=32,
        patch_size=8,
        channels=1,
        width=96,
        depth=3,
        heads=4,
        stem=(16, 32),
        pooling="average",
        mean=(0.5,),
        std=(0.25,),
    )
    optim = replace(recipe.finetune.optim, learning_rate=2e-3)
    return replace(
        recipe,
        seed=seed,
        encoder=encoder,
        standardize=True,
        pretrain=recipe.pretrain
        and replace(
            recipe.pretrain,
            epochs=8,
            batch_size=64,
            optim=replace(recipe.pretrain.optim, learning_rate=8e-4),
            augment=VIEW,
            mask_ratio=0.5,
            decoder_width=64,
            decoder_depth=1,
            decoder_heads=4,
        ),
        finetune=replace(
            recipe.finetune,
            epochs=40,
            batch_size=32,
            optim=optim,
            augment=VIEW,
            alpha=0.2,
            drop_path=0.1,
            ema_decay=0.98,
        ),
        semi=recipe.semi
        and replace(
            recipe.semi,
            unlabeled="own",
            epochs=12,
            optim=optim,
            drop_path=0.1,
            weak=VIEW,
            strong=replace(VIEW, num_operations=2, magnitude=6.0),
            ema_decay=0.99,
        ),
    )


def run_demo(out: Path, *, seed: int = 0) -> Path:
    """Generate faces, train the baseline and all stages of SSFER, compare them, and write a report.

    Args:
        out: Folder for the faces and both runs; an interrupted demo goes on in it.
        seed: Of faces and training.

    Returns:
        The report.

    Raises:
        ValueError: If the folder holds something else.
        OSError: If it can't be written.
    """
    console = make_console()
    data = out / "faces"
    if not data.exists():
        console.print(f"Drawing {TRAIN + TEST + UNLABELED:,} faces of people who do not exist …")
        unfinished = out / ".faces"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_data_set(
            unfinished, train=TRAIN, test=TEST, unlabeled=UNLABELED, size=64, seed=seed, difficulty=DIFFICULTY
        )
        unfinished.rename(data)
    runs = {
        "baseline": small(supervised_folders(), seed=seed),
        "ssfer": small(ssfer_folders(), seed=seed),
    }
    with processes() as where:
        for name, recipe in runs.items():
            what = "the labeled tenth only" if name == "baseline" else "all three stages"
            console.rule(f"{name}: {what}")
            unlabeled = [data / "unlabeled.zip"] if recipe.pretrain else []
            folder = train_run(
                recipe,
                data=data / "labeled",
                unlabeled=unlabeled,
                out=out / name,
                where=where,
                console=console,
            )
            evaluate_run(folder, device=where.device)
            report = write_report(folder.path)
    compare([out / name for name in runs]).render(console)
    console.print(f"Report: {report}", soft_wrap=True)
    return report
