"""The stages of a run, one after another; each is skipped when it is finished and resumed when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from rich.console import Console

from halfsmile.data.images import Faces
from halfsmile.data.samplers import ShuffledSampler
from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.mae import MaeTask, MaskedAutoencoder
from halfsmile.methods.pseudo_label import PseudoLabelTask
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.pretrained import load_pretrained
from halfsmile.models.vit import VisionTransformer
from halfsmile.recipes import Recipe
from halfsmile.train.data import (
    ImagePool,
    TrainingFaces,
    labeled_batches,
    paired_batches,
    soft_targets,
    unlabeled_batches,
)
from halfsmile.train.distributed import Processes
from halfsmile.train.evaluation import watch
from halfsmile.train.loop import LoopConfig, train
from halfsmile.train.optim import OptimConfig
from halfsmile.train.pictures import show_mixes, show_reconstructions
from halfsmile.train.precision import Precision
from halfsmile.train.record import read_metrics
from halfsmile.train.run_folder import RunFolder, peak_memory

STAGE_SEEDS = {"pretrain": 1, "finetune": 2, "semi": 3}


@dataclass(frozen=True)
class Run:
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

    def sampler(self, count: int, batch_size: int, stage: str, stream: int = 0) -> ShuffledSampler:
        """Sampler of this process for a stage."""
        seed = self.recipe.seed * 1000 + STAGE_SEEDS[stage] * 10 + stream
        return ShuffledSampler(
            count,
            batch_size=batch_size,
            seed=seed,
            rank=self.where.rank,
            world_size=self.where.world_size,
        )

    def train(
        self,
        stage: str,
        task: Task,
        batches: Callable[[int], Batch],
        *,
        epochs: float,
        rows: int,
        batch_size: int,
        optim: OptimConfig,
        accumulate: int,
        evaluate: Callable[[Task], dict[str, float]] | None = None,
        draw: Callable[[], None] | None = None,
    ) -> None:
        """Run the loop for a stage, draw its pictures, and keep its averaged weights."""
        epoch_steps = rows / batch_size
        steps = max(1, round(epochs * epoch_steps))
        config = LoopConfig(
            steps=steps,
            batch_size=batch_size,
            epoch_steps=epoch_steps,
            accumulate=accumulate,
            optim=optim,
            seed=self.recipe.seed * 100 + STAGE_SEEDS[stage],
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
            lines = read_metrics(folder / "metrics.jsonl")
            self.folder.finish(
                stage,
                task.averaged,
                {
                    "seconds": lines[-1]["seconds"] if lines else 0.0,
                    "steps": steps,
                    "epochs": epochs,
                    "images": steps * batch_size,
                    "precision": self.precision,
                    "peak_memory_bytes": peak_memory(),
                    "parameters": sum(p.numel() for p in task.averaged.parameters()),
                },
            )
        self.where.barrier()

    def classifier(self, *, drop_path: float = 0.0, dropout: float = 0.0) -> Classifier:
        """A new classifier, its weights drawn from the run's seed."""
        torch.manual_seed(self.recipe.seed)
        encoder = VisionTransformer(replace(self.recipe.encoder, drop_path=drop_path))
        return Classifier(
            encoder,
            taxonomy=self.faces.taxonomy,
            standardize=self.recipe.standardize,
            dropout=dropout,
        )


def pretrain(run: Run) -> None:
    """Stage I: masked autoencoder on the training faces (labels unseen) and the faces from elsewhere."""
    config = run.recipe.pretrain
    if config is None or run.folder.finished("pretrain"):
        return
    torch.manual_seed(run.recipe.seed)
    own = [faces.images for faces in (run.faces.labeled, run.faces.unlabeled) if faces is not None]
    pool = ImagePool([*own, *(faces.images for faces in run.faces.extra.values())])
    model = MaskedAutoencoder(
        VisionTransformer(run.recipe.encoder),
        decoder_width=config.decoder_width,
        decoder_depth=config.decoder_depth,
        decoder_heads=config.decoder_heads,
        normalize_target=config.normalize_target,
    )
    task = MaeTask(model, augment=config.augment, mask_ratio=config.mask_ratio)
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
            model.cpu(),
            pool(rows),
            config.mask_ratio,
            run.folder.stage("pretrain") / "figures/reconstructions.png",
        ),
    )


def finetune(run: Run) -> None:
    """Stage II: FaceMix (or another mixing) on the labeled few, from Stage I, given weights, or scratch."""
    config = run.recipe.finetune
    if run.folder.finished("finetune"):
        return
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    if run.recipe.init is not None:
        report = load_pretrained(model.encoder, run.recipe.init)
        if run.where.is_main:
            Console(stderr=True).print(report.summary(), highlight=False)
    elif run.recipe.pretrain is not None:
        load_pretrained(model.encoder, str(run.folder.path))
    task = FineTuneTask(
        model,
        augment=config.augment,
        mixing=config.mixing,
        alpha=config.alpha,
        smoothing=config.smoothing,
        ema_decay=config.ema_decay,
    )
    labeled = run.faces.labeled
    targets = soft_targets(labeled.manifest, config.vote_share)
    sampler = run.sampler(len(labeled), config.batch_size, "finetune")
    if run.where.is_main and config.mixing != "none":
        show_mixes(
            task, labeled, targets, run.recipe.seed, run.folder.stage("finetune") / "figures/facemix.png"
        )
    run.train(
        "finetune",
        task,
        labeled_batches(labeled, targets, sampler),
        epochs=config.epochs,
        rows=len(labeled),
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        evaluate=_watch(run),
    )


def semi(run: Run) -> None:
    """Stage III: pseudo-labels on the unlabeled rest of the training faces, from Stage II."""
    config = run.recipe.semi
    if config is None or run.folder.finished("semi"):
        return
    if run.faces.unlabeled is None:
        raise ValueError("Stage III needs unlabeled training faces, but the label budget covers all of them.")
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    run.folder.load("finetune", model)
    task = PseudoLabelTask(
        model,
        weak=config.weak,
        strong=config.strong,
        threshold=config.threshold,
        weight=config.weight,
        smoothing=config.smoothing,
        ema_decay=config.ema_decay,
    )
    labeled, pool = run.faces.labeled, ImagePool([run.faces.unlabeled.images])
    targets = soft_targets(labeled.manifest, config.vote_share)
    batches = paired_batches(
        labeled_batches(labeled, targets, run.sampler(len(labeled), config.labeled_batch, "semi")),
        pool,
        run.sampler(len(pool), config.unlabeled_batch, "semi", stream=1),
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
        evaluate=_watch(run, threshold=config.threshold),
    )


def _watch(run: Run, threshold: float | None = None) -> Callable[[Task], dict[str, float]] | None:
    held_out: Faces | None = run.faces.held_out
    if held_out is None:
        return None
    return watch(held_out, run.faces.taxonomy, device=run.where.device, threshold=threshold)
