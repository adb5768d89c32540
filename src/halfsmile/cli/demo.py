"""``halfsmile demo``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """The whole idea on generated faces in a few minutes: all stages in small, and a report.

    Args:
        out: Where the generated faces and the run go.
        seed: Seed of faces and training.
    """

    out: Path = Path("runs/demo")
    seed: int = 0

    def run(self) -> None:
        """Generate, train, evaluate and report."""
        from halfsmile.cli.demo_run import run_demo

        run_demo(self.out, seed=self.seed)
