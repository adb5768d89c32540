"""``halfsmile pseudo-label``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from halfsmile.cli.options import Model, PredictDevice, Store, Threshold
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class PseudoLabel:
    """Name the expressions of all faces of a store; sure answers become labels to train on: pseudo-labels.

    A store is what `halfsmile data prepare` makes. Stopped at any point, the same command goes on and ends
    with the same table. `halfsmile train METHOD --data DATA --pseudo-labels TABLE --out RUN` trains on the
    labeled faces of DATA and on these; `halfsmile data import STORE TABLE --out list.parquet` makes a labeled
    list of it.

    Args:
        store: The store, its folder.
        out: Table: .csv, .jsonl or .parquet.
        model: An exported model: the folder of a run after `halfsmile export`, or its ONNX file.
        threshold: Least confidence of a pseudo-label. The model's own is that from which few enough answers
            were wrong when it was exported; 0.7 where it has none.
        per_class: At most so many pseudo-labels of each class, the surest.
        engine: Where the faces are classified: on this machine, or on a Ray cluster.
        workers: Processes that classify.
        device: What computes; auto is cpu, whose answers are the same bits on equal processors.
    """

    store: Store
    out: Annotated[Path, tyro.conf.arg(metavar="TABLE")]
    model: Model = None
    threshold: Threshold = None
    per_class: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: all)")] = None
    engine: Literal["local", "ray"] = "local"
    workers: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each processor)")
    ] = None
    device: PredictDevice = "auto"

    def run(self) -> None:
        """Classify, write and sum up."""
        from halfsmile.predict.pseudo_labels.run import pseudo_label

        pseudo_label(
            self.store,
            self.out,
            model=self.model,
            threshold=self.threshold,
            per_class=self.per_class,
            engine=self.engine,
            workers=self.workers,
            device=self.device,
        ).render(make_console())
