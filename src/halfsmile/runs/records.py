"""Metrics as JSON Lines, one object a line, readable while training runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from halfsmile.utils.files import atomic_write


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics file; a last line that was cut short is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


class Record:
    """Appends lines to ``metrics.jsonl``; on resuming, lines after the checkpoint's step are dropped first.

    Args:
        folder: Stage folder.
        start: Step of the checkpoint that training goes on from.
        active: False in all processes but the first, where nothing is written.
        tensorboard: Mirror the scalars into ``folder/tensorboard``.
    """

    def __init__(self, folder: Path, *, start: int, active: bool = True, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.jsonl"
        self.active = active
        self._writer: Any = None
        self._offset = 0.0
        if active:
            kept = [line for line in read_metrics(self.path) if line["step"] <= start]
            self._offset = max((line["seconds"] for line in kept), default=0.0)
            with atomic_write(self.path) as temporary:
                temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            self._file = self.path.open("a", encoding="utf-8")
            if tensorboard:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
        self._start = time.monotonic()

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.active:
            self._file.close()
            if self._writer is not None:
                self._writer.close()

    @property
    def seconds(self) -> float:
        """Training time so far, earlier parts of a resumed run included."""
        return self._offset + time.monotonic() - self._start

    def write(self, step: int, **values: float) -> None:
        """Append one line; it is on disk when this returns."""
        if not self.active:
            return
        line = {"step": step, "seconds": round(self.seconds, 3), **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
