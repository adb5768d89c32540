"""A classifier of tiny pictures and a batch for it, shared by the tests of the semi-supervised family."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from halfsmile.methods.semi import SemiSettings
from halfsmile.methods.task import Batch
from halfsmile.taxonomy import Taxonomy
from halfsmile.transforms.augment import NONE


class LinearClassifier(nn.Module):
    """Logits that are linear in the pixels, of a taxonomy of three moods."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.taxonomy = Taxonomy("moods", ("calm", "glad", "sad"))
        self.head = nn.Linear(8 * 8, 3)
        nn.init.normal_(self.head.weight, std=0.3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1))  # type: ignore[no-any-return]


@pytest.fixture
def model() -> nn.Module:
    return LinearClassifier()


@pytest.fixture
def both() -> Batch:
    """Four labeled and ten unlabeled pictures."""
    source = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 1, 8, 8), generator=source).to(torch.uint8)
    unlabeled = torch.randint(0, 256, (10, 1, 8, 8), generator=source).to(torch.uint8)
    return Batch(images=images, targets=torch.eye(3)[[0, 1, 2, 0]], unlabeled=unlabeled)


@pytest.fixture
def settings() -> SemiSettings:
    """No augmentation, so that losses can be computed by hand."""
    return {"weak": NONE, "strong": NONE, "weight": 3.0, "smoothing": 0.0, "ema_decay": 0.9}
