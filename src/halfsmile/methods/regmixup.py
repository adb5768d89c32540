"""RegMixup on pseudo-labeled faces: clean ones and mixtures of them, in one loss.

Pinto et al. 2022 (arXiv 2206.14502) learn the clean pictures and, as a regularizer, strong mixtures of them;
RegMixMatch (arXiv 2412.10741) does so with the pseudo-labeled ones, since mixtures alone blur the labels. Of
the M unlabeled faces of a batch those with a weight w above 0 are mixed with each other, in their strong
views x, and so are the names q that the student is taught:

    x̃ᵢ = λ xᵢ + (1 − λ) x_π(i),    t̃ᵢ = λ wᵢ qᵢ + (1 − λ) w_π(i) q_π(i),    λ ~ Beta(α, α)
    L_mix = 1/M Σᵢ CE(f(x̃ᵢ), t̃ᵢ)

to be added to the clean loss with the factor η. Of hard pseudo-labels q is one-hot. The published α is 10 or
more, so that λ is near one half: faces that are hardly mixed are in the clean loss already.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from halfsmile.methods.facemix import beta_sample


@dataclass(frozen=True)
class MixedNames:
    """Mixtures of K of the M unlabeled faces of a batch.

    Args:
        images: (K, C, H, W); K may be 0.
        targets: (K, classes), each row summing to the weight that it has in the loss.
        count: M.
    """

    images: Tensor
    targets: Tensor
    count: int

    def loss(self, logits: Tensor) -> Tensor:
        """Cross-entropy of the logits (K, classes) over all M faces, a scalar."""
        return F.cross_entropy(logits.float(), self.targets, reduction="sum") / self.count


def mix_names(
    images: Tensor, targets: Tensor, weights: Tensor, *, alpha: float, generator: torch.Generator
) -> MixedNames:
    """Mix the faces of a batch that count with each other.

    Args:
        images: (M, C, H, W) views of unlabeled faces.
        targets: (M, classes) what they are taught, each row a distribution.
        weights: (M,) in [0, 1]; those with 0 are left out.
        alpha: λ is drawn from Beta(alpha, alpha), once for the batch.
        generator: Draws λ and partners.
    """
    rows = weights.nonzero()[:, 0]
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    partners = rows[order.to(rows.device)]
    amount = beta_sample(alpha, generator).to(images.device)
    weighted = targets * weights[:, None]
    return MixedNames(
        amount * images[rows] + (1 - amount) * images[partners],
        amount * weighted[rows] + (1 - amount) * weighted[partners],
        len(images),
    )
