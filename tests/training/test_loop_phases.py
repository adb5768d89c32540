"""A task of several phases: as exact in resuming, in parts and in failing as a task of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.feedback.debiased import Feedback, FeedbackTask
from halfsmile.methods.feedback.guard import GuardConfig
from halfsmile.methods.task import Batch, Phase, StepResult, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.vit import VisionTransformer
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.runs.records import read_records
from halfsmile.taxonomy import Taxonomy
from halfsmile.training import loop
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import DivergedError, LoopConfig, train
from halfsmile.training.optim import make_optimizer
from halfsmile.transforms.augment import NONE, STRONG, WEAK

HERE = Processes(0, 1, torch.device("cpu"))
STEPS = 6
ROWS = 20
CONFIG = LoopConfig(
    steps=STEPS,
    batch_size=6,
    epoch_steps=ROWS / 6,
    optim=OptimConfig(learning_rate=1e-2, warmup=0.25, clip=1.0, layer_decay=0.8),
    seed=5,
    log_seconds=0.0,
    checkpoint_seconds=0.0,
    evaluations=3,
)
MOODS = Taxonomy("moods", ("calm", "glad", "sad"))
VIT = VitConfig(
    image_size=8, patch_size=4, channels=1, width=8, depth=2, heads=2, drop_path=0.3, mean=(0.5,), std=(0.25,)
)


class Killed(BaseException):
    """Stands for the end of the process."""


class Small(nn.Module):
    """Two layers without anything random."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.hidden(2 * images.flatten(1) - 1).tanh())  # type: ignore[no-any-return]


def noisy_task() -> FeedbackTask:
    """Random views, dropout, dropped paths, running statistics, and a guard with a state."""
    torch.manual_seed(1)
    model = Classifier(VisionTransformer(VIT), taxonomy=MOODS, standardize=True, dropout=0.2)
    guard = GuardConfig(score="energy", quantile=0.3)
    return Feedback(guard=guard, per_sample=True).task(model, weak=WEAK, strong=STRONG, ema_decay=0.9)


def plain_task(per_sample: bool = False) -> FeedbackTask:
    torch.manual_seed(1)
    return Feedback(feedback=30.0, per_sample=per_sample).task(Small(), weak=NONE, strong=NONE, ema_decay=0.9)


def batches(step: int) -> Batch:
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (ROWS, 1, 8, 8), dtype=torch.uint8, generator=generator)
    targets = torch.eye(3)[torch.randint(0, 3, (ROWS,), generator=generator)]
    unlabeled = torch.randint(0, 256, (ROWS, 1, 8, 8), dtype=torch.uint8, generator=generator)
    rows = torch.from_numpy(ShuffledSampler(ROWS, batch_size=6, seed=3)(step))
    others = torch.from_numpy(ShuffledSampler(ROWS, batch_size=12, seed=4)(step))
    return Batch(images=images[rows], targets=targets[rows], unlabeled=unlabeled[others])


def kept(folder: Path, step: int = STEPS) -> dict[str, Tensor]:
    files = (folder / f"checkpoint/step-{step:08d}").glob("*.safetensors")
    return {f"{file.stem}/{name}": value for file in files for name, value in load_file(file).items()}


def lines(folder: Path) -> list[dict[str, Any]]:
    clocks = ("seconds", "images_per_second")
    return [
        {name: value for name, value in line.items() if name not in clocks}
        for line in read_records(folder / "metrics.jsonl").lines
    ]


def run(
    folder: Path,
    make: Callable[[], Task] = noisy_task,
    draw: Callable[[int], Batch] = batches,
    config: LoopConfig = CONFIG,
) -> Task:
    task = make()
    train(task, draw, config, folder, where=HERE)
    return task


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that never stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder)
    return folder


def assert_same_run(folder: Path, unbroken: Path) -> None:
    ours, theirs = kept(folder), kept(unbroken)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    assert lines(folder) == lines(unbroken)


def test_both_networks_learn_and_the_losses_of_both_phases_are_logged(unbroken: Path) -> None:
    start, end = noisy_task().state_dict(), kept(unbroken)
    for part in ("model", "trained_teacher", "teacher"):
        name = f"{part}.head.weight"
        assert not torch.equal(start[name], end[f"task/{name}"]), name
    assert not torch.equal(end["task/model.head.weight"], end["task/trained_teacher.head.weight"])
    assert float(end["task/guard.threshold"]) > -math.inf
    assert int(end["task/guard.rejected"]) > 0
    line = lines(unbroken)[-1]
    assert {"unlabeled", "labeled", "consistency", "feedback", "rejected", "named/glad"} < line.keys()
    assert line["rejected"] == int(end["task/guard.rejected"])


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_between_steps(unbroken: Path, tmp_path: Path, step: int) -> None:
    def draw(asked: int) -> Batch:
        if asked == step:
            raise Killed
        return batches(asked)

    with pytest.raises(Killed):
        run(tmp_path, draw=draw)
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


def test_killed_between_the_phases_of_a_step(unbroken: Path, tmp_path: Path) -> None:
    class Fragile(FeedbackTask):
        def teacher_step(self, batch: Batch, generator: torch.Generator) -> StepResult:
            if int(self.updates) == 3:
                raise Killed
            return super().teacher_step(batch, generator)

    def fragile() -> Task:
        task = noisy_task()
        task.__class__ = Fragile
        return task

    with pytest.raises(Killed):
        run(tmp_path, make=fragile)
    run(tmp_path)
    assert_same_run(tmp_path, unbroken)


@pytest.mark.parametrize("per_sample", [False, True])
def test_parts_of_a_batch_add_up_to_the_whole(tmp_path: Path, per_sample: bool) -> None:
    config = replace(CONFIG, optim=replace(CONFIG.optim, learning_rate=1e-3))

    def make() -> Task:
        return plain_task(per_sample)

    whole = run(tmp_path / "whole", make, config=config)
    parts = run(tmp_path / "parts", make, config=replace(config, accumulate=3))
    for name, value in whole.state_dict().items():
        assert torch.allclose(parts.state_dict()[name], value, atol=1e-6), name


def test_a_phase_leaves_the_other_network_and_its_moments_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepped: list[int] = []

    def watched(task: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
        def note(optimizer: torch.optim.Optimizer, *rest: object) -> None:
            given = {id(p) for g in optimizer.param_groups for p in g["params"] if p.grad is not None}
            stepped.append(len(given))
            networks = [task.get_submodule("model"), task.get_submodule("trained_teacher")]
            names = [all(id(p) in given for p in network.parameters()) for network in networks]
            assert names == [len(stepped) % 2 == 1, len(stepped) % 2 == 0]

        optimizer = make_optimizer(task, config)
        optimizer.register_step_pre_hook(note)
        return optimizer

    monkeypatch.setattr(loop, "make_optimizer", watched)
    run(tmp_path, plain_task)
    assert stepped == [4] * 2 * STEPS
    moments = {name: value for name, value in kept(tmp_path).items() if name.endswith(".step")}
    assert len(moments) == 8
    assert {float(value) for value in moments.values()} == {STEPS}


def test_one_step_is_student_then_feedback_then_teacher_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one-weight problem of the method's own test, this time through the loop."""

    class OneWeight(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.0))

        def forward(self, images: Tensor) -> Tensor:
            z = self.weight * images.flatten(1)
            return torch.cat([torch.zeros_like(z), z], dim=1)

    task = Feedback().task(OneWeight(), weak=NONE, strong=NONE, weight=1.0, ema_decay=0.9)
    student, _, teacher = task.parameters()
    monkeypatch.setattr(
        loop,
        "make_optimizer",
        lambda task, config: torch.optim.SGD([{"params": [student, teacher], "scale": 1.0}], lr=0.1),
    )
    nn.init.ones_(teacher)
    white = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)
    batch = Batch(images=white, targets=torch.eye(2)[[0]], unlabeled=white)
    optim = OptimConfig(learning_rate=0.1, warmup=0.0)
    config = replace(CONFIG, steps=1, batch_size=1, optim=optim, evaluations=0)
    train(task, lambda step: batch, config, tmp_path, where=HERE)

    assert float(student.detach()) == pytest.approx(0.05)
    feedback = math.log(2) - math.log(1 + math.exp(0.05))
    wrong = 1 / (1 + math.e)
    assert float(teacher.detach()) == pytest.approx(1 - 0.1 * ((1 - wrong) - feedback * wrong))
    assert lines(tmp_path)[-1]["feedback"] == pytest.approx(feedback, abs=1e-6)


class Scripted(Task):
    """Two phases with given losses, each of its own weight."""

    def __init__(self, spoiled: int | None) -> None:
        super().__init__(nn.ParameterList([torch.ones(1), torch.ones(1)]))
        self.spoiled = spoiled

    @property
    def phases(self) -> tuple[Phase, ...]:
        return (self.phase(0), self.phase(1))

    def phase(self, index: int) -> Phase:
        def step(batch: Batch, generator: torch.Generator) -> StepResult:
            bad = math.nan if self.spoiled == index and int(self.updates) == 3 else 1.0
            return StepResult(list(self.model.parameters())[index].sum() * bad)

        return step


@pytest.mark.parametrize("phase", [0, 1])
def test_a_loss_that_is_not_finite_in_any_phase_keeps_the_last_good_checkpoint(
    tmp_path: Path, phase: int
) -> None:
    with pytest.raises(DivergedError, match="Step 4 has the loss nan"):
        run(tmp_path, lambda: Scripted(phase))
    assert max(path.name for path in (tmp_path / "checkpoint").iterdir()) == "step-00000003"
    assert all(value.isfinite().all() for value in kept(tmp_path, 3).values())


def test_the_logged_loss_is_the_sum_of_all_phases(tmp_path: Path) -> None:
    run(tmp_path, lambda: Scripted(None))
    assert lines(tmp_path)[0]["loss"] == pytest.approx(2.0)
