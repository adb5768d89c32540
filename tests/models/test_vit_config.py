from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from halfsmile.models.vit_config import VitConfig, vit_config

TINY = VitConfig(image_size=32, patch_size=8, width=32, depth=2, heads=4)
STEM = replace(TINY, stem=(4, 8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 50}, "image_size 50 is not a multiple of patch_size 8; the next one is 56"),
        ({"heads": 5}, "width 32 must be a multiple of heads"),
        ({"width": 30, "heads": 2}, "of 4"),
        ({"stem": (8,)}, "stride 4, but patch_size is 8"),
        ({"channels": 1}, "mean and std need 1 values"),
    ],
)
def test_impossible_shapes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


def test_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown ViT size 'huge'; known are"):
        vit_config("huge")
