"""What all stages of a run share: its faces, samplers, targets, and the loop that ends in kept weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from halfsmile.data.samplers import (
    BalancedSampler,
    Sampler,
    Sampling,
    ShuffledSampler,
    class_frequencies,
)
from halfsmile.methods.task import Batch, Task
from halfsmile.models.classifier import Classifier
from halfsmile.models.precision import Precision
from halfsmile.models.weights import save_weights
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.optim import OptimConfig
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import STAGE_BY_NAME, StageName
from halfsmile.training.batches import (
    groups,
    soft_targets,
)
from halfsmile.training.data import TrainingFaces
from halfsmile.training.distributed import Processes
from halfsmile.training.environment import peak_memory
from halfsmile.training.loop import LoopConfig, train
from halfsmile.training.tasks import new_classifier


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
