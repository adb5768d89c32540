"""Expression classifier: an encoder and a linear head, with the names of its classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfsmile.models.encoder import Encoder
from halfsmile.taxonomy import Taxonomy


class Classifier(nn.Module):
    """Logits of the classes of a taxonomy, from images (B, C, H, W) in [0, 1].

    Args:
        encoder: Gives a feature (B, D) per image; see :func:`~halfsmile.models.encoder.build_encoder`.
        taxonomy: Class names, in the order of the logits.
        standardize: Batch norm without parameters on the feature before the head, as in MAE's linear probing
            (arXiv 2111.06377, appendix A.1). The mean over patch tokens is mostly the same for all faces; the
            head learns many times faster from what differs.
        dropout: Rate on the feature before the head, in [0, 1).

    Example:
        >>> from halfsmile.models.vit import VisionTransformer
        >>> from halfsmile.models.vit_config import VitConfig
        >>> from halfsmile.taxonomy import FERPLUS
        >>> encoder = VisionTransformer(VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=2))
        >>> logits, features = Classifier(encoder, taxonomy=FERPLUS).answer(torch.rand(2, 3, 32, 32))
        >>> logits.shape, features.shape
        (torch.Size([2, 8]), torch.Size([2, 32]))
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

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and features (B, D) of images (B, C, H, W) in [0, 1]."""
        features = self.features(images)
        return self.classify(features), features

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        return self.answer(images)[0]


class MirroredClassifier(nn.Module):
    """A trained classifier that views each face and its mirror image and averages the probabilities.

    All views go through the network as one batch. The answer to a face and to its mirror image is the same.

    Args:
        classifier: What looks.
        zoom: Above 1, it views both a second time, so many times closer: a border of whole pixels is cut
            off, and the rest enlarged to the same size; the attribute ``zoom`` is what came of it. Random
            crops show a network larger faces than it is tested on (arXiv 1906.06423), so a closer look may
            see more.

    Raises:
        ValueError: If the zoom is below 1 or above 2, or so little above 1 that no pixel would be cut off.

    Example:
        >>> from halfsmile.models.resnet import ResNet, ResNetConfig
        >>> from halfsmile.taxonomy import FERPLUS
        >>> network = Classifier(ResNet(ResNetConfig()), taxonomy=FERPLUS).eval()
        >>> faces = torch.rand(2, 1, 48, 48)
        >>> both = MirroredClassifier(network)
        >>> torch.allclose(both(faces), both(faces.flip(-1)), atol=1e-6)
        True
    """

    def __init__(self, classifier: Classifier, *, zoom: float = 1.0) -> None:
        super().__init__()
        if not 1 <= zoom <= 2:
            raise ValueError(f"The zoom of the closer look must be from 1 to 2, found {zoom}.")
        self.classifier = classifier
        self.taxonomy = classifier.taxonomy
        size = self.encoder.config.image_size
        self.border = round(size * (1 - 1 / zoom) / 2)
        if zoom > 1 and not self.border:
            raise ValueError(
                f"The zoom {zoom:g} cuts no pixel off faces of {size} px, so it would only cost time. Give "
                f"1 for no closer look, or {size / (size - 2):.3f} or more."
            )
        self.zoom = size / (size - 2 * self.border)

    @property
    def encoder(self) -> Encoder:
        """The classifier's encoder."""
        return self.classifier.encoder

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes), the logarithms of the mean probabilities, and features (B, D) of the faces.

        Features are those of the faces themselves, not of their mirror images.
        """
        count = images.shape[0]
        views = [images, *([self._closer(images)] if self.border else [])]
        views += [view.flip(-1) for view in views]
        logits, features = self.classifier.answer(torch.cat(views))
        probabilities = logits.float().softmax(dim=1).view(len(views), count, -1)
        mean = probabilities.mean(dim=0)
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log(), features[:count]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        return self.answer(images)[0]

    def _closer(self, images: Tensor) -> Tensor:
        inside = slice(self.border, -self.border)
        size = [images.shape[2], images.shape[3]]
        return F.interpolate(images[:, :, inside, inside], size=size, mode="bilinear", align_corners=False)
