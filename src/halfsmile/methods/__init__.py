"""Training methods: one idea, one file, each a task with ``step(batch, generator)``.

They are plain modules and functions: no trainer, recipe or data set is needed. A task owns a network and a
loss; pictures go in as uint8, the task makes their views, and every random number comes from the generator.

Example:
    >>> import torch
    >>> from halfsmile.methods import Batch, FixMatch
    >>> from halfsmile.models import Classifier, ResNetConfig, build_encoder
    >>> from halfsmile.taxonomy import FERPLUS
    >>> from halfsmile.transforms.augment import STRONG, WEAK
    >>> classifier = Classifier(build_encoder(ResNetConfig(image_size=48)), taxonomy=FERPLUS)
    >>> task = FixMatch(threshold=0.7).task(classifier, weak=WEAK, strong=STRONG, weight=5.0)
    >>> optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-3)
    >>> faces = torch.randint(0, 256, (12, 1, 48, 48), dtype=torch.uint8)
    >>> batch = Batch(images=faces[:4], targets=torch.eye(8)[:4], unlabeled=faces[4:])
    >>> for step in range(2):
    ...     result = task.step(batch, torch.Generator().manual_seed(step))
    ...     _ = result.loss.backward()
    ...     _ = optimizer.step()
    ...     optimizer.zero_grad()
    ...     task.after_update()  # moves the averaged network, which teaches and is what you evaluate and keep
    >>> sorted(result.logs)[:3]
    ['acceptance', 'accepted/anger', 'accepted/contempt']
    >>> task.averaged(faces.float() / 255).shape
    torch.Size([12, 8])
"""

from __future__ import annotations

from halfsmile.methods.ada_cm import AdaCM, AdaCMTask, contrastive_loss
from halfsmile.methods.debias import DebiasPL, DebiasTask
from halfsmile.methods.facemix import (
    FineTuneTask,
    Mixed,
    beta_sample,
    box_iou,
    facemix_loss,
    mix_cut,
    mix_linear,
    smooth_targets,
    with_fallback,
)
from halfsmile.methods.family import FAMILY, method_named
from halfsmile.methods.feedback.debiased import Feedback, FeedbackTask
from halfsmile.methods.feedback.guard import GuardConfig, OutOfDistributionGuard
from halfsmile.methods.freematch import FreeMatch, FreeMatchTask
from halfsmile.methods.mean_teacher import MeanTeacher, MeanTeacherTask
from halfsmile.methods.pretrain.mae import (
    Autoencoder,
    MaeTask,
    MaskedAutoencoder,
    Masking,
    masked_loss,
    random_masking,
)
from halfsmile.methods.pretrain.masked_conv import MaskedConvAutoencoder, build_autoencoder
from halfsmile.methods.pseudo_label import FixMatch, PseudoLabelTask
from halfsmile.methods.semi import Method, PseudoLabels, SemiSettings, SemiTask, hard_labels
from halfsmile.methods.soft_targets import SoftTargets, SoftTargetsTask
from halfsmile.methods.softmatch import SoftMatch, SoftMatchTask
from halfsmile.methods.task import Batch, Phase, StepResult, Task
from halfsmile.methods.temporal import TemporalTask, WindowBatch, balanced_weights

__all__ = [
    "FAMILY",
    "AdaCM",
    "AdaCMTask",
    "Autoencoder",
    "Batch",
    "DebiasPL",
    "DebiasTask",
    "Feedback",
    "FeedbackTask",
    "FineTuneTask",
    "FixMatch",
    "FreeMatch",
    "FreeMatchTask",
    "GuardConfig",
    "MaeTask",
    "MaskedAutoencoder",
    "MaskedConvAutoencoder",
    "Masking",
    "MeanTeacher",
    "MeanTeacherTask",
    "Method",
    "Mixed",
    "OutOfDistributionGuard",
    "Phase",
    "PseudoLabelTask",
    "PseudoLabels",
    "SemiSettings",
    "SemiTask",
    "SoftMatch",
    "SoftMatchTask",
    "SoftTargets",
    "SoftTargetsTask",
    "StepResult",
    "Task",
    "TemporalTask",
    "WindowBatch",
    "balanced_weights",
    "beta_sample",
    "box_iou",
    "build_autoencoder",
    "contrastive_loss",
    "facemix_loss",
    "hard_labels",
    "masked_loss",
    "method_named",
    "mix_cut",
    "mix_linear",
    "random_masking",
    "smooth_targets",
    "with_fallback",
]
