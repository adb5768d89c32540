"""Several trained classifiers as one, whose answer is the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.encoder import Encoder
from halfsmile.taxonomy import Taxonomy


class Ensemble(nn.Module):
    """The mean of what several classifiers say (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    Each member sees the faces in its own size: they are given in that of the first one, and scaled for the
    others. Networks that start differently are wrong on other faces, so the mean is right more often than
    each of them.

    Args:
        members: Two classifiers or more, the first of which says size and features.

    Raises:
        ValueError: If there are fewer, or they have other classes or channels than the first one.

    Example:
        >>> from halfsmile.models.resnet import ResNet, ResNetConfig
        >>> from halfsmile.taxonomy import FERPLUS
        >>> small, large = (
        ...     Classifier(ResNet(ResNetConfig(image_size=size)), taxonomy=FERPLUS) for size in (48, 64)
        ... )
        >>> Ensemble([large, small]).eval()(torch.rand(2, 1, 64, 64)).shape
        torch.Size([2, 8])
    """

    def __init__(self, members: Sequence[Classifier | MirroredClassifier]) -> None:
        super().__init__()
        if len(members) < 2:
            raise ValueError(f"An average takes two networks at least, found {len(members)}.")
        first = members[0]
        for other in members[1:]:
            first.taxonomy.require_same(other.taxonomy)
            here, there = first.encoder.config.channels, other.encoder.config.channels
            if here != there:
                raise ValueError(
                    f"Networks whose answers are averaged see the same colors; these have {here} and {there} "
                    "channels (1 is gray, 3 is color)."
                )
        self.members = nn.ModuleList(members)

    @property
    def first(self) -> Classifier | MirroredClassifier:
        """The member whose faces and features are those of the whole."""
        return cast("Classifier | MirroredClassifier", self.members[0])

    @property
    def taxonomy(self) -> Taxonomy:
        """The members' classes."""
        return self.first.taxonomy

    @property
    def encoder(self) -> Encoder:
        """The first member's encoder."""
        return self.first.encoder

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), the logarithms of the mean probabilities, and the first member's features.

        Args:
            images: (B, C, H, W) in [0, 1], in the size of the first member.
        """
        answers = [
            member.answer(_in_size(images, member.encoder.config.image_size))
            for member in cast("list[Classifier | MirroredClassifier]", list(self.members))
        ]
        mean = torch.stack([logits.float().softmax(dim=1) for logits, _ in answers]).mean(dim=0)
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log(), answers[0][1]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        return self.answer(images)[0]


Answering = Classifier | MirroredClassifier | Ensemble
"""What gives logits and features of faces."""


def _in_size(images: Tensor, side: int) -> Tensor:
    if images.shape[-1] == side:
        return images
    size = [side, side]
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
