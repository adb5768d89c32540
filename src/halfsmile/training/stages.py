"""What each stage of a run trains; a stage that the recipe does without returns at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from halfsmile.data.images import DecodedFaces
from halfsmile.data.samplers import (
    BalancedSampler,
    Sampler,
    Sampling,
    ShuffledSampler,
    class_frequencies,
)
from halfsmile.evaluation.inference import watch
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.precision import Precision
from halfsmile.models.pretrained import LoadReport, load_pretrained
from halfsmile.models.weights import load_weights, save_weights
from halfsmile.recipes.config import FineTuneConfig, Recipe
from halfsmile.recipes.optim import OptimConfig
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import STAGE_BY_NAME, StageName
from halfsmile.training.batches import (
    ImagePool,
    groups,
    labeled_batches,
    paired_batches,
    small_first,
    soft_targets,
    unlabeled_batches,
)
from halfsmile.training.data import TrainingFaces, unlabeled_faces
from halfsmile.training.distributed import Processes
from halfsmile.training.environment import peak_memory
from halfsmile.training.loop import LoopConfig, train
from halfsmile.training.naming import NAMES, ask, ask_run, name_faces, read_names
from halfsmile.training.pictures import show_mixes, show_reconstructions
from halfsmile.training.tasks import finetune_task, new_classifier, pretrain_task, semi_task
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Trainer:
    """What all stages of a run share.

    Args:
        recipe: Hyper-parameters.
        folder: Where everything goes.
        faces: Decoded faces by role.
        where: This process.
        precision: Number format.
        tensorboard: Mirror metrics into TensorBoard.
    """

    recipe: Recipe
    folder: RunFolder
    faces: TrainingFaces
    where: Processes
    precision: Precision
    tensorboard: bool = False

    def sampler(self, count: int, batch_size: int, stage: StageName, stream: int = 0) -> Sampler:
        """Sampler of this process for unlabeled faces in a stage."""
        return ShuffledSampler(
            count,
            batch_size=batch_size,
            seed=self._seed(stage, stream),
            rank=self.where.rank,
            world_size=self.where.world_size,
        )

    def labeled_sampler(
        self, batch_size: int, stage: StageName, sampling: Sampling, *, whole: bool = False
    ) -> Sampler:
        """Sampler for the labeled faces in a stage: of this process, or of all processes together."""
        parts = self.faces.supervised
        return BalancedSampler(
            self._classes(),
            [group for source, part in parts.items() for group in groups(part.manifest, source)],
            strategy=sampling,
            batch_size=batch_size,
            seed=self._seed(stage),
            rank=0 if whole else self.where.rank,
            world_size=1 if whole else self.where.world_size,
        )

    def _seed(self, stage: StageName, stream: int = 0) -> int:
        return self.recipe.seed * 1000 + STAGE_BY_NAME[stage].seed * 10 + stream

    def train(
        self,
        stage: StageName,
        task: Task,
        batches: Callable[[int], Batch],
        *,
        epochs: float,
        rows: int,
        batch_size: int,
        optim: OptimConfig,
        accumulate: int,
        labeled: Sampler | None = None,
        evaluate: Callable[[Task], dict[str, float]] | None = None,
        draw: Callable[[], None] | None = None,
    ) -> None:
        """Run the loop for a stage, draw its pictures, and keep its averaged weights.

        How often each class was drawn by ``labeled``, the labeled sampler of all processes together, is kept
        with the result.
        """
        epoch_steps = rows / batch_size
        steps = max(1, round(epochs * epoch_steps))
        config = LoopConfig(
            steps=steps,
            batch_size=batch_size,
            epoch_steps=epoch_steps,
            accumulate=accumulate,
            optim=optim,
            seed=self.recipe.seed * 100 + STAGE_BY_NAME[stage].seed,
            precision=self.precision,
        )
        folder = self.folder.stage(stage)
        train(
            task,
            batches,
            config,
            folder,
            where=self.where,
            evaluate=evaluate,
            title=stage,
            tensorboard=self.tensorboard,
        )
        if self.where.is_main:
            if draw is not None:
                draw()
            finish_stage(
                self.folder,
                stage,
                task.averaged,
                {
                    "seconds": self.folder.records(stage).seconds,
                    "steps": steps,
                    "epochs": epochs,
                    "images": steps * batch_size,
                    "precision": self.precision,
                    "peak_memory_bytes": peak_memory(),
                    "parameters": sum(p.numel() for p in task.averaged.parameters()),
                    **({"class_frequencies": self._frequencies(labeled, steps)} if labeled else {}),
                },
            )
        self.where.barrier()

    def targets(self, vote_share: float) -> Tensor:
        """Targets (N, classes) of all faces that train with labels, see :func:`soft_targets`.

        Those of pseudo-labeled faces are the model's probabilities where they are known.
        """
        return torch.cat(
            [
                soft_targets(part.manifest, vote_share if source is None else 1.0)
                for source, part in self.faces.supervised.items()
            ]
        )

    def _classes(self) -> npt.NDArray[np.int64]:
        return np.concatenate([part.manifest.class_indices() for part in self.faces.supervised.values()])

    def _frequencies(self, labeled: Sampler, steps: int) -> dict[str, float]:
        shares = class_frequencies(labeled, self._classes(), steps)
        return dict(zip(self.faces.taxonomy.labels, shares.tolist(), strict=True))

    def classifier(self, *, drop_path: float = 0.0, dropout: float = 0.0) -> Classifier:
        """A new classifier, its weights drawn from the run's seed."""
        return new_classifier(self.recipe, self.faces.taxonomy, drop_path=drop_path, dropout=dropout)


def finish_stage(folder: RunFolder, stage: StageName, model: nn.Module, result: dict[str, Any]) -> None:
    """Keep the weights of a stage, then mark it as finished.

    Raises:
        OSError: If they can't be written; the stage then is not finished.
    """
    save_weights(folder.weights_path(stage), model)
    folder.mark_finished(stage, result)


def require_partners(recipe: Recipe, stage: StageName, processes: int) -> None:
    """Refuse a stage that would mix each face with itself.

    Faces are mixed with those that the same process sees in the same part of a batch.

    Raises:
        ValueError: If the stage mixes faces and a process sees one at a time.
    """
    config = {"finetune": recipe.finetune, "tune": recipe.tune}.get(stage)
    if config is None or config.mixing == "none":
        return
    if config.batch_size < 2 * processes * config.accumulate:
        raise ValueError(
            f"Stage {stage} mixes faces ({config.mixing}), but with a batch of {config.batch_size} on "
            f"{processes} processes and accumulate {config.accumulate} a process sees one face at a time and "
            "has none to mix it with. Start fewer processes, choose a larger batch_size or a smaller "
            f"accumulate, or switch mixing off (--set {stage}.mixing=none)."
        )


def pretrain(run: Trainer) -> None:
    """Stage I: masked autoencoder on the training faces (labels unseen) and the extra ones."""
    config = run.recipe.pretrain
    if config is None:
        return
    own = [faces.images for faces in (run.faces.labeled, run.faces.unlabeled) if faces is not None]
    own += [faces.images for faces in run.faces.pseudo.values()]
    pool = ImagePool([*own, *(faces.images for faces in run.faces.extra.values())])
    task = pretrain_task(run.recipe, config)
    sampler = run.sampler(len(pool), config.batch_size, "pretrain")
    rows = np.random.default_rng(run.recipe.seed).choice(len(pool), size=min(8, len(pool)), replace=False)
    run.train(
        "pretrain",
        task,
        unlabeled_batches(pool, sampler),
        epochs=config.epochs,
        rows=len(pool),
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        draw=lambda: show_reconstructions(
            task.model.cpu(),
            pool(rows),
            config.mask_ratio,
            run.folder.stage("pretrain") / "figures/reconstructions.png",
        ),
    )


def finetune(run: Trainer) -> None:
    """Stage II: FaceMix (or another mixing) on the labeled few, from Stage I, given weights, or scratch."""
    config = run.recipe.finetune
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    report = _start(run, model)
    if report is not None and run.where.is_main:
        make_console(stderr=True).print(report.summary())
    _supervise(run, "finetune", config, model)


def _start(run: Trainer, model: Classifier) -> LoadReport | None:
    """Give an encoder the weights that the recipe starts from; None where nothing is to be told of them."""
    if run.recipe.init is not None:
        return load_pretrained(model.encoder, run.recipe.init)
    if run.recipe.pretrain is not None:
        load_pretrained(model.encoder, str(run.folder.path))
    return None


def tune(run: Trainer) -> None:
    """Last: the labeled faces again, from the weights of the stage before, head and all."""
    config = run.recipe.tune
    if config is None:
        return
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    before: StageName = "finetune" if run.recipe.semi is None else "semi"
    load_weights(run.folder.trained_weights(before), model)
    _supervise(run, "tune", config, model)


def _supervise(run: Trainer, stage: StageName, config: FineTuneConfig, model: Classifier) -> None:
    """Train a classifier on the labeled faces."""
    task = finetune_task(config, model)
    parts, targets = list(run.faces.supervised.values()), run.targets(config.vote_share)
    rows = len(targets)
    sampler = run.labeled_sampler(config.batch_size, stage, config.sampling)
    if run.where.is_main and config.mixing == "facemix":
        path = run.folder.stage(stage) / "figures/facemix.png"
        show_mixes(task, run.faces.labeled, targets[: len(run.faces.labeled)], run.recipe.seed, path)
    batches = labeled_batches(parts, targets, sampler)
    if config.small_side is not None:
        steps = config.small_share * config.epochs * rows / config.batch_size
        batches = small_first(batches, side=config.small_side, until=round(steps))
    run.train(
        stage,
        task,
        batches,
        epochs=config.epochs,
        rows=rows,
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        labeled=run.labeled_sampler(config.batch_size, stage, config.sampling, whole=True),
        evaluate=_watch(run),
    )


def semi(run: Trainer) -> None:
    """Stage III: a semi-supervised method on the unlabeled many, from Stage II."""
    config = run.recipe.semi
    if config is None:
        return
    parts = unlabeled_faces(run.recipe, run.faces)
    pool = ImagePool([part.images for part in parts])
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    load_weights(run.folder.trained_weights("finetune"), model)
    named = None
    if isinstance(config.method, NoisyStudent):
        named = _named(run, config.method, model, parts, pool)
        if config.method.start == "fresh":
            model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
            _start(run, model)
    task = semi_task(config, model)
    sampler = run.labeled_sampler(config.labeled_batch, "semi", config.sampling)
    batches = paired_batches(
        labeled_batches(list(run.faces.supervised.values()), run.targets(config.vote_share), sampler),
        pool,
        run.sampler(len(pool), config.unlabeled_batch, "semi", stream=1),
        named,
    )
    run.train(
        "semi",
        task,
        batches,
        epochs=config.epochs,
        rows=len(pool),
        batch_size=config.unlabeled_batch,
        optim=config.optim,
        accumulate=config.accumulate,
        labeled=run.labeled_sampler(config.labeled_batch, "semi", config.sampling, whole=True),
        evaluate=_watch(run),
    )


def _named(
    run: Trainer, method: NoisyStudent, teacher: Classifier, parts: Sequence[DecodedFaces], pool: ImagePool
) -> Tensor:
    """Targets (N, classes) of the pool's faces, named by other runs or by the network of Stage II."""
    images = [image for part in parts for image in part.manifest.column("image")]
    path = run.folder.stage("semi") / NAMES
    how: dict[str, Any] = {"zoom": method.zoom, "where": run.where, "precision": run.precision}
    asked: list[Callable[[], npt.NDArray[np.float32]]] = [
        partial(ask_run, Path(other), parts, **how) for other in method.teachers
    ] or [partial(ask, teacher, pool, **how)]
    with run.where.main_first():
        if run.where.is_main and not path.exists():
            name_faces(path, asked, images, run.faces.taxonomy)
        said = read_names(path, images, run.faces.taxonomy)
    counts = torch.tensor(list(run.faces.labeled.manifest.counts().values()), dtype=torch.float32)
    return method.targets(torch.from_numpy(said), counts / counts.sum())


def _watch(run: Trainer) -> Callable[[Task], dict[str, float]] | None:
    held_out: DecodedFaces | None = run.faces.held_out
    return None if held_out is None else watch(held_out, run.faces.taxonomy, device=run.where.device)
