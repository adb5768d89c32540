"""A training that is asked to stop in the middle of a stage on labeled and unlabeled faces."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from halfsmile.methods.task import Batch
from halfsmile.training import stages
from halfsmile.training.batches import paired_batches
from halfsmile.utils.errors import StopRequestedError


@contextmanager
def stopped_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ctrl-C when the batch of a step is drawn; what is within must stop for it."""

    def stopping(*parts: Any) -> Any:
        draw = paired_batches(*parts)

        def batch(number: int) -> Batch:
            if number == step:
                signal.raise_signal(signal.SIGINT)
            return draw(number)

        return batch

    with monkeypatch.context() as patch:
        patch.setattr(stages, "paired_batches", stopping)
        with pytest.raises(StopRequestedError):
            yield
