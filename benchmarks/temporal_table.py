"""What neighboring frames add: per frame, best smoothing, temporal convolution, Temporal Encoder.

Each row is a line of ``rows.jsonl``; the program goes on after a stop with the rows that are missing. People
are in one of three groups: a small network is trained on the frames of the first and then frozen; all rows
are trained on its features of the second, which it has never seen, and measured on the third. With a network
given, or one trained on generated stills of other people, the first group joins the second. The row per
frame is a network without blocks, trained as the others are. Smoothing is chosen on the second group, on
predictions for people that this network was not trained on.

    python benchmarks/temporal_table.py --out runs/temporal
    python benchmarks/temporal_table.py --out runs/london --data sequences_london --model runs/ferplus
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import tyro
from rich.console import Console
from rich.table import Table

from halfsmile.data.images import load_faces
from halfsmile.data.preprocess import preprocess
from halfsmile.data.readers import sequences
from halfsmile.data.readers.sequences import divide_people
from halfsmile.data.samplers import ShuffledSampler
from halfsmile.data.synthetic import generate, generate_sequences
from halfsmile.data.windows import FrameTrack, group_tracks
from halfsmile.evaluation.frames import FrameTable, frame_features, predict_frames
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.task import Batch
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork
from halfsmile.models.vit_config import VitConfig
from halfsmile.models.weights import load_weights
from halfsmile.recipes.config import TemporalStageConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.sequences.metrics import SequenceTruth, evaluate_sequences
from halfsmile.sequences.smoothing import FrameProbabilities
from halfsmile.sequences.smoothing_choice import choose_smoothing
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.training.distributed import Processes
from halfsmile.training.loop import LoopConfig, train
from halfsmile.training.temporal.features import (
    train_temporal,
)
from halfsmile.transforms.augment import Augment
from halfsmile.transforms.pixels import to_tensor
from halfsmile.utils.files import atomic_write, read_json, write_json
from halfsmile.utils.progress import Progress

HERE = Processes(0, 1, torch.device("cpu"))
SHARES = (0.4, 0.3)
SMALL = VitConfig(
    image_size=32,
    patch_size=8,
    channels=1,
    width=96,
    depth=2,
    heads=3,
    stem=(16, 32),
    pooling="average",
    mean=(0.5,),
    std=(0.25,),
)
WINDOW = TemporalConfig(window=32)
ALONE = replace(WINDOW, depth=0)
PER_FRAME = "per frame"
Probabilities = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        out: Folder of everything that is made.
        data: Folder with ``frames.csv`` and pictures; generated sequences without it.
        model: Run folder of a classifier that has seen none of these people, to take the features from; the
            first group then is part of the second.
        seeds: Of the division of people and of all training.
        stills: Generated faces of other people that the small network is trained on when nothing is recorded.
        count: Generated sequences.
        frames: Frames of each.
        difficulty: Of generated faces.
        spoiled: Chance of a generated frame to be spoiled.
        classifier_steps: Length of the per-frame training.
        steps: Length of the training over frames.
        delay: Later frames that the online network waits for.
    """

    out: Path
    data: Path | None = None
    model: Path | None = None
    seeds: tuple[int, ...] = (0,)
    stills: int = 3000
    count: int = 240
    frames: int = 32
    difficulty: float = 0.3
    spoiled: float = 0.15
    classifier_steps: int = 600
    steps: int = 600
    delay: int = 5


@dataclass(frozen=True, eq=False)
class Frames:
    """Decoded frames of all people; a picture that could not be read is black and not present."""

    images: npt.NDArray[np.uint8]
    present: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    spoiled: npt.NDArray[np.bool_]
    times: npt.NDArray[np.float64]
    people: list[str]
    videos: list[str]
    taxonomy: Taxonomy

    def of(self, people: list[str]) -> Frames:
        """The frames of some people."""
        rows = np.flatnonzero(np.isin(self.people, people))
        return replace(
            self,
            images=self.images[rows],
            present=self.present[rows],
            labels=self.labels[rows],
            spoiled=self.spoiled[rows],
            times=self.times[rows],
            people=[self.people[row] for row in rows],
            videos=[self.videos[row] for row in rows],
        )


def recorded(root: Path, size: int, channels: int) -> Frames:
    table = sequences.read(root)
    faces = load_faces(table.manifest, size=size, channels=channels)
    bad = {locator for locator, _ in faces.bad}
    present = np.array([locator not in bad for locator in table.manifest.column("image")])
    images = np.zeros((len(table), *faces.images.shape[1:]), np.uint8)
    images[present] = faces.images
    return Frames(
        images,
        present,
        table.manifest.class_indices(),
        table.spoiled,
        table.times,
        table.manifest.column("person"),
        table.manifest.column("video"),
        table.manifest.taxonomy or FERPLUS,
    )


def generated(arguments: Arguments, size: int, channels: int) -> Frames:
    clips = []
    made = generate_sequences(
        arguments.count,
        frames=arguments.frames,
        size=size,
        people=max(10, arguments.count // 4),
        difficulty=arguments.difficulty,
        spoiled=arguments.spoiled,
    )
    with Progress("drawing sequences", total=arguments.count) as progress:
        for clip in made:
            clips.append(clip)
            progress.advance(1)
    pictures = [preprocess(image, size, channels) for c in clips for image in c.images]
    labels = [FERPLUS.index(name) if name is not None else -1 for c in clips for name in c.labels]
    return Frames(
        np.stack(pictures),
        np.ones(len(pictures), np.bool_),
        np.array(labels, np.int64),
        np.concatenate([c.spoiled for c in clips]),
        np.concatenate([np.arange(len(c)) / 25 for c in clips]),
        [str(c.person) for c in clips for _ in c.labels],
        [f"{i:05d}" for i, c in enumerate(clips) for _ in c.labels],
        FERPLUS,
    )


def still_faces(arguments: Arguments) -> Frames:
    """Generated faces of people that no sequence shows, as sequences of one frame."""
    people = arguments.stills // 8
    faces = generate(
        arguments.stills,
        size=SMALL.image_size,
        people=people,
        first_person=100_000,
        difficulty=arguments.difficulty,
    )
    return Frames(
        np.stack([preprocess(image, SMALL.image_size, SMALL.channels) for image in faces.images]),
        np.ones(len(faces), np.bool_),
        faces.labels,
        np.zeros(len(faces), np.bool_),
        np.zeros(len(faces)),
        [str(person) for person in faces.person],
        [f"still {i}" for i in range(len(faces))],
        FERPLUS,
    )


def train_classifier(frames: Frames, arguments: Arguments, folder: Path, seed: int) -> Classifier:
    """A small per-frame network on the labeled frames, spoiled ones included."""
    torch.manual_seed(seed)
    model = Classifier(build_encoder(SMALL), taxonomy=frames.taxonomy, standardize=True)
    rows = np.flatnonzero((frames.labels >= 0) & frames.present)
    targets = torch.eye(len(frames.taxonomy))[torch.from_numpy(frames.labels)]
    view = Augment(crop_scale=(0.7, 1.0), crop_ratio=(4 / 5, 5 / 4), flip=0.5, rotation=10.0)
    task = FineTuneTask(model, augment=view, mixing="none", smoothing=0.1, ema_decay=0.99)
    sampler = ShuffledSampler(len(rows), batch_size=64, seed=seed)

    def batch(step: int) -> Batch:
        chosen = rows[sampler(step)]
        return Batch(images=to_tensor(frames.images[chosen]), targets=targets[torch.from_numpy(chosen)])

    config = LoopConfig(
        steps=arguments.classifier_steps,
        batch_size=64,
        epoch_steps=len(rows) / 64,
        optim=OptimConfig(learning_rate=1e-3, clip=1.0),
        seed=seed,
    )
    train(task, batch, config, folder, where=HERE, title="per-frame network")
    averaged: Any = task.averaged
    return averaged  # type: ignore[no-any-return]


def load_classifier(run: Path) -> Classifier:
    """The last trained classifier of a run folder."""
    folder = RunFolder.existing(run)
    recipe = read_recipe(folder.recipe_path)
    model = Classifier(
        build_encoder(recipe.encoder), taxonomy=folder.taxonomy(), standardize=recipe.standardize
    )
    load_weights(folder.trained_weights(folder.last_stage()), model)
    return model


@dataclass(frozen=True, eq=False)
class Group:
    """Features of some people's frames, and the truth of their sequences."""

    table: FrameTable
    spoiled: npt.NDArray[np.bool_]
    taxonomy: Taxonomy

    @property
    def tracks(self) -> list[FrameTrack]:
        """Sequences."""
        return self.table.tracks

    def of(self, people: list[str]) -> Group:
        """The sequences of some people."""
        tracks = [track for track in self.tracks if track.person in people]
        return replace(self, table=replace(self.table, tracks=tracks))

    def measure(self, probabilities: list[Probabilities]) -> dict[str, Any]:
        """Scores of predictions, sequence by sequence."""
        truth = [SequenceTruth(self.table.labels[t.rows], self.spoiled[t.rows]) for t in self.tracks]
        return evaluate_sequences(probabilities, truth, self.taxonomy).to_dict()

    def predict(self, model: TemporalNetwork) -> list[FrameProbabilities]:
        """Predictions of a network, sequence by sequence."""
        found = predict_frames(model, self.table)
        return [FrameProbabilities(found[track.rows], track.times) for track in self.tracks]


def make_group(features: npt.NDArray[np.float32], frames: Frames, people: list[str]) -> Group:
    tracks, _ = group_tracks(frames.videos, frames.people, frames.times)
    table = FrameTable(features, frames.present, frames.labels, tracks)
    return Group(table, frames.spoiled, frames.taxonomy).of(people)


def all_features(
    frames: Frames, first: list[str], arguments: Arguments, folder: Path, seed: int
) -> npt.NDArray[np.float32]:
    """Features of all frames, from a file where there is one."""
    path = folder / "features.npy"
    if path.exists():
        return np.load(path)  # type: ignore[no-any-return]
    if arguments.model is None:
        seen = frames.of(first) if arguments.data else still_faces(arguments)
        model = train_classifier(seen, arguments, folder / "classifier", seed)
    else:
        model = load_classifier(arguments.model)
    features = frame_features(model, frames.images, device=HERE.device)
    with atomic_write(path) as temporary:
        np.save(temporary, features)
    return features


@dataclass(frozen=True)
class Rows:
    """What the rows of the table compute, for one division of people."""

    training: Group
    test: Group
    steps: int
    folder: Path
    seed: int

    def fit(self, name: str, config: TemporalConfig, group: Group) -> TemporalNetwork:
        """Train a network on the frames of some people."""
        stage = TemporalStageConfig(network=config, steps=self.steps, hide=0.15 if config.depth else 0.0)
        return train_temporal(
            stage, group.table, group.taxonomy, self.folder / name, where=HERE, seed=self.seed, title=name
        )

    def smoothed(self) -> dict[str, Any]:
        """Smoothing of the network without blocks, chosen across two halves of the training people."""
        people = [str(track.person) for track in self.training.tracks]
        halves = divide_people(people, (0.5,), seed=self.seed)
        parts = [self.training.of(half) for half in halves]
        found, labels, shown = [], [], []
        for number, (here, there) in enumerate((parts, parts[::-1])):
            found += there.predict(self.fit(f"{PER_FRAME}-half-{number}", ALONE, here))
            labels += [there.table.labels[track.rows] for track in there.tracks]
            shown += [str(track.person) for track in there.tracks]
        best = choose_smoothing(found, labels, shown, training_people=people)
        alone = self.test.predict(self.fit(PER_FRAME, ALONE, self.training))
        scores = self.test.measure([best.apply(s.probabilities, s.times) for s in alone])
        return {**scores, "chosen": f"{best.kind} {best.width:g} s"}

    def network(self, name: str, config: TemporalConfig) -> dict[str, Any]:
        """A network over frames."""
        model = self.fit(name, config, self.training)
        return self.test.measure([found.probabilities for found in self.test.predict(model)])

    def all(self, delay: int) -> dict[str, Callable[[], dict[str, Any]]]:
        """Every row by its name."""
        networks = {
            PER_FRAME: ALONE,
            "temporal convolution": replace(WINDOW, kind="convolution", depth=4),
            "Temporal Encoder, offline": WINDOW,
            f"Temporal Encoder, online, delay {delay}": replace(WINDOW, delay=delay),
            "Temporal Encoder, online, delay 0": replace(WINDOW, delay=0),
        }
        made: dict[str, Callable[[], dict[str, Any]]] = {
            name: partial(self.network, name, config) for name, config in networks.items()
        }
        first, *others = made.items()
        return dict([first, ("best smoothing", self.smoothed), *others])


def require_same(arguments: Arguments) -> None:
    """Refuse to add rows to a table that was made with other arguments; more seeds are welcome.

    Raises:
        ValueError: If the folder belongs to other arguments.
    """
    path = arguments.out / "arguments.json"
    given = {name: str(value) for name, value in asdict(arguments).items() if name not in ("out", "seeds")}
    if path.exists() and (before := read_json(path)) != given:
        raise ValueError(f"{arguments.out} was made with {before}, not {given}. Give another --out.")
    write_json(path, given)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows that were measured so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def show(path: Path, console: Console) -> None:
    """Print the table, mean ± standard deviation over seeds."""
    lines = read_rows(path)
    columns = {
        "macro_f1": "macro F1",
        "spoiled_macro_f1": "on spoiled",
        "accuracy": "accuracy",
        "spoiled_accuracy": "on spoiled",
        "onset_error": "onset error",
        "switches": "switches/100",
    }
    table = Table("row", "seeds", *columns.values())
    for name in dict.fromkeys(line["row"] for line in lines):
        found = [line for line in lines if line["row"] == name]
        cells = []
        for column in columns:
            values = np.array([line[column] for line in found])
            scale, digits = (1, 2) if column in ("onset_error", "switches") else (100, 1)
            spread = f" ± {scale * values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{scale * values.mean():.{digits}f}{spread}")
        chosen = ", ".join(dict.fromkeys(line["chosen"] for line in found if "chosen" in line))
        table.add_row(f"{name} ({chosen})" if chosen else name, str(len(found)), *cells)
    console.print(table)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = Console(width=140)
    size, channels = SMALL.image_size, SMALL.channels
    if arguments.model is not None:
        encoder = load_classifier(arguments.model).encoder.config
        size, channels = encoder.image_size, encoder.channels
    path = arguments.out / "rows.jsonl"
    require_same(arguments)
    done = [(line["seed"], line["row"]) for line in read_rows(path)]
    frames = (
        recorded(arguments.data, size, channels) if arguments.data else generated(arguments, size, channels)
    )
    for seed in arguments.seeds:
        folder = arguments.out / f"seed-{seed}"
        first, second, third = divide_people(frames.people, SHARES, seed=seed)
        features = all_features(frames, first, arguments, folder, seed)
        if arguments.model is not None or arguments.data is None:
            second = [*first, *second]
        training, test = (make_group(features, frames, people) for people in (second, third))
        console.print(
            f"seed {seed}: {len(first)} / {len(second)} / {len(third)} people, "
            f"{len(test.tracks)} test sequences",
            highlight=False,
        )
        for name, compute in Rows(training, test, arguments.steps, folder, seed).all(arguments.delay).items():
            if (seed, name) in done:
                continue
            start = time.monotonic()
            scores = compute()
            line = {"step": 0, "seed": seed, "row": name, "seconds": time.monotonic() - start, **scores}
            kept = path.read_text(encoding="utf-8") if path.exists() else ""
            with atomic_write(path) as temporary:
                temporary.write_text(kept + json.dumps(line) + "\n", encoding="utf-8")
    show(path, console)


if __name__ == "__main__":
    main()
