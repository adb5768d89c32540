"""Fewer numbers for each face: standardized features along the directions in which the pool varies most.

Principal components (Pearson 1901) of the standardized features, without labels: a head on 256 of them is as
good as one on all and learns many times faster (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
WIDTH = 256
_SAMPLE = 8192
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Reduction:
    """A linear map of features.

    Args:
        mean: (D,), subtracted first.
        matrix: (D, R), what the rest is multiplied by. The squared norms of the results have a mean of 1 at
            most.
    """

    mean: Floats
    matrix: Floats

    @classmethod
    def fit(cls, features: npt.NDArray[Any], width: int = WIDTH) -> Reduction:
        """Of features (N, D); of many, of 8,192 spread evenly."""
        step = max(1, -(-len(features) // _SAMPLE))
        chosen = features[::step].astype(np.float32)
        dimension = features.shape[1]
        if not len(chosen):
            return cls(np.zeros(dimension, np.float32), np.eye(dimension, width, dtype=np.float32))
        deviation = chosen.std(axis=0)
        deviation = np.where(deviation > 1e-6, deviation, 1) * np.sqrt(np.float32(dimension))
        mean = chosen.mean(axis=0)
        scaled = ((chosen - mean) / deviation).astype(np.float64)
        if len(scaled) < dimension:
            directions = np.linalg.svd(scaled, full_matrices=False)[2].T[:, :width]
        else:
            directions = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :width]
        return cls(mean, (directions / deviation[:, None]).astype(np.float32))

    def __call__(self, features: npt.NDArray[Any]) -> Floats:
        """The reduced features (N, R) of features (N, D)."""
        found = np.empty((len(features), self.matrix.shape[1]), np.float32)
        for start in range(0, len(features), _CHUNK):
            part = features[start : start + _CHUNK].astype(np.float32)
            found[start : start + _CHUNK] = (part - self.mean) @ self.matrix
        return found

    def whole(self, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """Weight (D, K) and bias (K,) for features, from those (R, K) for reduced ones."""
        found = self.matrix @ weight.astype(np.float32)
        return found, np.asarray(bias - self.mean @ found, np.float32)
