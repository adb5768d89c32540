"""A model names the expressions of all faces of a store; the sure answers become labels in a table.

Every face is classified once, in the order of the store, by processes of this machine or of a Ray cluster.
What was classified is kept when a run is stopped, and the table appears when all is done: with the same
bytes, however often it was stopped and whatever did the work.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from halfsmile.data.exchange.pseudo_labels import write_record
from halfsmile.data.store.read import read_index
from halfsmile.data.store.shards import shard_name
from halfsmile.predict.model import ExpressionModel, Floats, read_model
from halfsmile.predict.pseudo_labels.parts import LabelParts, parts_folder
from halfsmile.predict.pseudo_labels.table import Counts, Selection, write_table
from halfsmile.predict.pseudo_labels.work import Labeled, Labeler
from halfsmile.predict.tables.sinks import require_table
from halfsmile.utils.console import plain
from halfsmile.utils.parallel.engine import Engine, Pool, open_pool
from halfsmile.utils.parallel.pool import OrderedPool, TaskError
from halfsmile.utils.percent import percent_number
from halfsmile.utils.progress import Progress

THRESHOLD = 0.7
"""Least confidence of a pseudo-label where the model has no threshold of its own."""


@dataclass
class PseudoLabelSummary:
    """What a run did.

    Args:
        table: The table.
        model: Name of the model.
        labels: Its classes.
        selection: Which answers were accepted.
        threshold_from: Who chose the threshold: ``given``, ``model`` or ``default``.
        faces: Faces of the store.
        known_faces: Those that an earlier run had classified.
        counts: By class.
        elapsed: Seconds that the run took.
        device: What computed.
    """

    table: Path
    model: str
    labels: tuple[str, ...]
    selection: Selection
    threshold_from: str
    faces: int
    known_faces: int
    counts: Counts = field(default_factory=Counts)
    elapsed: float = 0.0
    device: str = "cpu"

    def render(self, console: Console) -> None:
        """Print for people."""

        def say(text: str) -> None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

        new = self.faces - self.known_faces
        before = f" ({self.known_faces:,} were done before)" if self.known_faces else ""
        rate = f", {new / self.elapsed:,.0f} faces/s" if self.elapsed > 1 else ""
        say(f"{new:,} faces{before} in {self.elapsed:,.0f} s{rate}, by {self.model} on {self.device}.")
        table = Table("class", "faces", "accepted", "share")
        sums = (sum(self.counts.classes.values()), sum(self.counts.accepted.values()))
        rows = [(name, self.counts.classes[name], self.counts.accepted[name]) for name in self.labels]
        for name, faces, accepted in [*rows, ("all", *sums)]:
            share = f"{percent_number(accepted / faces, 0)}%" if faces else ""
            table.add_row(*plain((name, f"{faces:,}", f"{accepted:,}", share)))
        console.print(table)
        source = {"given": "as given", "model": "the model's own", "default": "the model has none"}
        cap = self.selection.per_class
        most = f", at most {cap:,} of a class" if cap is not None else ""
        say(
            f"Accepted from a confidence of {self.selection.threshold:.3f} "
            f"({source[self.threshold_from]}){most}."
        )
        if self.counts.bad:
            say(f"{self.counts.bad:,} faces can't be read; the column reason says why:")
            for image, reason in self.counts.first_bad:
                say(f"  {image}: {reason}")
        say(f"{self.table}: {self.faces:,} rows.")
        if sums[1]:
            say(
                f"To train on them: halfsmile train METHOD --data DATA --pseudo-labels {self.table} --out RUN"
            )
        else:
            say(f"No face is sure enough to train on. {self._how_to_accept()}")

    def _how_to_accept(self) -> str:
        """What to type where nothing was accepted."""
        if self.threshold_from == "model" and self.selection.threshold >= 1:
            return (
                "At no confidence was this model right often enough on labeled faces that were kept out of "
                "its training, so none of its answers counts as sure: train a better one, accept more errors "
                "when exporting (halfsmile export RUN --target-error 0.3), or choose by yourself "
                "(--threshold 0.6)."
            )
        return "Choose a lower one: --threshold 0.5."


def pseudo_label(
    store: Path,
    out: Path,
    *,
    model: str | Path | None = None,
    threshold: float | None = None,
    per_class: int | None = None,
    engine: Engine = "local",
    workers: int | None = None,
    device: str = "auto",
    progress: bool = True,
) -> PseudoLabelSummary:
    """Classify every face of a store, and write a table of pseudo-labels.

    Stopped at any point and called again with the same store and model, it goes on.

    Args:
        store: A finished store of aligned faces.
        out: The table, see :mod:`halfsmile.predict.pseudo_labels.table`; it must not exist.
        model: An exported ONNX file or a run folder with one; None for the model in the box.
        threshold: Least confidence of a pseudo-label; None for the model's own threshold, from which its
            answers count as certain, or :data:`THRESHOLD` where it has none.
        per_class: At most so many pseudo-labels of each class, the surest; None for all.
        engine: Where the faces are classified, see :func:`~halfsmile.utils.parallel.engine.open_pool`; the
            table is written here.
        workers: Processes, by default one for each processor; 0 works in this process. As they are spawned,
            a program that calls this needs ``if __name__ == "__main__":``.
        device: What computes; see :mod:`halfsmile.predict.options.devices`. ``auto`` is ``cpu``: a GPU's
            answers differ in the last bits, and each worker would load the model there.
        progress: Show progress on standard error when it takes more than two seconds.

    Raises:
        ValueError: If there is no finished store, the model can't be used or wants other crops, the table is
            there or can't be written to, it was begun with another store or model, a number is out of range,
            or the engine is not installed.
        OSError: If the table can't be written, or the engine fails.
    """
    store, out = Path(store), require_table(out)
    if out.exists() and not parts_folder(out).exists():
        raise ValueError(f"{out} exists. Remove it, or choose another name.")
    start = time.monotonic()
    data = read_model(model)
    device = "cpu" if device == "auto" else device
    loaded = ExpressionModel.from_bytes(*data, threads=1, device=device)
    if loaded.preprocessing.scale != 1:
        raise ValueError(
            f"{data[1]} wants faces enlarged {loaded.preprocessing.scale:g} times, and a store holds them as "
            "training sees them, at scale 1. Export the model at that scale."
        )
    selection, threshold_from = _selection(threshold, loaded.threshold, per_class)
    _require_shards(store)
    start_worker = functools.partial(Labeler, store.resolve(), data, device)
    with LabelParts(out, store, data[0], loaded.labels) as parts:
        summary = PseudoLabelSummary(
            out,
            loaded.name,
            loaded.labels,
            selection,
            threshold_from,
            parts.faces,
            parts.done,
            device=loaded.device,
        )
        if parts.done < parts.faces:
            with open_pool(engine, start_worker, workers=workers) as pool:
                _classify(parts, pool, start_worker, is_shown=progress)
        write_record(
            out,
            store,
            model=loaded.name,
            model_sha256=loaded.sha256,
            threshold=selection.threshold,
            per_class=selection.per_class,
        )
        summary.counts = write_table(out, parts, loaded.labels, selection)
        parts.remove()
    summary.elapsed = time.monotonic() - start
    return summary


def _selection(given: float | None, own: float | None, per_class: int | None) -> tuple[Selection, str]:
    """What is accepted, and who chose the threshold."""
    for value, source in ((given, "given"), (own, "model"), (THRESHOLD, "default")):
        if value is not None:
            return Selection(value, per_class), source
    raise AssertionError


def _require_shards(store: Path) -> None:
    """Refuse what is no finished store, an empty one, and one that lacks a shard."""
    numbers = read_index(store, ["shard"])[0]["shard"].unique().to_pylist()
    if not numbers:
        raise ValueError(f"The store {store} holds no face.")
    if missing := [name for name in map(shard_name, sorted(numbers)) if not (store / name).is_file()]:
        raise ValueError(f"The store {store} lacks {len(missing)} shards, first {missing[0]}. Copy it again.")


def _classify(
    parts: LabelParts, pool: Pool[pa.Table, Labeled], start: functools.partial[Labeler], *, is_shown: bool
) -> None:
    """Classify the faces that are left."""
    begin, before = time.monotonic(), parts.done
    with Progress("classifying", total=parts.faces, done=before, active=is_shown) as progress:
        for rows, pieces in pool.run(parts.ranges()):
            try:
                labeled = next(pieces)
            except TaskError:
                labeled = _one_by_one(rows, start)
            if labeled.failure is not None:
                raise OSError(f"A shard can't be opened; all machines must see the store. {labeled.failure}")
            parts.append(rows, labeled)
            rate = (progress.done + len(rows) - before) / max(time.monotonic() - begin, 1e-9)
            progress.advance(len(rows), note=f"{rate:,.0f} faces/s")
        parts.commit()


def _one_by_one(rows: pa.Table, start: functools.partial[Labeler]) -> Labeled:
    """Classify the faces of a range one by one, since one of them ends the process, and leave it out."""
    found: list[Floats | None] = []
    bad: dict[int, str] = {}
    with OrderedPool[pa.Table, Labeled](start, workers=1) as pool:
        for place, (_, pieces) in enumerate(pool.run(rows.slice(place, 1) for place in range(len(rows)))):
            try:
                labeled = next(pieces)
            except TaskError as error:
                found.append(None)
                bad[place] = str(error)
                continue
            found.append(labeled.probabilities)
            if labeled.bad:
                bad[place] = labeled.bad[0]
    classes = next((row.shape[1] for row in found if row is not None), None)
    if classes is None:
        raise OSError(f"Every face of a range ends its process, first: {bad[0]}.")
    nothing = np.zeros((1, classes), np.float32)
    return Labeled(np.concatenate([nothing if row is None else row for row in found]), bad)
