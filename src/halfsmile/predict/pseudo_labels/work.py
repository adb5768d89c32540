"""From stored faces to probabilities: the work of one process on one range of a store."""

from __future__ import annotations

import functools
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.data.store.shards import Shard, shard_name
from halfsmile.predict.model import ExpressionModel, Floats
from halfsmile.utils.console import silence_opencv

_OPEN_SHARDS = 8


@dataclass(frozen=True, eq=False)
class Labeled:
    """What the model says of N faces.

    Args:
        probabilities: (N, classes), calibrated; 0 for faces that can't be read.
        bad: Why a face can't be read, by its place among the N.
        failure: Why none of them could be read: this machine does not see the store.
    """

    probabilities: Floats
    bad: dict[int, str] = field(default_factory=dict)
    failure: str | None = None


class Labeler:
    """Names the expressions of stored faces; one object serves one thread.

    One thread computes, and faces are computed in batches that depend on the range alone, so that equal
    ranges give equal bits on equal processors.

    Args:
        store: Folder of the shards.
        model: Bytes and name of an exported model, see :func:`~halfsmile.predict.model.read_model`.
        device: What computes.

    Raises:
        ValueError: If the model can't be used.
    """

    def __init__(self, store: Path, model: tuple[bytes, str], device: str = "cpu") -> None:
        cv2.setNumThreads(1)
        silence_opencv()
        self._model = ExpressionModel.from_bytes(*model, threads=1, device=device)
        self._shard = functools.lru_cache(_OPEN_SHARDS)(lambda number: Shard(store / shard_name(number)))

    def __call__(self, rows: pa.Table) -> Iterator[Labeled]:
        """One piece for a range: ``rows`` of the index with the columns ``shard``, ``offset``, ``length``."""
        crops = np.zeros((len(rows), *self._model.crop_shape), np.uint8)
        bad = {}
        columns = (rows[name].to_pylist() for name in ("shard", "offset", "length"))
        for place, (number, offset, length) in enumerate(zip(*columns, strict=True)):
            try:
                shard = self._shard(number)
            except OSError as error:
                yield Labeled(np.zeros((0, 0), np.float32), failure=f"{platform.node()}: {error}")
                return
            try:
                image = _image(shard, offset, length)
                crops[place] = preprocess(image, *self._model.crop_shape[1:])
            except BadImageError as error:
                bad[place] = str(error)
        probabilities = self._model.predict(crops).probabilities
        probabilities[list(bad)] = 0
        yield Labeled(probabilities, bad)


def _image(shard: Shard, offset: int, length: int) -> Image:
    try:
        data = shard.read(offset, length)
    except (OSError, ValueError) as error:
        raise BadImageError(str(error)) from error
    return decode(data, f"{shard.path.name}#{offset}+{length}")
