"""Cutting out the faces of a folder, archive or video in the background, before they can be labeled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from halfsmile.data.store.read import INDEX_NAME
from halfsmile.label.pool import Pool


class Preparing:
    """One preparation in a process of its own, so that the page stays quick; it goes on after a stop.

    Args:
        source: What to find faces in.
        store: Where they go.
        detector: What finds them.
    """

    def __init__(self, source: Path, store: Path, *, detector: str = "auto") -> None:
        self.source, self.store, self.detector = source, store, detector
        self.done = self.total = 0
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    @property
    def is_finished(self) -> bool:
        """Whether an earlier run has prepared all."""
        return (self.store / INDEX_NAME).is_file()

    def start(self, finished: Callable[[Pool | None, str | None], None]) -> None:
        """Begin; ``finished`` is told the faces, or what went wrong."""
        self._thread = threading.Thread(target=self._run, args=(finished,), name="preparing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; what is done stays."""
        self._is_stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def wait(self, seconds: float) -> None:
        """Wait until it is finished, or for so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, finished: Callable[[Pool | None, str | None], None]) -> None:
        workers = max(1, (os.cpu_count() or 1) - 1)
        program = "halfsmile.label.preparing_program"
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", program, str(self.source), str(self.store), self.detector, str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._process = process
            if self._is_stopping:
                process.terminate()
            errors: list[str] = []
            reader = threading.Thread(target=errors.extend, args=(process.stderr or (),), daemon=True)
            reader.start()
            for line in process.stdout or ():
                done, _, total = line.partition(" ")
                if done.isdigit():
                    self.done, self.total = int(done), int(total)
            reader.join()
        if self._is_stopping:
            return
        if process.returncode:
            said = "".join(errors).strip().splitlines()
            finished(
                None, f"The faces could not be prepared: {said[-1] if said else 'the process was stopped'}"
            )
            return
        try:
            finished(Pool.open(self.store), None)
        except ValueError as error:
            finished(None, str(error))
