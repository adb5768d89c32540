"""Expression classifier: an encoder and a linear head, with the names of its classes."""

from __future__ import annotations

from torch import Tensor, nn

from halfsmile.models.encoder import Encoder
from halfsmile.taxonomy import Taxonomy


class Classifier(nn.Module):
    """Logits of the classes of a taxonomy.

    Args:
        encoder: Gives a feature (B, D) per image.
        taxonomy: Class names, in the order of the logits.
        standardize: Batch norm without parameters on the feature before the head, as in MAE's linear probing
            (arXiv 2111.06377, appendix A.1). The mean over patch tokens is mostly the same for all faces; the
            head learns many times faster from what differs.
        dropout: Rate on the feature before the head.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        taxonomy: Taxonomy,
        standardize: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.taxonomy = taxonomy
        width = encoder.config.width
        self.feature_norm = nn.BatchNorm1d(width, affine=False) if standardize else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, len(taxonomy))
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def features(self, images: Tensor) -> Tensor:
        """Features (B, D) that the head sees, of images (B, C, H, W) in [0, 1]."""
        return self.feature_norm(self.encoder(images))  # type: ignore[no-any-return]

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, classes) of features (B, D)."""
        return self.head(self.dropout(features))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        return self.classify(self.features(images))
