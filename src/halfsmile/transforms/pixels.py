"""From stored pixels to tensors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_tensor(images: npt.NDArray[np.uint8]) -> Tensor:
    """(N, S, S, C) uint8 array to a (N, C, S, S) tensor."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
