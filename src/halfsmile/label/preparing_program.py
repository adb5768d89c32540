"""The process that :mod:`halfsmile.label.preparing` starts: prepares faces and prints how far it is.

``python preparing_program.py SOURCE STORE DETECTOR WORKERS`` prints ``DONE TOTAL`` lines; what goes wrong is
the last line of standard error, and the exit status 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.utils.progress import Progress


class PrintedProgress(Progress):
    """Prints numbers for another process to read."""

    def advance(self, parts: int, *, note: str = "", share: float = 0.0) -> None:
        """Parts were finished."""
        super().advance(parts, note=note, share=share)
        print(f"{self.done} {self.total}", flush=True)


def main(source: str, store: str, detector: Any, workers: int) -> None:
    """Prepare everything that is behind a path."""
    settings = Settings(detector=detector)
    try:
        summary = prepare(
            [source], Path(store), settings=settings, workers=workers, progress=False, shown=PrintedProgress
        )
    except (ValueError, OSError) as error:
        sys.exit(" ".join(str(error).split()))
    if not summary.faces:
        sys.exit(summary.nothing())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
