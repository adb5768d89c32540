"""``halfsmile evaluate``, ``report`` and ``compare``: what became of runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from halfsmile.cli.options import Device
from halfsmile.utils.console import make_console

if TYPE_CHECKING:
    from halfsmile.data.protocols import Protocol
    from halfsmile.metrics.scores import Metrics


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on its test split again.

    Args:
        run_folder: The run.
        data: Where the labeled data set is now, if it has moved.
        device: Where to compute.
    """

    run_folder: Annotated[Path, tyro.conf.Positional]
    data: Path | None = None
    device: Device = None

    def run(self) -> None:
        """Evaluate and show."""
        from halfsmile import api

        run = api.Run.open(self.run_folder)
        found = run.evaluate_stages(data=self.data, device=self.device)
        show_metrics(found, run.protocol, run.recipe.labels)


@dataclass(frozen=True)
class Report:
    """Write report.html, one self-contained page, into a run folder.

    Args:
        run_folder: The run.
    """

    extra: ClassVar[str] = "report"

    run_folder: Annotated[Path, tyro.conf.Positional]

    def run(self) -> None:
        """Write the page and say where it is."""
        from halfsmile.report.report import write_report

        make_console().print(f"Report: {write_report(self.run_folder)}", soft_wrap=True)


@dataclass(frozen=True)
class Compare:
    """Put runs side by side: mean and deviation over seeds, and paired bootstrap against the first.

    Args:
        run_folders: Two or more runs on the same test images.
        markdown: Also write the table into this file.
    """

    run_folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    markdown: Path | None = None

    def run(self) -> None:
        """Compare and show."""
        from halfsmile.evaluation.compare import compare
        from halfsmile.utils.files import atomic_write

        result = compare(self.run_folders)
        result.render(make_console())
        if self.markdown is not None:
            with atomic_write(self.markdown) as temporary:
                temporary.write_text(result.to_markdown(), encoding="utf-8")


def show_metrics(found: dict[str, Metrics], protocol: Protocol, labels: str) -> None:
    """Print the scores of each stage on the test split, what they mean, and what others published.

    Args:
        found: Scores by stage.
        protocol: What they mean.
        labels: Label budget.
    """
    from rich.table import Table

    from halfsmile.data.protocols import published

    table = Table(title="Test split (last step, averaged weights; nothing was selected on it)")
    for column in ("stage", "accuracy", "balanced accuracy", "macro F1", "NLL", "ECE"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, metrics in found.items():
        values = (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1)
        table.add_row(
            stage, *(f"{100 * v:.2f} %" for v in values), f"{metrics.nll:.3f}", f"{metrics.ece:.3f}"
        )
    console = make_console()
    console.print(table)
    console.print(f"{protocol.describe()} · {labels} of the labels", soft_wrap=True)
    for number in published(protocol, labels):
        console.print(
            f"published for the same: {number.method} {number.value:.2f} % ({number.source})", soft_wrap=True
        )
