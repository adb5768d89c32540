"""What a GPU brings, in one command that fits ten minutes and goes on over several.

    python -m benchmarks.gpu --data FERPLUS --unlabeled LFW UTK --out runs/gpu

Parts, in order: ``tests`` (those of the suite that need a GPU), ``steps`` (images/s of training steps at the
presets ``gpu`` and ``paper``, with and without ``torch.compile``, against timm's blocks), ``face`` and
``scratch`` (the run with 10 % of FERPlus's labels at preset ``gpu``, from the face network and from scratch)
and
``stage-one`` (Stage I of several lengths on all unlabeled faces, then labels alone). What is done stands in
``OUT/gpu.json``, with the device's name, and ``OUT/gpu.md`` as tables; the same command goes on with what is
not, runs in the middle of a stage among them. ``--smoke`` is all of it in small, on any device: it shows that
the program works, not what a GPU brings.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import tyro
from benchmarks.steps import as_timm_has_it, random_faces

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.task import Batch
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.precision import choose_precision
from halfsmile.recipes import override, recipe_named, ssfer
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.distributed import processes
from halfsmile.training.optim import make_optimizer
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.errors import StopRequestedError
from halfsmile.utils.files import atomic_write, read_json, write_json
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

Part = Literal["tests", "steps", "face", "scratch", "stage-one"]
TESTS = ("tests/training/test_gpu.py", "tests/transforms/test_augment.py")
SIDES = ("ours", "ours, compiled", "timm's blocks", "timm's blocks, compiled")


@dataclass(frozen=True)
class Options:
    """What the program takes.

    Args:
        data: FERPlus in an official layout, or a store that was prepared from it.
        out: Folder of runs and results.
        unlabeled: Folders, archives or stores of unlabeled faces, for Stage I.
        parts: What is done.
        minutes: When to stop; a run that is being trained then saves itself.
        stage_one: Lengths of Stage I in epochs.
        seconds: Time that each kind of step is measured for.
        device: Where to compute.
        smoke: Everything at preset ``tiny``, with a step or two each.
    """

    data: Path
    out: Path
    unlabeled: tuple[Path, ...] = ()
    parts: tuple[Part, ...] = get_args(Part)
    minutes: float = 9.5
    stage_one: tuple[float, ...] = (20.0, 100.0, 400.0)
    seconds: float = 5.0
    device: Literal["cuda", "cpu"] = "cuda"
    smoke: bool = False


class OutOfTimeError(Exception):
    """The minutes are over; what is done is kept."""


@contextmanager
def alarm(end: float) -> Iterator[None]:
    """Ask a training inside to save itself and stop at a time of the monotonic clock.

    Raises:
        OutOfTimeError: If it did.
    """
    left = end - time.monotonic()
    if left <= 0:
        raise OutOfTimeError
    timer = threading.Timer(left, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        yield
    except (StopRequestedError, KeyboardInterrupt):
        if time.monotonic() < end:
            raise
        raise OutOfTimeError from None
    finally:
        timer.cancel()


def gpu_tests(options: Options, end: float) -> dict[str, Any]:
    """Outcome of the tests that need a GPU, as pytest's last line says."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=max(1.0, end - time.monotonic()), check=False
    )
    last = [line for line in done.stdout.splitlines() if line.strip()]
    return {"tests": {"exit": done.returncode, "said": last[-1] if last else done.stderr[-500:]}}


def images_per_second(recipe: Recipe, side: str, options: Options) -> float:
    """Fine-tuning steps of a recipe's network on random pictures, mixing and optimizer included.

    Args:
        recipe: Its network, view and batch.
        side: One of :data:`SIDES`.
        options: Device and time.
    """
    device = torch.device(options.device)
    torch.manual_seed(0)
    config = recipe.finetune
    encoder = build_encoder(recipe.encoder, drop_path=config.drop_path)
    model = Classifier(encoder, taxonomy=FERPLUS, standardize=recipe.standardize)
    model = as_timm_has_it(model) if side.startswith("timm") else model.to(memory_format=torch.channels_last)
    task = FineTuneTask(
        model, augment=config.augment, mixing=config.mixing, alpha=config.alpha, ema_decay=0.999
    )
    task.to(device).train()
    if side.endswith("compiled"):
        task.model.compile()
    optimizer = make_optimizer(task.model, config.optim)
    generator = torch.Generator(device=device).manual_seed(0)
    classes = torch.arange(config.batch_size) % len(FERPLUS)
    targets = torch.nn.functional.one_hot(classes, len(FERPLUS)).float()
    batch = Batch(images=random_faces(recipe, config.batch_size), targets=targets).to(device)
    half = choose_precision(device).precision == "bfloat16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = task.step(batch, generator).loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        task.after_update()

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(1 if options.smoke else 5):
        step()
    wait()
    done, start = 0, time.perf_counter()
    while not done or time.perf_counter() - start < options.seconds:
        step()
        wait()
        done += 1
    return done * config.batch_size / (time.perf_counter() - start)


def steps(options: Options, end: float, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Images/s of each side at each preset that is not known yet."""
    presets: tuple[Preset, ...] = ("tiny",) if options.smoke else ("gpu", "paper")
    for preset in presets:
        recipe = recipe_named("ssfer", preset)
        for side in SIDES[:3:2] if options.smoke else SIDES:
            name = f"steps, {preset}, {side}"
            if name in known:
                continue
            if time.monotonic() > end:
                raise OutOfTimeError
            yield {name: {"images_per_second": images_per_second(recipe, side, options)}}


def recipes_of(part: Part, options: Options) -> dict[str, Recipe]:
    """The runs of a part by name."""
    preset: Preset = "tiny" if options.smoke else "gpu"
    full = replace(ssfer(preset), protocol=PROTOCOLS["ferplus"], labels="50%" if options.smoke else "10%")
    if part == "face":
        made = {"face": with_face_network(full, data_set="ferplus")}
    elif part == "scratch":
        made = {"scratch": replace(full, pretrain=None)}
    else:
        lengths = (1.0,) if options.smoke else options.stage_one
        made = {
            f"stage-one-{length:g}": override(full, f"pretrain.epochs={length}", "semi=none")
            for length in lengths
        }
    return {name: _short(recipe) if options.smoke else recipe for name, recipe in made.items()}


def _short(recipe: Recipe) -> Recipe:
    """A step or two a stage."""
    pretrain = recipe.pretrain and replace(recipe.pretrain, epochs=0.5, batch_size=16)
    finetune = replace(recipe.finetune, epochs=1, batch_size=8)
    semi = recipe.semi and replace(recipe.semi, epochs=0.5, labeled_batch=8, unlabeled_batch=8)
    return replace(recipe, held_out=0.0, pretrain=pretrain, finetune=finetune, semi=semi)


def trainings(part: Part, options: Options, end: float, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Scores and minutes of the runs of a part that are not known yet, each going on where it stopped."""
    for name, recipe in recipes_of(part, options).items():
        if name in known:
            continue
        with alarm(end), processes(options.device) as where:
            folder = train_run(
                recipe,
                data=options.data,
                unlabeled=options.unlabeled if recipe.pretrain is not None else (),
                out=options.out / name,
                where=where,
            )
            scores = evaluate_run(folder, device=where.device)
        yield {name: _told(folder, {stage: found.to_dict() for stage, found in scores.items()})}


def _told(folder: RunFolder, scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    seconds = sum(read_json(path)["seconds"] for path in folder.path.glob("*/result.json"))
    names = ("accuracy", "balanced_accuracy", "macro_f1", "ece")
    return {
        "minutes": seconds / 60,
        **{stage: {name: found[name] for name in names} for stage, found in scores.items()},
    }


def as_tables(found: dict[str, Any]) -> str:
    """All that is known, as Markdown."""
    steps_found = [
        (*name.split(", ", 2)[1:], f"{value['images_per_second']:,.0f}")
        for name, value in found.items()
        if name.startswith("steps")
    ]
    runs = [
        (name, stage, *(percent_number(scores[score], 2) for score in scores), f"{value['minutes']:.1f}")
        for name, value in found.items()
        if "minutes" in value
        for stage, scores in value.items()
        if stage != "minutes"
    ]
    parts = [f"Device: {found['device']}"]
    if "tests" in found:
        parts.append(f"Tests that need a GPU: {found['tests']['said']}")
    if steps_found:
        parts.append(markdown_table(("preset", "side", "images/s"), steps_found))
    if runs:
        header = ("run", "stage", "accuracy %", "balanced %", "macro F1 %", "ECE %", "minutes of the run")
        parts.append(markdown_table(header, runs))
    return "\n\n".join(parts) + "\n"


def device_name(device: str) -> str:
    """What computes."""
    return torch.cuda.get_device_name() if device == "cuda" else "the processor"


def run(options: Options) -> bool:
    """Do what is not done; whether all is done now.

    Raises:
        ValueError: If there is no such device.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch sees no GPU here. To see whether the program works: --smoke --device cpu")
    options.out.mkdir(parents=True, exist_ok=True)
    path, end = options.out / "gpu.json", time.monotonic() + 60 * options.minutes
    found: dict[str, Any] = read_json(path) if path.is_file() else {"device": device_name(options.device)}
    if found["device"] != device_name(options.device):
        raise ValueError(f"{path} is of another device, {found['device']}. Use another folder for --out.")

    def keep(more: dict[str, Any]) -> None:
        found.update(more)
        write_json(path, found)
        with atomic_write(options.out / "gpu.md") as temporary:
            temporary.write_text(as_tables(found), encoding="utf-8")

    def of_part(part: Part) -> Iterator[dict[str, Any]]:
        if part == "tests":
            yield from () if "tests" in found else (gpu_tests(options, end),)
        elif part == "steps":
            yield from steps(options, end, found)
        else:
            yield from trainings(part, options, end, found)

    try:
        for part in options.parts:
            for more in of_part(part):
                keep(more)
    except (OutOfTimeError, subprocess.TimeoutExpired):
        return False
    return True


def main(options: Options) -> None:
    """Do it and print what is known."""
    console = make_console()
    done = run(options)
    console.print((options.out / "gpu.md").read_text(encoding="utf-8"), soft_wrap=True)
    if not done:
        console.print("The minutes are over: the same command goes on.")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
