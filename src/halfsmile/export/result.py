"""What an export gave, and the reports beside the files: gate.json, latency.json and card.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from halfsmile.evaluation.calibrate_run import Calibration
from halfsmile.export.card import card
from halfsmile.export.gate import EXACT, QUANTIZED, Parity, batch_sizes
from halfsmile.export.latency import Latency
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.runs.stages import better_line, better_stages
from halfsmile.training.environment import processor_name
from halfsmile.utils.console import plain
from halfsmile.utils.files import write_json
from halfsmile.utils.percent import percent_number

ONNX, INT8, OPENVINO = "model.onnx", "model-int8.onnx", "openvino/model.xml"
TEMPORAL = "temporal.onnx"
GATE, LATENCY, CARD, CALIBRATION = "gate.json", "latency.json", "card.md", "calibration.json"
LIMITS = {ONNX: EXACT, INT8: QUANTIZED, OPENVINO: EXACT, TEMPORAL: EXACT}


def files_of(models: Iterable[str]) -> tuple[str, ...]:
    """Names of all files that an export of these models writes."""
    models = tuple(models)
    weights = (str(Path(OPENVINO).with_suffix(".bin")),) if OPENVINO in models else ()
    return (*models, *weights, GATE, LATENCY, CARD, CALIBRATION)


@dataclass(frozen=True, eq=False)
class Export:
    """What was published.

    Args:
        folder: Where.
        facts: What the files say of themselves.
        calibration: Temperature and thresholds.
        comparisons: What the gate found, by file.
        sizes: Bytes, by file.
        latency: Times, by file and batch size.
        report_problem: Why the run's calibration.json and report could not be brought up to date, if so.
    """

    folder: Path
    facts: ModelFacts
    calibration: Calibration
    comparisons: dict[str, Parity]
    sizes: dict[str, int]
    latency: list[Latency]
    report_problem: str | None = None

    def write_reports(self, folder: Path, data: Mapping[str, Any]) -> None:
        """Write gate.json, latency.json, card.md and calibration.json.

        Args:
            folder: Where to.
            data: The run's data.json.
        """
        gate = {
            file: {**asdict(found), "limits": asdict(LIMITS[file])}
            for file, found in self.comparisons.items()
        }
        faces = self.calibration.source or "labeled"
        written = files_of(self.comparisons)
        batches = sorted(set(batch_sizes(self.comparisons[ONNX].count)))
        write_json(folder / GATE, {"faces": faces, "batches": batches, "files": gate, "written": written})
        rows = [
            {**asdict(row), "faces_per_second": row.faces_per_second, "bytes": self.sizes[row.name]}
            for row in self.latency
        ]
        machine = {"processor": processor_name(), "threads": 1}
        write_json(folder / LATENCY, {**machine, "files": rows})
        text = card(
            self.facts,
            data=data,
            calibration=self.calibration,
            comparisons=self.comparisons,
            sizes=self.sizes,
            latency=self.latency,
            processor=processor_name(),
        )
        (folder / CARD).write_text(text, encoding="utf-8")
        self.calibration.write(folder)

    def show(self, console: Console) -> None:
        """Print sizes, times and what the gate found."""
        table = Table(title="Exported files, one thread", box=None, pad_edge=False)
        columns = ("file", "MB", "batch", "median ms", "faces/s", "largest difference", "same expression")
        for column in columns:
            is_file = column == "file"
            table.add_column(column, justify="left" if is_file else "right", no_wrap=is_file)
        for row in self.latency:
            found = self.comparisons[row.name]
            cells = (
                row.name,
                f"{self.sizes[row.name] / 1e6:.1f}",
                str(row.batch),
                f"{row.median_ms:.2f}",
                f"{row.faces_per_second:,.0f}",
                f"{found.difference:.1e}",
                f"{percent_number(found.agreement, 2)}%",
            )
            table.add_row(*plain(cells))
        console.print(table)
        for name in self.comparisons:
            console.print(f"{'Model' if name == ONNX else 'Written'}: {self.folder / name}", soft_wrap=True)
        if better := better_stages(self.calibration.stage, self.calibration.stages):
            chosen = self.calibration
            faces = f"the {chosen.count:,} labeled faces that trained nothing ({chosen.source})"
            console.print(better_line(chosen.stage, better, chosen.stages, faces), soft_wrap=True)
        if self.calibration.source is None:
            console.print(
                "Not calibrated: the run has no labeled faces that trained nothing, so nobody knows how sure "
                "its answers are. Train with fewer --labels, or put some faces into the split valid.",
                soft_wrap=True,
            )
        if self.report_problem is not None:
            console.print(f"Exported; the report was not rewritten: {self.report_problem}", soft_wrap=True)
