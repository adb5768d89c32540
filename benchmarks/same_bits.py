"""Fingerprints of what a change of the code must not change: losses step by step, and tables of predictions.

Three recipes train every stage for some 50 steps on generated faces, with one thread, in float32; the loss
and the learning rate of every step go into a SHA-256 as exact numbers. With --pictures, the tables that
`halfsmile predict` writes of them are hashed too. Run it before and after on one machine and compare; numbers
differ between processors.

    python benchmarks/same_bits.py --out /tmp/before
    python benchmarks/same_bits.py --out /tmp/before --pictures photos/ clips/ --detectors mtcnn yunet
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from halfsmile.data.synthetic import generate_sequence, write_data_set, write_sequences
from halfsmile.predict.run import predict_run
from halfsmile.recipes import Recipe, abaw6, ssfer, temporal
from halfsmile.training import loop, run
from halfsmile.training.distributed import Processes
from halfsmile.training.record_writer import RecordWriter

STEPS, BATCH = 50, 16


@dataclass(frozen=True)
class Options:
    """What to hash.

    Args:
        out: Folder for data, runs and tables; must not exist.
        pictures: Pictures, videos and folders to predict on.
        detectors: Detectors to find their faces with.
    """

    out: Path
    pictures: tuple[Path, ...] = ()
    detectors: tuple[Literal["mtcnn", "yunet"], ...] = ("mtcnn",)


def shortened(recipe: Recipe) -> Recipe:
    """The same recipe with some 50 steps of 16 faces a stage, for the data of :func:`write_data`."""
    pretrain, semi, tune, over_time = recipe.pretrain, recipe.semi, recipe.tune, recipe.temporal
    labeled = STEPS * BATCH / 80
    return replace(
        recipe,
        pretrain=pretrain and replace(pretrain, epochs=STEPS * BATCH / 400, batch_size=BATCH),
        finetune=replace(recipe.finetune, epochs=labeled, batch_size=BATCH),
        semi=semi and replace(semi, epochs=STEPS * BATCH / 128, labeled_batch=BATCH, unlabeled_batch=BATCH),
        tune=tune and replace(tune, epochs=labeled, batch_size=BATCH),
        temporal=over_time
        and replace(
            over_time, steps=STEPS, batch_size=4, hop=6, network=replace(over_time.network, window=12)
        ),
    )


def write_data(root: Path) -> None:
    """Generated faces in class folders, an archive of unlabeled ones, and clips."""
    write_data_set(root / "faces", train=320, test=64, unlabeled=128, size=48, seed=3, people=40)
    clips = (
        generate_sequence(shown, person=person, frames=12, size=48, take=take)
        for person in range(10)
        for take, shown in enumerate(("happiness", "surprise"))
    )
    write_sequences(clips, root / "clips")


def losses(recipe: Recipe, data: Path, unlabeled: list[Path], out: Path) -> Iterator[tuple[int, str, str]]:
    """Step, loss and learning rate of every step, as exact numbers in text."""
    found: list[tuple[int, str, str]] = []

    class Every(RecordWriter):
        def write(self, step: int, *, epoch: float, **values: float) -> None:
            if "loss" in values:
                found.append((step, values["loss"].hex(), values["learning_rate"].hex()))
            super().write(step, epoch=epoch, **values)

    def config(**settings: Any) -> loop.LoopConfig:
        return loop.LoopConfig(**{**settings, "log_seconds": 0.0, "evaluations": 1})

    here = Processes(0, 1, torch.device("cpu"))
    with _patched(Every, config):
        run.train_run(recipe, data=data, unlabeled=unlabeled, out=out, where=here)
    yield from found


class _patched:  # noqa: N801
    """Every step logs its loss, and numbers are of 32 bits whatever the machine prefers."""

    def __init__(self, record: Any, config: Any) -> None:
        from halfsmile.training import stages
        from halfsmile.training import temporal as over_time

        self.changes = [
            (loop, "RecordWriter", record),
            (stages, "LoopConfig", config),
            (over_time, "LoopConfig", config),
            (run, "_precision", lambda *_: "float32"),
        ]

    def __enter__(self) -> None:
        self.before = [(place, name, getattr(place, name)) for place, name, _ in self.changes]
        for place, name, value in self.changes:
            setattr(place, name, value)

    def __exit__(self, *_: object) -> None:
        for place, name, value in self.before:
            setattr(place, name, value)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(1)
    write_data(options.out)
    faces, clips = options.out / "faces", options.out / "clips"
    recipes = {
        "ssfer": (replace(shortened(ssfer(data_set="faces")), labels="25%"), faces / "labeled"),
        "abaw6": (replace(shortened(abaw6()), labels="25%"), faces / "labeled"),
        "temporal": (shortened(temporal()), clips),
    }
    for name, (recipe, data) in recipes.items():
        extra = [faces / "unlabeled.zip"] if data != clips else []
        found = list(losses(recipe, data, extra, options.out / name))
        digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
        print(f"{name}: {len(found)} steps {digest[:16]}")
    for detector in options.detectors if options.pictures else ():
        table = options.out / f"{detector}.csv"
        predict_run([str(path) for path in options.pictures], out=table, detector=detector)
        print(f"{detector}: {hashlib.sha256(table.read_bytes()).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
