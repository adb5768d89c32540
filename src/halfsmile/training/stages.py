"""What each stage of a run trains; a stage that the recipe does without returns at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halfsmile.data.images import DecodedFaces
from halfsmile.evaluation.inference import watch
from halfsmile.methods.noisy_student import Naming, NoisyStudent
from halfsmile.methods.pretrain.mae import Autoencoder
from halfsmile.methods.semi import SemiTask
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.pretrained import LoadReport, load_pretrained
from halfsmile.models.weights import load_weights
from halfsmile.recipes.config import FineTuneConfig, Recipe, TuneConfig
from halfsmile.runs.stages import StageName
from halfsmile.training.batches import (
    ImagePool,
    labeled_batches,
    paired_batches,
    small_first,
    unlabeled_batches,
)
from halfsmile.training.data import unlabeled_faces
from halfsmile.training.naming import NAMES, ask, ask_run, name_faces, read_names
from halfsmile.training.pictures import show_mixes, show_reconstructions
from halfsmile.training.tasks import finetune_task, pretrain_task, semi_task, tune_task
from halfsmile.training.teaching.features import load_teacher, teacher_features, teacher_shape
from halfsmile.training.trainer import Trainer
from halfsmile.utils.console import make_console


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
    """Stage I: painting, or a teacher's answers, on the training faces (labels unseen) and the extra ones."""
    config = run.recipe.pretrain
    if config is None:
        return
    parts = [faces for faces in (run.faces.labeled, run.faces.unlabeled) if faces is not None]
    parts += [*run.faces.pseudo.values(), *run.faces.extra.values()]
    pool = ImagePool([faces.images for faces in parts])
    shape, said = None, None
    if config.teacher is not None:
        teacher = load_teacher(config, run.recipe.encoder.channels)
        shape = teacher_shape(teacher)
        said = teacher_features(teacher, parts, cache=run.folder.path / "cache", where=run.where)
    task = pretrain_task(run.recipe, config, shape)
    sampler = run.sampler(len(pool), config.batch_size, "pretrain")
    rows = np.random.default_rng(run.recipe.seed).choice(len(pool), size=min(8, len(pool)), replace=False)

    def draw() -> None:
        if isinstance(task.model, Autoencoder):
            path = run.folder.stage("pretrain") / "figures/reconstructions.png"
            show_reconstructions(task.model.cpu(), pool(rows), config.mask_ratio, path)

    run.train(
        "pretrain",
        task,
        unlabeled_batches(pool, sampler, said),
        epochs=config.epochs,
        rows=len(pool),
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        draw=draw if isinstance(task.model, Autoencoder) else None,
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
    if config.named.batch_size:
        _supervise_with_names(run, config, model)
    else:
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
    batches = _small_first(labeled_batches(parts, targets, sampler), config, rows)
    run.train(
        stage,
        task,
        batches,
        epochs=config.passes(rows),
        rows=rows,
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        labeled=run.labeled_sampler(config.batch_size, stage, config.sampling, whole=True),
        evaluate=_watch(run),
    )


def _supervise_with_names(run: Trainer, config: TuneConfig, model: Classifier) -> None:
    """Train a classifier on the labeled faces and on unlabeled ones, as it names those before it begins."""
    parts = unlabeled_faces(run.recipe, "tune", run.faces)
    pool = ImagePool([part.images for part in parts])
    named = _named(run, "tune", config.named, model, parts, pool)
    targets = run.targets(config.vote_share)
    rows = len(targets)
    labeled = labeled_batches(
        list(run.faces.supervised.values()),
        targets,
        run.labeled_sampler(config.batch_size, "tune", config.sampling),
    )
    others = run.sampler(len(pool), config.named.batch_size, "tune", stream=1)
    run.train(
        "tune",
        tune_task(config, model),
        _small_first(paired_batches(labeled, pool, others, named), config, rows),
        epochs=config.passes(rows),
        rows=rows,
        batch_size=config.batch_size,
        optim=config.optim,
        accumulate=config.accumulate,
        labeled=run.labeled_sampler(config.batch_size, "tune", config.sampling, whole=True),
        evaluate=_watch(run),
    )


def _small_first(
    batches: Callable[[int], Batch], config: FineTuneConfig, rows: int
) -> Callable[[int], Batch]:
    """Batches that begin with small faces, where the stage says so."""
    if config.small_side is None:
        return batches
    steps = config.small_share * config.passes(rows) * rows / config.batch_size
    return small_first(batches, side=config.small_side, until=round(steps))


def semi(run: Trainer) -> None:
    """Stage III: a semi-supervised method on the unlabeled many, from Stage II."""
    config = run.recipe.semi
    if config is None:
        return
    parts = unlabeled_faces(run.recipe, "semi", run.faces)
    pool = ImagePool([part.images for part in parts])
    model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
    load_weights(run.folder.trained_weights("finetune"), model)
    named = None
    if isinstance(config.method, NoisyStudent):
        named = _named(run, "semi", config.method, model, parts, pool)
        if config.method.start == "fresh":
            model = run.classifier(drop_path=config.drop_path, dropout=config.dropout)
            _start(run, model)
    task = semi_task(config, model)
    if isinstance(task, SemiTask):
        task.learn_shares(_label_shares(run))
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
    run: Trainer,
    stage: StageName,
    naming: Naming,
    teacher: Classifier,
    parts: Sequence[DecodedFaces],
    pool: ImagePool,
) -> Tensor:
    """Targets (N, classes) of the pool's faces, named by other runs or by the network of the stage before."""
    images = [image for part in parts for image in part.manifest.column("image")]
    path = run.folder.stage(stage) / NAMES
    cache = run.folder.path / "cache"
    how: dict[str, Any] = {"zoom": naming.zoom, "where": run.where, "precision": run.precision}
    asked: list[Callable[[], npt.NDArray[np.float32]]] = [
        partial(ask_run, Path(other), parts, cache=cache, **how) for other in naming.teachers
    ] or [partial(ask, teacher, pool, **how)]
    with run.where.main_first():
        if run.where.is_main and not path.exists():
            name_faces(path, asked, images, run.faces.taxonomy)
        said = read_names(path, images, run.faces.taxonomy)
    return naming.targets(torch.from_numpy(said), _label_shares(run))


def _label_shares(run: Trainer) -> Tensor:
    """Share of each class among the labels of the budget, (classes,)."""
    counts = torch.tensor(list(run.faces.labeled.manifest.counts().values()), dtype=torch.float32)
    return counts / counts.sum()


def _watch(run: Trainer) -> Callable[[Task], dict[str, float]] | None:
    held_out: DecodedFaces | None = run.faces.held_out
    return None if held_out is None else watch(held_out, run.faces.taxonomy, device=run.where.device)
