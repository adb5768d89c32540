"""A finished run folder with plausible numbers and random pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.runs.predictions import write_predictions
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.utils.files import write_json
from halfsmile.utils.pictures import facemix_grid, mistakes_grid, reconstruction_grid, write_png

MakeRun = Callable[..., Path]
SKILL = {"finetune": 2.9, "semi": 3.5, "temporal": 3.8}


def make_run_folder(
    folder: Path,
    *,
    stages: Sequence[str] = ("pretrain", "finetune", "semi"),
    seed: int = 0,
    skill: float = 0.0,
    count: int = 600,
    recipe: dict[str, Any] | None = None,
    taxonomy: Taxonomy = FERPLUS,
    prefix: str = "fer2013.csv#",
    pictures: bool = False,
) -> Path:
    """Write a run folder; ``skill`` raises the accuracy, ``seed`` moves it a little."""
    folder.mkdir(parents=True)
    shares = np.array([0.35, 0.26, 0.12, 0.11, 0.08, 0.035, 0.025, 0.02])[: len(taxonomy)]
    shares = shares / shares.sum()
    targets = np.random.default_rng(99).choice(len(taxonomy), count, p=shares)
    images = [f"{prefix}{32298 + i}" for i in range(count)]
    counts = {part: _class_counts(taxonomy, shares, total) for part, total in _PARTS.items()}

    write_json(
        folder / "recipe.json",
        {
            "name": "ssfer-ferplus",
            "preset": "small",
            "seed": seed,
            "labels": "10%",
            "method": "ssfer",
            "model": {"width": 256, "depth": 8, "heads": 8, "patch": 8, "size": 48, "channels": 1},
            "semi": {"threshold": 0.7, "teacher_decay": 0.999, "unlabeled_weight": 5.0, "epochs": 50},
        }
        | (recipe or {}),
    )
    write_json(
        folder / "environment.json",
        {"python": "3.11.9", "torch": "2.14.1", "device": "cpu", "threads": 2, "precision": "float32"},
    )
    write_json(
        folder / "data.json",
        {
            "data_set": "FERPlus",
            "label_rule": "majority of ten votes, ties and unknown dropped",
            "taxonomy": list(taxonomy.labels),
            "path": "fer2013.csv",
            "test_splits": ["test"],
            **counts,
            "unlabeled": 22_604,
            "pretrain_images": {"lfw": 13_233, "utk": 23_705} if "pretrain" in stages else {},
            "notes": ["10 rows without a face dropped", "2,801 rows without a majority dropped"],
            "bad_images": [["lfw.zip!a/b_0001.jpg", "truncated JPEG"], ["lfw.zip!c/d_0002.jpg", "0 bytes"]],
            "fingerprint": "9f2c4e7d8a1b3c5d" * 4,
            "test_fingerprint": "5d3c1b8a7d4e2c9f" * 4,
        },
    )
    summary = {}
    for number, stage in enumerate(stages):
        _write_stage(folder / stage, stage, taxonomy, seed + number)
        if stage in SKILL:
            probabilities = _probabilities(targets, len(taxonomy), SKILL[stage] + skill, seed + 10 * number)
            for path in (folder / stage, folder):
                write_predictions(
                    path / "predictions.parquet", images, ["test"] * count, targets, probabilities, taxonomy
                )
            summary[stage] = {"accuracy": float((probabilities.argmax(axis=1) == targets).mean())}
    write_json(folder / "metrics.json", summary | {"final": summary[stages[-1]]})
    if pictures:
        _write_pictures(folder, stages, taxonomy)
    return folder


_PARTS = {"labeled": 2_270, "held_out": 254, "test": 600}


def _class_counts(taxonomy: Taxonomy, shares: npt.NDArray[np.float64], total: int) -> dict[str, int]:
    return {label: max(1, round(share * total)) for label, share in zip(taxonomy.labels, shares, strict=True)}


def _probabilities(
    targets: npt.NDArray[np.int64], classes: int, skill: float, seed: int
) -> npt.NDArray[np.float64]:
    """Softmax of noise that favors the truth (rare classes less) and the class beside it."""
    logits = np.random.default_rng(seed).normal(0, 1.4, (len(targets), classes))
    rows = np.arange(len(targets))
    logits[rows, targets] += skill * (1 - 0.07 * targets)
    logits[rows, (targets + 2) % classes] += 0.8
    exponent = np.exp(1.5 * (logits - logits.max(axis=1, keepdims=True)))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def _write_stage(folder: Path, stage: str, taxonomy: Taxonomy, seed: int) -> None:
    generator = np.random.default_rng(seed)
    epochs, per_epoch, warm_up = 40, 10, 4
    lines = []
    for step in range(epochs * per_epoch):
        epoch = step / per_epoch
        rate = 1.5e-4 * min(epoch / warm_up, 0.5 * (1 + np.cos(np.pi * epoch / epochs)))
        lines.append(
            {
                "step": step,
                "epoch": epoch,
                "seconds": 0.4 * step,
                "loss": float(0.4 + 1.6 * np.exp(-epoch / 9) + generator.normal(0, 0.06)),
                "learning_rate": float(rate),
                "images_per_second": 350.0,
            }
        )
        if stage == "semi":
            lines[-1]["acceptance"] = float(
                0.35 + 0.5 * (1 - np.exp(-epoch / 10)) + generator.normal(0, 0.02)
            )
        if step % 20 == 0 and stage != "pretrain":
            grown = 1 - np.exp(-epoch / 8)
            evaluation: dict[str, Any] = {
                "step": step,
                "epoch": epoch,
                "seconds": 0.4 * step,
                "held_out/accuracy": 0.4 + 0.38 * grown + generator.normal(0, 0.008),
                "held_out/macro_f1": 0.25 + 0.38 * grown + generator.normal(0, 0.012),
                "held_out/nll": 1.6 - 0.8 * grown,
            }
            if stage == "semi":
                evaluation["precision"] = 0.78 + 0.1 * grown + generator.normal(0, 0.008)
                for k, label in enumerate(taxonomy.labels):
                    rare = 0.08 * k
                    evaluation[f"acceptance/{label}"] = max(
                        0.0, (0.9 - rare) * grown + generator.normal(0, 0.02)
                    )
                    accepts = epoch > k
                    evaluation[f"precision/{label}"] = (
                        min(1.0, 0.95 - 0.05 * k + generator.normal(0, 0.02)) if accepts else None
                    )
                    evaluation[f"share/{label}"] = 0.4 * 0.6**k
            lines.append(evaluation)
    folder.mkdir()
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    write_json(
        folder / "result.json",
        {
            "stage": stage,
            "seconds": {"pretrain": 5400.0, "finetune": 640.0, "semi": 2710.0, "temporal": 90.0}[stage],
            "steps": epochs * per_epoch,
            "epochs": float(epochs),
            "images": {"pretrain": 36_938, "finetune": 2_270, "semi": 24_874, "temporal": 960}[stage],
            "precision": "float32",
            "parameters": 6_412_040,
        },
    )


def random_pictures(count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Smooth random blobs (count, size, size, 1): pictures that show nobody."""
    generator = np.random.default_rng(seed)
    small = generator.uniform(30, 225, (count, 6, 6)).astype(np.float32)
    pictures = [cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC) for picture in small]
    return np.asarray(np.clip(np.stack(pictures), 0, 255)[..., None], dtype=np.uint8)


def _write_pictures(folder: Path, stages: Sequence[str], taxonomy: Taxonomy) -> None:
    first, second = random_pictures(6, 48, 1), random_pictures(6, 48, 2)
    if "pretrain" in stages:
        hidden = np.kron(np.random.default_rng(0).random((6, 6, 6)) < 0.75, np.ones((1, 8, 8)))[..., None] > 0
        masked = np.where(hidden, 128, first).astype(np.uint8)
        blurred = np.where(hidden, first // 2 + 64, first).astype(np.uint8)
        write_png(
            folder / "pretrain/figures/reconstructions.png", reconstruction_grid(first, masked, blurred)
        )
    generator = np.random.default_rng(3)
    boxes = [
        np.concatenate([generator.uniform(2, 12, (6, 2)), generator.uniform(36, 46, (6, 2))], axis=1)
        for _ in range(2)
    ]
    overlap = generator.uniform(0.4, 0.95, 6)
    mixed = (first // 2 + second // 2).astype(np.uint8)
    grid = facemix_grid(first, second, mixed, boxes[0], boxes[1], overlap, 2 * (1 - overlap))
    write_png(folder / "finetune/figures/facemix.png", grid)
    labels = [taxonomy.labels[i % len(taxonomy)] for i in range(13)]
    wrong = mistakes_grid(random_pictures(12, 48, 4), labels[:12], labels[1:], np.linspace(0.99, 0.9, 12))
    write_png(folder / "mistakes.png", wrong)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """``make_run("name", **settings)`` writes a run folder below the test's own folder and returns it."""

    def make(name: str = "run", **settings: Any) -> Path:
        return make_run_folder(tmp_path / name, **settings)

    return make


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every stage and picture, for tests that only add to it."""
    return make_run_folder(tmp_path_factory.mktemp("runs") / "full", pictures=True)
