"""Checkpoints come back bit by bit, appear whole, and damaged ones are never used."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from halfsmile.methods.task import Task
from halfsmile.training.checkpoint import (
    KEPT,
    check_files,
    find_checkpoint,
    optimizer_tensors,
    save_checkpoint,
)


class Model(nn.Module):
    """Parameters with and without gradient, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.frozen = nn.Parameter(torch.ones(5), requires_grad=False)
        self.register_buffer("seen", torch.zeros(2, dtype=torch.int64))


def make(seed: int = 0, steps: int = 2) -> tuple[Task, torch.optim.AdamW]:
    """A task with a teacher and an optimizer that has moments."""
    torch.manual_seed(seed)
    task = Task(Model(), ema_decay=0.9)
    optimizer = torch.optim.AdamW([p for p in task.model.parameters() if p.requires_grad], fused=True)
    for _ in range(steps):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.randn_like(parameter)
        optimizer.step()
        task.after_update()
    return task, optimizer


def tensors(task: Task, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = {**task.state_dict(), **optimizer_tensors(optimizer)}
    return {name: value.clone() for name, value in state.items()}


def save(folder: Path, step: int, seed: int | None = None) -> dict[str, Tensor]:
    """Write a checkpoint; return what it holds."""
    task, optimizer = make(step if seed is None else seed)
    save_checkpoint(folder, step=step, task=task, optimizer=optimizer, state={"precision": "float32"})
    return tensors(task, optimizer)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].dtype == second[name].dtype
        assert torch.equal(first[name], second[name]), name


def test_everything_comes_back_after_a_perturbation(tmp_path: Path) -> None:
    task, optimizer = make()
    before = tensors(task, optimizer)
    save_checkpoint(tmp_path, step=7, task=task, optimizer=optimizer, state={"precision": "bfloat16"})
    with torch.no_grad():
        for value in [*task.state_dict().values(), *optimizer_tensors(optimizer).values()]:
            value += 1
    changed = tensors(task, optimizer)
    assert not any(torch.equal(before[name], changed[name]) for name in before)

    found = find_checkpoint(tmp_path)
    assert found is not None
    assert (found.step, found.state["precision"]) == (7, "bfloat16")
    found.restore(task, optimizer)
    assert_equal(tensors(task, optimizer), before)


def test_a_fresh_optimizer_goes_on_in_the_same_bits(tmp_path: Path) -> None:
    task, optimizer = make()
    save_checkpoint(tmp_path, step=2, task=task, optimizer=optimizer, state={})
    other, fresh = make(seed=9, steps=0)
    found = find_checkpoint(tmp_path)
    assert found is not None
    found.restore(other, fresh)
    for either, its in ((task, optimizer), (other, fresh)):
        generator = torch.Generator().manual_seed(4)
        for parameter in its.param_groups[0]["params"]:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        its.step()
        either.after_update()
    assert_equal(tensors(task, optimizer), tensors(other, fresh))


def test_no_folder_is_no_checkpoint(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path / "nowhere") is None
    assert find_checkpoint(tmp_path) is None


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 5, 20, 100):
        save(tmp_path, step)
    assert KEPT == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000020", "step-00000100"]


def test_files_are_readable_without_halfsmile(tmp_path: Path) -> None:
    save(tmp_path, 3)
    assert set(digests(tmp_path / "step-00000003")) == {
        "task.safetensors",
        "optimizer.safetensors",
        "state.json",
    }


def cut(path: Path) -> None:
    (path / "task.safetensors").write_bytes((path / "task.safetensors").read_bytes()[:-10])


def flip(path: Path) -> None:
    data = bytearray((path / "optimizer.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "optimizer.safetensors").write_bytes(bytes(data))


def remove(path: Path) -> None:
    (path / "optimizer.safetensors").unlink()


def cut_state(path: Path) -> None:
    (path / "state.json").write_text((path / "state.json").read_text()[:-30])


def remove_state(path: Path) -> None:
    (path / "state.json").unlink()


DAMAGES: list[Callable[[Path], None]] = [cut, flip, remove, cut_state, remove_state]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_one_is_passed_over(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    expected = save(tmp_path, 10)
    save(tmp_path, 20)
    assert check_files(tmp_path / "step-00000020") is None
    damage(tmp_path / "step-00000020")
    with pytest.warns(UserWarning, match="Passing over a damaged checkpoint: .*step-00000020"):
        found = find_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 10
    task, optimizer = make(seed=99)
    found.restore(task, optimizer)
    assert_equal(tensors(task, optimizer), expected)


@pytest.mark.parametrize("damage", DAMAGES)
def test_when_all_are_damaged_nothing_is_guessed(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    for step in (10, 20):
        save(tmp_path, step)
        damage(tmp_path / f"step-{step:08d}")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match=r"Every checkpoint in .* is damaged .*Remove the folder"),
    ):
        find_checkpoint(tmp_path)


def test_a_damaged_newer_one_never_displaces_good_ones(tmp_path: Path) -> None:
    for step in (10, 30):
        save(tmp_path, step)
    cut(tmp_path / "step-00000030")
    save(tmp_path, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000012"]


def test_a_damaged_one_is_replaced_by_the_same_step(tmp_path: Path) -> None:
    save(tmp_path, 10)
    cut(tmp_path / "step-00000010")
    expected = save(tmp_path, 10, seed=5)
    found = find_checkpoint(tmp_path)
    assert found is not None
    task, optimizer = make()
    found.restore(task, optimizer)
    assert_equal(tensors(task, optimizer), expected)


def test_remains_of_a_killed_save_are_cleared(tmp_path: Path) -> None:
    save(tmp_path, 1)
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".unfinished-abc")
    save(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    found = find_checkpoint(tmp_path)
    assert found is not None
    other = Task(nn.Linear(3, 5))
    with pytest.raises(ValueError, match="checkpoint of another model"):
        found.restore(other, torch.optim.AdamW(other.parameters()))


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def failing(call: int, error: Exception) -> Callable[..., None]:
    """A ``save_file`` that writes some bytes and fails at the given call."""
    calls = 0

    def save_file(tensors: dict[str, Tensor], path: Path) -> None:
        nonlocal calls
        calls += 1
        Path(path).write_bytes(b"some bytes")
        if calls == call:
            raise error

    return save_file


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("error", [NO_SPACE, SafetensorError("I/O error: No space left on device")])
def test_a_full_disk_leaves_earlier_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: Exception
) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    before = digests(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("halfsmile.training.checkpoint.save_file", failing(call, error))
        with pytest.raises(OSError, match="No space left on device"):
            save(tmp_path, 3)
    assert digests(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 2
    found = find_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 2


def test_a_failing_move_leaves_earlier_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    before = digests(tmp_path)
    move = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(source).is_dir():
            raise NO_SPACE
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("halfsmile.training.checkpoint.os.replace", replace)
        with pytest.raises(OSError, match="No space left on device"):
            save(tmp_path, 2)
    assert digests(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("in the way")
    with pytest.raises(OSError, match="checkpoint"):
        save(tmp_path / "checkpoint", 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes into read-only folders")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=str(tmp_path)):
            save(tmp_path / "checkpoint", 1)
    finally:
        tmp_path.chmod(0o700)
