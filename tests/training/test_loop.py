"""The loop: a broken run ends in the bits of an unbroken one, and nothing bad is ever kept.

Run as a program, this file trains the toy task into a folder and kills itself in the middle of a save.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.task import Batch, StepResult, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.runs.records import read_records
from halfsmile.taxonomy import Taxonomy
from halfsmile.training import checkpoint, loop
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import DivergedError, LoopConfig, StopRequest, step_seed, train
from halfsmile.training.optim import make_optimizer
from halfsmile.utils.errors import StopRequestedError

HERE = Processes(0, 1, torch.device("cpu"))
STEPS = 8
ROWS = 20
CONFIG = LoopConfig(
    steps=STEPS,
    batch_size=6,
    epoch_steps=ROWS / 6,
    optim=OptimConfig(learning_rate=1e-2, warmup=0.25, clip=1.0, layer_decay=0.8),
    seed=5,
    log_seconds=0.0,
    checkpoint_seconds=0.0,
    evaluations=4,
)
MOODS = Taxonomy("moods", ("calm", "glad", "sad"))
Batches = Callable[[int], Batch]


class Killed(BaseException):
    """Stands for the end of the process: nothing of the product catches it."""


class NoisyTask(Task):
    """Classification with everything random: noise by the generator, dropout and dropped paths by torch's."""

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        assert batch.targets is not None
        images = batch.images.float() / 255
        images = images + 0.1 * torch.randn(images.shape, generator=generator)
        loss = F.cross_entropy(self.model(images), batch.targets)
        return StepResult(loss, {"brightness": images.mean()})


class PlainTask(Task):
    """Classification with nothing random."""

    def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
        assert batch.targets is not None
        return StepResult(F.cross_entropy(self.model(batch.images.float() / 255), batch.targets))


def noisy_task() -> Task:
    torch.manual_seed(1)
    config = VitConfig(
        image_size=8,
        patch_size=4,
        channels=1,
        width=8,
        depth=2,
        heads=2,
        drop_path=0.3,
        mean=(0.5,),
        std=(0.25,),
    )
    return NoisyTask(Classifier(VisionTransformer(config), taxonomy=MOODS, dropout=0.2), ema_decay=0.9)


def convolutional_task() -> Task:
    torch.manual_seed(1)
    encoder = ResNet(ResNetConfig(image_size=8, patch_size=2, widths=(8, 12), depths=(1, 1)))
    return NoisyTask(Classifier(encoder, taxonomy=MOODS), ema_decay=0.9)


def plain_task() -> Task:
    torch.manual_seed(1)
    return PlainTask(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.GELU(), nn.Linear(16, 3)), ema_decay=0.9
    )


def all_faces() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (ROWS, 1, 8, 8), dtype=torch.uint8, generator=generator)
    return images, torch.eye(3)[torch.randint(0, 3, (ROWS,), generator=generator)]


def batches(step: int) -> Batch:
    images, targets = all_faces()
    rows = torch.from_numpy(ShuffledSampler(ROWS, batch_size=6, seed=3)(step))
    return Batch(images=images[rows], targets=targets[rows])


def failing(step: int, event: Callable[[], object]) -> Batches:
    """Batches that let something happen before those of the given step are drawn."""

    def draw(asked: int) -> Batch:
        if asked == step:
            event()
        return batches(asked)

    return draw


def kill() -> None:
    raise Killed


def brightness(task: Task) -> dict[str, float]:
    """An evaluation that uses up random numbers of its own."""
    torch.rand(3)
    with torch.inference_mode():
        mean = task.averaged(all_faces()[0].float() / 255).mean()
    return {"held_out/mean": float(mean)}


def run(folder: Path, draw: Batches = batches, config: LoopConfig = CONFIG, make: Any = noisy_task) -> Task:
    task: Task = make()
    train(task, draw, config, folder, where=HERE, evaluate=brightness)
    return task


def kept(folder: Path, step: int = STEPS) -> dict[str, Tensor]:
    """Weights, teacher, counters and moments of a checkpoint."""
    files = (folder / f"checkpoint/step-{step:08d}").glob("*.safetensors")
    return {f"{file.stem}/{name}": value for file in files for name, value in load_file(file).items()}


def lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics without what a clock says."""
    clocks = ("seconds", "images_per_second")
    return [
        {name: value for name, value in line.items() if name not in clocks}
        for line in read_records(folder / "metrics.jsonl").lines
    ]


def digest(folder: Path) -> str:
    return hashlib.sha256(
        b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())
    ).hexdigest()


def assert_same_run(folder: Path, unbroken: Path) -> None:
    ours, theirs = kept(folder), kept(unbroken)
    assert ours.keys() == theirs.keys()
    assert len(ours) > 50
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    assert lines(folder) == lines(unbroken)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that never stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder)
    return folder


def test_the_toy_task_is_random_and_learns(unbroken: Path) -> None:
    first, last = kept(unbroken, STEPS - 1), kept(unbroken)
    assert not any(torch.equal(first[name], last[name]) for name in first if name.startswith("optimizer/"))
    assert [line["step"] for line in lines(unbroken) if "loss" in line] == list(range(1, STEPS + 1))
    assert [line["step"] for line in lines(unbroken) if "held_out/mean" in line] == [2, 4, 6, 8]


def test_equal_runs_are_equal_and_another_seed_is_another_run(unbroken: Path, tmp_path: Path) -> None:
    run(tmp_path / "same")
    assert_same_run(tmp_path / "same", unbroken)
    run(tmp_path / "other", config=replace(CONFIG, seed=6))
    assert lines(tmp_path / "other")[0]["loss"] != lines(unbroken)[0]["loss"]


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_any_step(unbroken: Path, tmp_path: Path, step: int) -> None:
    with pytest.raises(Killed):
        run(tmp_path, failing(step, kill))
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_between_checkpoints(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    clock = itertools.count()
    now = next(clock)

    def draw(asked: int) -> Batch:
        nonlocal now
        now = next(clock)
        return batches(asked)

    def broken(asked: int) -> Batch:
        return failing(step, kill)(asked) if asked == step else draw(asked)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(now)))
    every_third = replace(CONFIG, checkpoint_seconds=3.0)
    with pytest.raises(Killed):
        run(tmp_path, broken, every_third)
    found = checkpoint.find_checkpoint(tmp_path / "checkpoint")
    assert (found.step if found else 0) == step // 3 * 3
    run(tmp_path, draw, every_third)
    assert_same_run(tmp_path, unbroken)


def test_killed_in_the_middle_of_a_record(
    unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, failing(STEPS // 2, kill))
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 5, "seco')
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)
    assert "was cut short and is left out" in capsys.readouterr().err


def test_a_broken_record_before_the_checkpoint_stops_the_resumed_run(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, failing(STEPS // 2, kill))
    path = tmp_path / "metrics.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    broken = "".join([first[:9] + "\n", *rest])
    path.write_text(broken)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 1 is not valid JSON"):
        run(tmp_path)
    assert path.read_text() == broken


def test_killed_before_the_first_checkpoint(unbroken: Path, tmp_path: Path) -> None:
    never = replace(CONFIG, checkpoint_seconds=math.inf)
    with pytest.raises(Killed):
        run(tmp_path, failing(STEPS - 1, kill), never)
    assert checkpoint.find_checkpoint(tmp_path / "checkpoint") is None
    run(tmp_path, config=never)
    assert_same_run(tmp_path, unbroken)


def test_killed_at_every_step_in_turn(unbroken: Path, tmp_path: Path) -> None:
    for step in range(STEPS):
        with pytest.raises(Killed):
            run(tmp_path, failing(step, kill))
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_convolutions_killed_in_the_middle(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", make=convolutional_task)
    weights = [p for p in whole.model.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert all(not p.is_contiguous() for p in weights)  # channels last, and the files know nothing of it
    with pytest.raises(Killed):
        run(tmp_path / "broken", failing(STEPS // 2, kill), make=convolutional_task)
    run(tmp_path / "broken", make=convolutional_task)
    assert_same_run(tmp_path / "broken", tmp_path / "whole")


def test_killed_in_an_evaluation(unbroken: Path, tmp_path: Path) -> None:
    def evaluate(task: Task) -> dict[str, float]:
        raise Killed

    with pytest.raises(Killed):
        train(noisy_task(), batches, CONFIG, tmp_path, where=HERE, evaluate=evaluate)
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_killed_for_real_in_the_middle_of_a_save(unbroken: Path, tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, __file__, str(tmp_path)], check=False, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    left = sorted(path.name[:9] for path in (tmp_path / "checkpoint").iterdir())
    assert left == [".unfinish", "step-0000", "step-0000"]
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        f"step-{STEPS - 1:08d}",
        f"step-{STEPS:08d}",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(unbroken: Path, tmp_path: Path, number: signal.Signals) -> None:
    never = replace(CONFIG, checkpoint_seconds=math.inf)
    before = signal.getsignal(number)
    with pytest.raises(StopRequestedError, match=f"after step 4 of {STEPS}"):
        run(tmp_path, failing(3, lambda: os.kill(os.getpid(), number)), never)
    assert signal.getsignal(number) == before
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["step-00000004"]
    assert lines(tmp_path)[-1]["step"] == 4
    run(tmp_path, config=never)
    assert_same_run(tmp_path, unbroken)


def test_a_signal_at_the_last_step_stops_before_the_next_stage(unbroken: Path, tmp_path: Path) -> None:
    with pytest.raises(StopRequestedError, match=f"last of {STEPS}"):
        run(tmp_path, failing(STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGINT)))
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_a_second_signal_stops_at_once() -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with StopRequest() as stop, pytest.raises(KeyboardInterrupt):
        twice()
    assert stop.asked


def test_a_finished_run_trains_no_more(unbroken: Path, tmp_path: Path) -> None:
    run(tmp_path)
    before = digest(tmp_path)
    task = run(tmp_path, failing(0, kill))
    assert digest(tmp_path) == before
    expected = kept(unbroken)
    for name, value in task.state_dict().items():
        assert torch.equal(value, expected[f"task/{name}"])


def cut_optimizer(folder: Path) -> None:
    path = folder / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_truncated_newest_checkpoint_is_passed_over(unbroken: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, failing(5, kill))
    cut_optimizer(tmp_path / "checkpoint/step-00000005")
    with pytest.warns(UserWarning, match="Passing over a damaged checkpoint"):
        run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_only_damaged_checkpoints_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, failing(5, kill))
    for folder in (tmp_path / "checkpoint").iterdir():
        cut_optimizer(folder)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="is damaged"):
        run(tmp_path)


def test_a_checkpoint_of_another_model_is_refused(unbroken: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint of another model"):
        run(unbroken, make=plain_task)


def test_parts_of_a_batch_add_up_to_the_whole(tmp_path: Path) -> None:
    plain = replace(CONFIG, optim=replace(CONFIG.optim, learning_rate=1e-3))
    whole = run(tmp_path / "whole", config=plain, make=plain_task)
    parts = run(tmp_path / "parts", config=replace(plain, accumulate=3), make=plain_task)
    for name, value in whole.state_dict().items():
        assert torch.allclose(parts.state_dict()[name], value, atol=1e-6), name
    losses = [
        [line["loss"] for line in lines(tmp_path / name) if "loss" in line] for name in ("whole", "parts")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_parts_share_unlabeled_faces_and_boxes_too(tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    class Watching(PlainTask):
        def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
            assert batch.boxes is not None
            assert batch.unlabeled is not None
            seen.append((len(batch.images), len(batch.boxes), len(batch.unlabeled)))
            return super().step(batch, generator)

    def draw(step: int) -> Batch:
        return replace(batches(step), boxes=torch.zeros(6, 4), unlabeled=torch.zeros(12, 1, 8, 8))

    task = Watching(plain_task().model)
    train(task, draw, replace(CONFIG, steps=1, accumulate=3), tmp_path, where=HERE)
    assert seen == [(2, 2, 4)] * 3


def test_parts_of_unequal_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"accumulate 4 does not divide .*'images': 6"):
        run(tmp_path, config=replace(CONFIG, accumulate=4))


@pytest.mark.parametrize("clip", [None, 0.05, 1e9])
def test_clipping_limits_the_norm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float | None
) -> None:
    norms: list[float] = []

    def watched(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
        def note(optimizer: torch.optim.Optimizer, *rest: object) -> None:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
            norms.append(float(torch.cat([g.flatten() for g in gradients]).norm()))

        optimizer = make_optimizer(model, config)
        optimizer.register_step_pre_hook(note)
        return optimizer

    monkeypatch.setattr(loop, "make_optimizer", watched)
    run(tmp_path, config=replace(CONFIG, optim=replace(CONFIG.optim, clip=clip)), make=plain_task)
    assert len(norms) == STEPS
    if clip == 0.05:
        assert norms == pytest.approx([0.05] * STEPS, rel=1e-3)
    else:
        assert min(norms) > 0.1


def test_saving_more_often_changes_nothing_without_clipping(tmp_path: Path) -> None:
    free = replace(CONFIG, optim=replace(CONFIG.optim, clip=None))
    often, rarely = (
        run(tmp_path / str(seconds), config=replace(free, checkpoint_seconds=seconds))
        for seconds in (0.0, math.inf)
    )
    for name, value in often.state_dict().items():
        assert torch.equal(value, rarely.state_dict()[name])


def test_the_teacher_is_the_moving_average_of_the_student(tmp_path: Path) -> None:
    task = plain_task()
    expected = [p.detach().clone() for p in task.model.parameters()]
    updates = 0

    def follow(trained: Task) -> dict[str, float]:
        nonlocal updates
        updates += 1
        decay = min(0.9, (1 + updates) / (10 + updates))
        for mine, theirs in zip(expected, trained.model.parameters(), strict=True):
            mine.mul_(decay).add_(theirs.detach(), alpha=1 - decay)
        assert not trained.training
        return {}

    train(task, batches, replace(CONFIG, evaluations=STEPS), tmp_path, where=HERE, evaluate=follow)
    assert updates == int(task.updates) == STEPS
    for mine, theirs in zip(expected, task.averaged.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)
    assert task.training
    assert not task.averaged.training


def assert_last_good(folder: Path, before: str, step: int) -> None:
    newest = max((folder / "checkpoint").iterdir())
    assert newest.name == f"step-{step:08d}"
    assert digest(newest) == before
    assert all(value.isfinite().all() for value in kept(folder, step).values())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path: Path, bad: float) -> None:
    before = ""

    def draw(step: int) -> Batch:
        nonlocal before
        if step < 4:
            return batches(step)
        before = digest(tmp_path / "checkpoint/step-00000004")
        return replace(batches(step), targets=torch.full((6, 3), bad))

    with pytest.raises(DivergedError, match=r"Step 5 has the loss (nan|inf).*last good checkpoint is in"):
        run(tmp_path, draw)
    assert_last_good(tmp_path, before, 4)
    assert lines(tmp_path)[-1]["step"] == 4


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_not_finite_is_never_saved(tmp_path: Path, clip: float | None) -> None:
    before = ""

    class RootTask(PlainTask):
        def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
            nonlocal before
            result = super().step(batch, generator)
            if int(self.updates) < 4:
                return result
            before = digest(tmp_path / "checkpoint/step-00000004")
            zero = sum((p * 0).sum() for p in self.model.parameters())
            return StepResult(result.loss + torch.as_tensor(zero).sqrt())

    config = replace(CONFIG, optim=replace(CONFIG.optim, clip=clip))
    with pytest.raises(DivergedError, match=r"Step 5 has the loss \d.* gradient norm nan"):
        train(RootTask(plain_task().model), batches, config, tmp_path, where=HERE)
    assert_last_good(tmp_path, before, 4)


def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: dict[str, Tensor], path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        fill = failing(4, lambda: patch.setattr(checkpoint, "save_file", full))
        with pytest.raises(OSError, match="No space left on device"):
            run(tmp_path, fill)
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "step-00000003",
        "step-00000004",
    ]
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_a_file_in_place_of_the_stage_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "stage").write_text("in the way")
    with pytest.raises(OSError, match="stage"):
        run(tmp_path / "stage")


def test_the_schedule_is_logged(unbroken: Path) -> None:
    rates = [line["learning_rate"] for line in lines(unbroken) if "loss" in line]
    assert rates[:3] == pytest.approx([0.005, 0.01, 0.01])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert lines(unbroken)[-1]["epoch"] == pytest.approx(STEPS * 6 / ROWS)


def test_no_evaluation_leaves_no_numbers(tmp_path: Path) -> None:
    config = replace(CONFIG, evaluations=0, log_seconds=math.inf)
    train(noisy_task(), batches, config, tmp_path, where=HERE, evaluate=brightness)
    assert lines(tmp_path) == []


def test_random_draws_of_a_task_differ_by_step_and_process(tmp_path: Path) -> None:
    drawn: list[float] = []

    class Drawing(Task):
        def step(self, batch: Batch, generator: torch.Generator) -> StepResult:
            drawn.append(float(torch.rand(1, generator=generator)))
            return StepResult(self.model(batch.images).sum())

    faces = Batch(images=torch.ones(1, 2))
    for rank in (0, 1):
        where = Processes(rank, 1, HERE.device)
        train(Drawing(nn.Linear(2, 1)), lambda _: faces, CONFIG, tmp_path / str(rank), where=where)
    assert len(set(drawn)) == len(drawn) == 2 * STEPS


def test_seeds_of_steps_and_processes_are_distinct() -> None:
    parts = [(step, rank, *rest) for step in range(500) for rank in range(4) for rest in ((), (1,))]
    seeds = [step_seed(seed, *part) for seed in (0, 1, 101) for part in parts]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert len({seed % 2**32 for seed in seeds}) == len(seeds)


def die_in_a_save(folder: Path) -> None:
    """Train until the sixth checkpoint, and end by SIGKILL with half of it written."""

    def save_half(tensors: dict[str, Tensor], path: Path) -> None:
        save_file(tensors, path)
        if path.name == "optimizer.safetensors" and (folder / "checkpoint/step-00000005").exists():
            path.write_bytes(path.read_bytes()[:100])
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save_file", save_half)
        run(folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    die_in_a_save(Path(sys.argv[1]))
