"""Progress that people see: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from halfsmile.utils.console import make_console

QUIET_SECONDS = 2.0
LINE_SECONDS = 15.0


class Progress:
    """Parts done, a rate, and time left; what takes less than two seconds shows nothing.

    Args:
        title: What is running.
        total: Number of parts.
        done: Parts done before (a resumed run).
        active: False shows nothing.
        console: Where to; standard error by default.
    """

    def __init__(
        self, title: str, *, total: int, done: int = 0, active: bool = True, console: Console | None = None
    ) -> None:
        self.title = title
        self.total = total
        self.done = done
        self.active = active
        self.console = console or make_console(stderr=True)
        self._start, self._first = time.monotonic(), done
        self._line = self._start
        self._warm: tuple[float, float] | None = None
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, note="")
        self._shown = False

    def __enter__(self) -> Progress:
        if self.active and self._first:
            self.console.print(f"{self.title}: resuming from {self._first} of {self.total}", soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._bar.stop()

    def advance(self, parts: int, *, note: str = "", share: float = 0.0) -> None:
        """Say that some more parts are done.

        Args:
            parts: How many.
            note: Rate and the like, shown beside the numbers.
            share: How much of the part that is going on is done, 0 to 1; 0 where nobody knows.
        """
        self.done += parts
        done = min(self.done + min(max(share, 0.0), 1.0), self.total)
        now = time.monotonic()
        warm, self._warm = self._warm, self._warm or ((now, done) if done > self._first else None)
        if not self.active or now - self._start < QUIET_SECONDS:
            return
        if self.console.is_terminal:
            if not self._shown:
                self._bar.start()
                self._shown = True
            self._bar.update(self._task, completed=done, note=note)
        elif now - self._line >= LINE_SECONDS or self.done == self.total:
            self._line = now
            shown = f"{self.title}: {self.done}/{self.total}  {note}"
            if done > self._first:
                # the first part also takes what is loaded before it, which no other part takes again
                since, first = warm if warm is not None and done > warm[1] else (self._start, self._first)
                left = (now - since) / (done - first) * (self.total - done)
                shown += f"  {left / 60:.1f} min left"
            self.console.print(shown, soft_wrap=True)
