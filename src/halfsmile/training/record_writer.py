"""Writing ``metrics.jsonl`` while a stage trains, and TensorBoard's events beside it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from halfsmile.runs.records import RECORDS, Records, read_records
from halfsmile.utils.files import atomic_write


class RecordWriter:
    """Appends records to ``metrics.jsonl``; on resuming, those after the checkpoint's step are dropped first.

    Args:
        folder: Stage folder.
        start: Step of the checkpoint that training resumes from.
        active: False in all processes but the first, where nothing is written.
        tensorboard: Mirror the scalars into ``folder/tensorboard``.

    Attributes:
        notes: What of the file was dropped, for people.

    Raises:
        ValueError: If a line that is there is broken; the file is left as it is.
        OSError: If the folder can't be written.
    """

    def __init__(self, folder: Path, *, start: int, active: bool = True, tensorboard: bool = False) -> None:
        self.path = folder / RECORDS
        self.active = active
        self.notes: list[str] = []
        self._writer: Any = None
        self._offset = 0.0
        if active:
            self._offset = self._drop_after(start)
            self._file = self.path.open("a", encoding="utf-8")
            if tensorboard:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)
        self._start = time.monotonic()

    def _drop_after(self, step: int) -> float:
        """Drop the records after a step; seconds of training until then."""
        found = read_records(self.path)
        kept = tuple(line for line in found.lines if line["step"] <= step)
        if found.note is not None:
            self.notes.append(found.note)
        if dropped := len(found.lines) - len(kept):
            again = f"{dropped} records after step {step} are dropped; those steps are trained again."
            self.notes.append(f"{self.path}: {again}")
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        return Records(kept).seconds

    def __enter__(self) -> RecordWriter:
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

    def write(self, step: int, *, epoch: float, **values: float) -> None:
        """Append one record; it is on disk when this returns."""
        if not self.active:
            return
        line = {"step": step, "seconds": round(self.seconds, 3), "epoch": epoch, **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in {"epoch": epoch, **values}.items():
                self._writer.add_scalar(name, value, step)
