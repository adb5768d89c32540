"""Two processes train what one does with the whole batch, agree on every decision, and only the first writes.

``torch.distributed.run`` starts this file twice as a program; the test compares what it left.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.feedback.debiased import Feedback
from halfsmile.methods.feedback.guard import GuardConfig
from halfsmile.methods.task import Batch, Task
from halfsmile.recipes.optim import OptimConfig
from halfsmile.runs.records import read_records
from halfsmile.training.checkpoint import find_checkpoint
from halfsmile.training.distributed import Processes, processes
from halfsmile.training.loop import DivergedError, LoopConfig, train
from halfsmile.transforms.augment import NONE
from halfsmile.utils.errors import StopRequestedError

STEPS = 6
ROWS = 24
CONFIG = LoopConfig(
    steps=STEPS,
    batch_size=8,
    epoch_steps=3,
    optim=OptimConfig(learning_rate=1e-3, clip=0.2),
    log_seconds=0.0,
    checkpoint_seconds=math.inf,
    evaluations=2,
)


FEEDBACK = {
    "feedback": (CONFIG, Feedback(feedback=30.0, guard=GuardConfig(score="confidence", quantile=0.3))),
    "feedback-parts": (replace(CONFIG, accumulate=2), Feedback(feedback=30.0)),
    "feedback-per-sample": (CONFIG, Feedback(feedback=30.0, per_sample=True)),
}


class TinyClassifier(nn.Module):
    """Two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(48, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.hidden(images.flatten(1)).relu()
        return self.head(hidden)  # type: ignore[no-any-return]


def make_task(seed: int = 0) -> Task:
    """Supervised training without anything random."""
    torch.manual_seed(seed)
    return FineTuneTask(TinyClassifier(), augment=NONE, mixing="none", ema_decay=0.9)


def make_feedback(method: Feedback) -> Task:
    """A task of two phases, each of which leaves half of the parameters alone."""
    torch.manual_seed(0)
    return method.task(TinyClassifier(), weak=NONE, strong=NONE, ema_decay=0.9)


def batches(where: Processes) -> Callable[[int], Batch]:
    """This process's shares of the batches."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (ROWS, 3, 4, 4), dtype=torch.uint8, generator=generator)
    targets = torch.eye(4)[torch.randint(0, 4, (ROWS,), generator=generator)]
    sampler = ShuffledSampler(ROWS, batch_size=8, seed=2, rank=where.rank, world_size=where.world_size)

    def draw(step: int) -> Batch:
        rows = torch.from_numpy(sampler(step))
        return Batch(images=images[rows], targets=targets[rows])

    return draw


def paired(where: Processes) -> Callable[[int], Batch]:
    """The same with unlabeled faces beside them."""
    draw, generator = batches(where), torch.Generator().manual_seed(3)
    faces = torch.randint(0, 256, (ROWS, 3, 4, 4), dtype=torch.uint8, generator=generator)
    sampler = ShuffledSampler(ROWS, batch_size=16, seed=4, rank=where.rank, world_size=where.world_size)
    return lambda step: replace(draw(step), unlabeled=faces[torch.from_numpy(sampler(step))])


def at(where: Processes, step: int, event: Callable[[Batch], Batch], rank: int) -> Callable[[int], Batch]:
    """Batches with something done to one step's batch in one process."""
    draw = batches(where)

    def changed(asked: int) -> Batch:
        batch = draw(asked)
        return event(batch) if asked == step and where.rank == rank else batch

    return changed


def digest(task: Task) -> str:
    """Equal for equal bits of all weights."""
    state = b"".join(value.numpy().tobytes() for value in task.state_dict().values())
    return hashlib.sha256(state).hexdigest()


def interrupt(batch: Batch) -> Batch:
    os.kill(os.getpid(), signal.SIGINT)
    return batch


def spoil(batch: Batch) -> Batch:
    assert batch.targets is not None
    return replace(batch, targets=batch.targets * math.nan)


class TheEnd(Exception):  # noqa: N818
    """Leaves the group with an error whose frames hold a wrapper."""


def program(out: Path) -> None:
    """What each of the two processes does."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    wrapped: list[weakref.ref[nn.Module]] = []

    def fail_with_a_wrapper() -> None:
        wrapper = DistributedDataParallel(nn.Linear(2, 2))
        wrapper.itself = [wrapper]  # type: ignore[assignment]
        wrapped.append(weakref.ref(wrapper))
        raise TheEnd

    with suppress(TheEnd), processes("cpu") as where:
        mine = out / f"process-{where.rank}"
        found["agreed"] = where.agree(where.rank == 1, False, where.rank == 0, True)

        with where.main_first():
            found["there"] = (out / "first").exists()
            if where.is_main:
                time.sleep(0.2)
                (out / "first").touch()

        unbroken = make_task(seed=where.rank)
        evaluated: list[int] = []

        def evaluate(task: Task) -> dict[str, float]:
            evaluated.append(int(task.updates))
            return {"held_out/accuracy": 0.5}

        train(unbroken, batches(where), CONFIG, mine / "unbroken", where=where, evaluate=evaluate)
        found["evaluated"] = evaluated
        found["unbroken"] = digest(unbroken)

        parts = make_task()
        train(parts, batches(where), replace(CONFIG, accumulate=2), mine / "parts", where=where)
        found["parts"] = digest(parts)

        for name, (config, method) in FEEDBACK.items():
            task = make_feedback(method)
            train(task, paired(where), config, mine / name, where=where)
            found[name] = digest(task)

        shared = out / "interrupted"
        try:
            train(make_task(), at(where, 2, interrupt, rank=1), CONFIG, shared, where=where)
        except StopRequestedError as error:
            found["interrupted"] = str(error)
        resumed = make_task(seed=7)
        train(resumed, batches(where), CONFIG, shared, where=where)
        found["resumed"] = digest(resumed)

        impatient = replace(CONFIG, checkpoint_seconds=0.0 if where.rank == 1 else math.inf)
        try:
            train(make_task(), at(where, 4, spoil, rank=1), impatient, mine / "diverged", where=where)
        except DivergedError as error:
            found["diverged"] = str(error)
        gc.disable()
        fail_with_a_wrapper()
    found["wrappers"] = sum(reference() is not None for reference in wrapped), len(wrapped)
    (out / f"found-{where.rank}.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes left."""
    out = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    process = subprocess.run(
        [*launcher, __file__, str(out)], check=False, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    return out


def found(two: Path) -> list[dict[str, Any]]:
    return [json.loads((two / f"found-{rank}.json").read_text()) for rank in (0, 1)]


def weights(stage: Path) -> dict[str, Tensor]:
    newest = find_checkpoint(stage / "checkpoint")
    assert newest is not None
    assert newest.step == STEPS
    return load_file(newest.folder / "task.safetensors")


@pytest.mark.parametrize("stage", ["unbroken", "parts"])
def test_two_processes_equal_one_with_the_whole_batch(two: Path, tmp_path: Path, stage: str) -> None:
    here = Processes(0, 1, torch.device("cpu"))
    train(make_task(), batches(here), CONFIG, tmp_path, where=here)
    one, both = weights(tmp_path), weights(two / "process-0" / stage)
    start = make_task().state_dict()
    assert one.keys() == both.keys()
    for name in one:
        assert torch.allclose(one[name], both[name], atol=1e-6), name
        assert not torch.allclose(one[name], start[name], atol=1e-4), name


@pytest.mark.parametrize("stage", FEEDBACK)
def test_phases_of_two_processes_equal_those_of_one(two: Path, tmp_path: Path, stage: str) -> None:
    here = Processes(0, 1, torch.device("cpu"))
    _, method = FEEDBACK[stage]
    train(make_feedback(method), paired(here), CONFIG, tmp_path, where=here)
    one, both = weights(tmp_path), weights(two / "process-0" / stage)
    start = make_feedback(method).state_dict()
    assert one.keys() == both.keys()
    for name in one:
        assert torch.allclose(one[name], both[name], atol=1e-6), name
        if not name.startswith("guard."):
            assert not torch.allclose(one[name].float(), start[name].float(), atol=1e-4), name
    assert int(one["guard.rejected"]) > 0 or stage != "feedback"
    moments = [
        load_file(found.folder / "optimizer.safetensors")
        for folder in (tmp_path, two / "process-0" / stage)
        if (found := find_checkpoint(folder / "checkpoint")) is not None
    ]
    for name, value in moments[0].items():
        assert torch.allclose(value, moments[1][name], atol=1e-6), name


def test_processes_hold_equal_bits(two: Path) -> None:
    first, second = found(two)
    for run in ("unbroken", "parts", "resumed", *FEEDBACK):
        assert first[run] == second[run]


def test_flags_of_any_process_count_for_all(two: Path) -> None:
    assert [run["agreed"] for run in found(two)] == [[True, False, True, True]] * 2


def test_the_main_process_goes_first(two: Path) -> None:
    assert [run["there"] for run in found(two)] == [False, True]


def test_only_the_first_process_writes_and_evaluates(two: Path) -> None:
    assert not (two / "process-1").exists()
    assert [run["evaluated"] for run in found(two)] == [[3, 6], []]
    lines = read_records(two / "process-0/unbroken/metrics.jsonl").lines
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if "held_out/accuracy" in line] == [3, 6]


def test_a_signal_to_one_process_stops_all_at_one_step(two: Path) -> None:
    first, second = found(two)
    assert first["interrupted"] == second["interrupted"] == f"Stopped after step 3 of {STEPS}."
    expected = weights(two / "process-0/unbroken")
    start, other = make_task().state_dict(), make_task(seed=7).state_dict()
    assert not torch.equal(start["model.head.weight"], other["model.head.weight"])
    for name, value in weights(two / "interrupted").items():
        assert torch.equal(value, expected[name]), name


def test_one_impatient_clock_saves_and_one_bad_loss_stops_all(two: Path) -> None:
    for run in found(two):
        assert run["diverged"].startswith("Step 5 has the loss")
    newest = find_checkpoint(two / "process-0/diverged/checkpoint")
    assert newest is not None
    assert newest.step == 4


def test_no_wrapper_outlives_the_group_whose_threads_it_holds(two: Path) -> None:
    assert [run["wrappers"] for run in found(two)] == [[0, 1], [0, 1]]


def test_without_a_launcher_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with processes("cpu") as where:
        assert (where.rank, where.world_size, where.is_main) == (0, 1, True)
        assert where.agree(True, False) == (True, False)
        where.barrier()
    assert not torch.distributed.is_initialized()


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", str(torch.cuda.device_count()))
    with pytest.raises(ValueError, match="one process per GPU"), processes("cuda"):
        pass


def test_a_mac_has_one_gpu_and_others_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="Choose the device cpu or cuda"), processes("mps"):
        pass
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="one process for the device mps"), processes("mps"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "1")
    with processes("mps") as alone:
        assert (alone.device.type, alone.world_size) == ("mps", 1)


if __name__ == "__main__":
    program(Path(sys.argv[1]))
