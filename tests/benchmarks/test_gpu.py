"""The program for a GPU, in small on the processor: every part, a stop in the middle, and going on."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.gpu import Options, OutOfTimeError, alarm, as_tables, recipes_of, run
from tests.data.layouts import write_ferplus

from benchmarks import gpu
from halfsmile.utils.errors import StopRequestedError


def test_it_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ferplus(tmp_path / "data", train=4, test=1)
    options = Options(
        data=tmp_path / "data",
        out=tmp_path / "out",
        parts=("steps", "scratch"),
        seconds=0.0,
        device="cpu",
        smoke=True,
    )
    assert run(replace(options, minutes=0.0)) is False
    assert run(options) is True
    found = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert set(found) == {"device", "steps, tiny, ours", "steps, tiny, timm's blocks", "scratch"}
    assert set(found["scratch"]) == {"minutes", "finetune", "semi"}
    text = (tmp_path / "out" / "gpu.md").read_text()
    assert "| tiny | timm's blocks |" in text
    assert "| scratch | semi |" in text

    def never(*_: Any) -> float:
        raise AssertionError("it is known")

    monkeypatch.setattr(gpu, "images_per_second", never)
    monkeypatch.setattr(gpu, "train_run", never)
    assert run(options) is True
    monkeypatch.setattr(gpu, "device_name", lambda device: "another")
    with pytest.raises(ValueError, match="is of another device"):
        run(options)


def test_a_training_is_asked_to_stop_in_time() -> None:
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what runs in the background ignores it
    try:
        stop_in_time()
    finally:
        signal.signal(signal.SIGINT, before)


def stop_in_time() -> None:
    with pytest.raises(OutOfTimeError), alarm(time.monotonic() + 0.05):
        time.sleep(30)
    with pytest.raises(StopRequestedError), alarm(time.monotonic() + 30):  # a person's own Ctrl-C is theirs
        raise StopRequestedError("asked")
    with pytest.raises(OutOfTimeError), alarm(time.monotonic() - 1):
        raise AssertionError("nothing is begun")


def test_its_runs_are_what_they_say(tmp_path: Path) -> None:
    options = Options(data=tmp_path, out=tmp_path, stage_one=(5.0, 50.0))
    [face] = recipes_of("face", options).values()
    [scratch] = recipes_of("scratch", options).values()
    assert (face.preset, face.labels, face.init, scratch.init) == ("gpu", "10%", "face", None)
    assert scratch.pretrain is None
    lengths = [
        recipe.pretrain.epochs for recipe in recipes_of("stage-one", options).values() if recipe.pretrain
    ]
    assert lengths == [5.0, 50.0]


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="torch sees no GPU here"):
        run(Options(data=tmp_path, out=tmp_path))
    assert "Device: a card" in as_tables({"device": "a card"})
