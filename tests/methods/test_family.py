"""The whole family: broken runs end in the bits of unbroken ones, every method learns, processes agree.

For the last of these this file is also a program.
"""

from __future__ import annotations

import importlib
import math
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.nn import functional as F

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.evaluation.inference import predict_probabilities
from halfsmile.methods.family import FAMILY, method_named
from halfsmile.methods.semi import Method, SemiTask
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.checkpoint import find_checkpoint
from halfsmile.training.distributed import Processes, processes
from halfsmile.training.loop import LoopConfig, train
from halfsmile.transforms.augment import NONE, Augment
from halfsmile.utils.errors import StopRequestedError

HERE = Processes(0, 1, torch.device("cpu"))
STEPS, LABELED, UNLABELED = 8, 24, 40
CONFIG = LoopConfig(
    steps=STEPS,
    batch_size=16,
    epoch_steps=5,
    optim=OptimConfig(learning_rate=1e-2, clip=1.0),
    seed=5,
    checkpoint_seconds=0.0,
    evaluations=2,
)
VIEW = Augment(crop_scale=(0.8, 1.0), flip=0.5)
STATISTICS = ("freematch", "softmatch", "debias", "ada-cm", "soft-targets")
"""Methods that remember something of the batches they saw."""

short: dict[str, dict[str, Any]] = {
    "fixmatch": {"threshold": 0.13},
    "freematch": {"momentum": 0.9},
    "softmatch": {"momentum": 0.9},
    "debias": {"threshold": 0.13, "momentum": 0.9},
    "ada-cm": {"least": 0.15, "period": 3},
    "mean-teacher": {"ramp": 4},
    "soft-targets": {"momentum": 0.9, "mirror": False},  # mirror images are of other classes here
}
"""Hyper-parameters with which eight steps pass through everything a method does."""


class Encoder(nn.Module):
    """One layer on the pixels, which learns in few steps."""

    config = SimpleNamespace(width=32)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 32)

    def forward(self, images: Tensor) -> Tensor:
        return F.gelu(self.layer(3 * images.flatten(1) - 1))


def make_task(name: str, *, view: Augment = VIEW) -> Task:
    torch.manual_seed(1)
    encoder: Any = Encoder()
    model = Classifier(encoder, taxonomy=FERPLUS)
    nn.init.normal_(model.head.weight, std=0.3)
    method: Method = replace(method_named(name), **short.get(name, {}))  # type: ignore[type-var]
    return method.task(model, weak=view, strong=view, weight=1.0, smoothing=0.0, ema_decay=0.9)


def batches(where: Processes = HERE) -> Callable[[int], Batch]:
    source = torch.Generator().manual_seed(2)
    faces = torch.randint(0, 256, (LABELED + UNLABELED, 1, 8, 8), dtype=torch.uint8, generator=source)
    targets = torch.eye(8)[torch.arange(LABELED) % 8]
    names = torch.randn(UNLABELED, 8, generator=source).softmax(dim=1)
    samplers = [
        ShuffledSampler(count, batch_size=8, seed=count, rank=where.rank, world_size=where.world_size)
        for count in (LABELED, UNLABELED)
    ]

    def draw(step: int) -> Batch:
        labeled, unlabeled = (torch.from_numpy(sampler(step)) for sampler in samplers)
        return Batch(
            images=faces[:LABELED][labeled],
            targets=targets[labeled],
            unlabeled=faces[LABELED:][unlabeled],
            unlabeled_targets=names[unlabeled],
        )

    return draw


def kept(folder: Path) -> dict[str, Tensor]:
    newest = find_checkpoint(folder / "checkpoint")
    assert newest is not None
    assert newest.step == STEPS
    return load_file(newest.folder / "task.safetensors")


@pytest.mark.parametrize("name", FAMILY)
def test_a_method_is_a_frozen_dataclass_that_knows_its_name(name: str) -> None:
    method = method_named(name)
    assert method.name == name
    assert is_dataclass(method)
    with pytest.raises(AttributeError):
        setattr(method, "name", "other")  # noqa: B010


@pytest.mark.parametrize("name", FAMILY)
def test_a_method_says_whether_its_step_is_its_own(name: str) -> None:
    task = make_task(name)
    shared = isinstance(task, SemiTask) and type(task).step is SemiTask.step
    assert getattr(method_named(name), "own_step", False) is not shared


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown semi-supervised method 'guess'; known are fixmatch, "):
        method_named("guess")


@pytest.mark.parametrize("name", FAMILY)
def test_a_broken_run_ends_in_the_bits_of_an_unbroken_one(name: str, tmp_path: Path) -> None:
    draw = batches()
    train(make_task(name), draw, CONFIG, tmp_path / "unbroken", where=HERE)

    def interrupted(step: int) -> Batch:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(step)

    with pytest.raises(StopRequestedError, match="step 5 of 8"):
        train(make_task(name), interrupted, CONFIG, tmp_path / "broken", where=HERE)
    train(make_task(name), draw, CONFIG, tmp_path / "broken", where=HERE)
    first, second = kept(tmp_path / "unbroken"), kept(tmp_path / "broken")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_move_and_are_kept(name: str, tmp_path: Path) -> None:
    start = {key: value.clone() for key, value in make_task(name).state_dict().items()}
    train(make_task(name), batches(), CONFIG, tmp_path, where=HERE)
    after = kept(tmp_path)
    moved = [key for key in after if "." not in key and key != "updates"]
    assert moved
    assert all(not torch.equal(after[key], start[key]) for key in moved)


def patterns(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy pictures with one bright spot, whose place is the class."""
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 8
    images = rng.integers(0, 100, (count, 1, 8, 8))
    for image, index in zip(images, classes, strict=True):
        y, x = 4 * (index // 4), 2 * (index % 4)
        image[0, y : y + 4, x : x + 2] += 110
    return torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(classes)


@pytest.mark.parametrize("name", FAMILY)
def test_every_method_learns(name: str) -> None:
    (images, classes), (others, unknown) = patterns(32, seed=0), patterns(160, seed=1)
    names = 0.5 * torch.eye(8)[unknown] + 0.5 / 8  # for methods whose faces are named before
    task = make_task(name, view=NONE).train()
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=1e-2)
    for step in range(80):
        rows = torch.from_numpy(ShuffledSampler(160, batch_size=32, seed=0)(step))
        batch = Batch(
            images=images,
            targets=torch.eye(8)[classes],
            unlabeled=others[rows],
            unlabeled_targets=names[rows],
        )
        for phase in task.phases:
            phase(batch, torch.Generator().manual_seed(step)).loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
        task.after_update()
    unseen, expected = patterns(80, seed=2)
    found = predict_probabilities(
        task.averaged, unseen.permute(0, 2, 3, 1).numpy(), device=HERE.device, flip=False
    )
    assert float(np.mean(found.argmax(axis=1) == expected.numpy())) > 0.9


def program(out: Path) -> None:
    """What each of two processes does: train on its share of the batches."""
    with processes("cpu") as where:
        for name in STATISTICS:
            train(make_task(name, view=NONE), batches(where), LAST, out / name, where=where)


LAST = replace(CONFIG, checkpoint_seconds=math.inf)


def test_two_processes_have_the_statistics_of_the_whole_batch(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in STATISTICS:
        task = make_task(name, view=NONE)
        assert isinstance(task, SemiTask)
        train(task, batches(), LAST, tmp_path / "one" / name, where=HERE)
        one, two = kept(tmp_path / "one" / name), kept(tmp_path / "two" / name)
        statistics = [key for key in one if "." not in key]
        for key in statistics:
            assert torch.allclose(one[key].float(), two[key].float(), atol=2e-3), (name, key)


def start_two(out: Path) -> bool:
    """Fork two processes that find each other as those of ``torchrun`` do, without importing torch thrice."""
    torch.set_num_threads(1)
    importlib.import_module("torch._dynamo")  # as the first optimizer does
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # that is, the store is here, not in process 0
    fork = multiprocessing.get_context("fork")
    started = []
    for rank in ("0", "1"):
        os.environ["RANK"] = rank
        started.append(fork.Process(target=program, args=(out,)))
        started[-1].start()
    for process in started:
        process.join()
    return all(process.exitcode == 0 for process in started)


if __name__ == "__main__":
    sys.exit(not start_two(Path(sys.argv[1])))
