"""Labels for a store by a model whose answers are known: killed, with bad faces, in every format."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tests.predict.conftest import CENTERS, LABELS, brightness_model, expected

from halfsmile.data.exchange.import_labels import import_labels
from halfsmile.data.readers import table
from halfsmile.data.store import read as stores
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.pseudo_labels import parts as pseudo_label_parts
from halfsmile.predict.pseudo_labels.run import PseudoLabelSummary, pseudo_label
from halfsmile.predict.pseudo_labels.work import Labeler
from halfsmile.taxonomy import from_labels

GREYS = [*range(0, 256, 5)] * 4
BAD = (7, 100)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain faces of 208 brightnesses in several shards, two of them damaged."""
    root = tmp_path_factory.mktemp("gray") / "store"
    with StoreWriter(root, shard_size=40_000) as writer:
        for row, gray in enumerate(GREYS):
            data = bytes(cv2.imencode(".png", np.full((40, 40), gray, np.uint8))[1])
            data = data[:30] + bytes(20) if row in BAD else data
            seen: dict[str, Any] = {"video": "clip", "frame": row, "time": row / 25, "track": 1}
            writer.add(f"source {row}", [StoredFace(data, 40, 40, **(seen if row % 2 else {}))])
    return root


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_label_parts, "RANGE", 8)
    monkeypatch.setattr(pseudo_label_parts, "PART", 3)


def run(store: Path, out: Path, model: Path, **options: Any) -> PseudoLabelSummary:
    return pseudo_label(store, out, model=model, progress=False, **{"workers": 0} | options)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def test_every_face_has_a_row_with_the_models_answer(store: Path, model_file: Path, tmp_path: Path) -> None:
    summary = run(store, tmp_path / "table.parquet", model_file)
    rows, index = rows_of(tmp_path / "table.parquet"), stores.read_index(store)[0].to_pylist()
    assert [row["image"] for row in rows] == stores.read(store).column("image")
    for name in ("sha256", "source", "video", "frame", "time", "track"):
        assert [row[name] for row in rows] == [row[name] for row in index]
    for row, gray in zip(rows, GREYS, strict=True):
        if row["reason"] is not None:
            continue
        probabilities = expected(gray)
        assert [row[f"p_{label}"] for label in LABELS] == pytest.approx(probabilities, abs=1e-5)
        assert row["expression"] == LABELS[int(probabilities.argmax())]
        assert row["confidence"] == max(row[f"p_{label}"] for label in LABELS)
        assert row["accepted"] == (row["confidence"] >= 0.75)
        assert row["label"] == (row["expression"] if row["accepted"] else None)
    bad = [number for number, row in enumerate(rows) if row["reason"] is not None]
    assert bad == list(BAD)
    assert all(rows[row][name] is None for row in BAD for name in ("expression", "confidence", "p_dim"))
    assert not any(rows[row]["accepted"] for row in BAD)
    assert summary.counts.bad == 2
    assert [image for image, _ in summary.counts.first_bad] == [rows[row]["image"] for row in BAD]
    assert sum(summary.counts.classes.values()) == len(GREYS) - 2
    assert sum(summary.counts.accepted.values()) == sum(row["accepted"] for row in rows)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.parametrize(
    ("given", "own", "used", "source"),
    [(0.9, 0.75, 0.9, "given"), (None, 0.75, 0.75, "model"), (None, None, 0.7, "default")],
)
def test_the_threshold_is_the_given_one_or_the_models_or_the_usual_one(
    store: Path, tmp_path: Path, given: float | None, own: float | None, used: float, source: str
) -> None:
    model = brightness_model(tmp_path / "model.onnx", threshold=own)
    summary = run(store, tmp_path / "table.parquet", model, threshold=given)
    assert (summary.selection.threshold, summary.threshold_from) == (used, source)
    for row in rows_of(tmp_path / "table.parquet"):
        assert row["accepted"] == (row["confidence"] is not None and row["confidence"] >= used)


def test_beside_the_table_stands_how_it_was_made(store: Path, model_file: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "table.csv", model_file, threshold=0.8, per_class=5)
    record = json.loads((tmp_path / "table.csv.settings.json").read_text())
    assert record["store"] == str(store.resolve())
    assert (tmp_path / record["store_from_here"]).resolve() == store.resolve()
    assert (record["threshold"], record["per_class"]) == (0.8, 5)
    assert record["model_sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()


def test_at_most_so_many_of_a_class_are_the_surest(store: Path, model_file: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "all.parquet", model_file, threshold=0.0)
    summary = run(store, tmp_path / "some.parquet", model_file, threshold=0.8, per_class=5)
    everything = rows_of(tmp_path / "all.parquet")
    for label in LABELS:
        sure = [
            (-row["confidence"], number)
            for number, row in enumerate(everything)
            if row["expression"] == label and row["confidence"] >= 0.8
        ]
        wanted = {number for _, number in sorted(sure)[:5]}
        found = {n for n, row in enumerate(rows_of(tmp_path / "some.parquet")) if row["label"] == label}
        assert found == wanted
        assert summary.counts.accepted[label] == 5


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_table_is_a_table_of_labels(store: Path, model_file: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"labels{suffix}"
    run(store, tmp_path / "reference.parquet", model_file)
    run(store, out, model_file)
    reference = rows_of(tmp_path / "reference.parquet")
    wanted = [row["label"] for row in reference]
    taxonomy = from_labels(LABELS)
    imported = import_labels(stores.read(store), out, taxonomy=taxonomy)
    assert imported.column("label") == wanted
    assert table.read(out, images=store, taxonomy=taxonomy).column("label") == wanted
    if suffix == ".csv":
        with out.open(newline="", encoding="utf-8") as file:
            found: Sequence[dict[str, Any]] = list(csv.DictReader(file))
        assert [row["accepted"] for row in found] == [str(row["accepted"]).lower() for row in reference]
    elif suffix == ".jsonl":
        found = [json.loads(line) for line in out.read_text().splitlines()]
        assert list(found[0]) == list(reference[0])
        assert [row["frame"] for row in found] == [row["frame"] for row in reference]


def test_killed_and_with_other_processes_the_table_is_the_same(
    store: Path, model_file: Path, tmp_path: Path
) -> None:
    """Real kill -9 while faces are classified."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from halfsmile.predict.pseudo_labels import parts\n"
        "from halfsmile.predict.pseudo_labels.run import pseudo_label\n"
        "from halfsmile.predict.pseudo_labels.work import Labeler\n"
        "parts.RANGE, parts.PART = 8, 3\n"
        "real = Labeler.__call__\n"
        "def slow(*arguments):\n"
        "    time.sleep(0.1)\n"
        "    return real(*arguments)\n"
        "Labeler.__call__ = slow\n"
        "if __name__ == '__main__':\n"
        "    pseudo_label(Path(sys.argv[1]), Path('table.parquet'), model=sys.argv[2], workers=1)\n"
    )
    (tmp_path / "main.py").write_text(program)
    parts = tmp_path / "table.parquet.parts"
    for number in (1, 3):
        process = subprocess.Popen([sys.executable, "main.py", str(store), str(model_file)], cwd=tmp_path)
        deadline = time.monotonic() + 60
        while not (parts / f"part-{number:06d}.parquet").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it must not have been finished yet"
        assert not (tmp_path / "table.parquet").exists()
    summary = run(store, tmp_path / "table.parquet", model_file, workers=2)
    assert summary.known_faces >= 4 * 24
    run(store, tmp_path / "whole.parquet", model_file)
    assert (tmp_path / "table.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_face_that_kills_its_process_costs_only_itself(
    store: Path, model_file: Path, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import halfsmile.predict.pseudo_labels.work as work\n"
        "from halfsmile.predict.pseudo_labels.run import pseudo_label\n"
        "real = work.decode\n"
        "def deadly(data, name):\n"
        "    if name.startswith('faces-00000.tar#1536+'): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return real(data, name)\n"
        "work.decode = deadly\n"
        "if __name__ == '__main__':\n"
        "    pseudo_label(Path(sys.argv[1]), Path('table.parquet'), model=sys.argv[2], workers=1)\n"
    )
    (tmp_path / "main.py").write_text(program)
    command = [sys.executable, "main.py", str(store), str(model_file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    reasons = [row["reason"] for row in rows_of(tmp_path / "table.parquet")]
    assert [row for row, reason in enumerate(reasons) if reason] == [1, *BAD]
    assert reasons[1] == "its process ended (signal 11, SIGSEGV)"


def test_what_was_begun_goes_on_with_the_same_store_and_model(
    store: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "table.parquet"
    monkeypatch.setattr(Labeler, "__call__", _fails)
    with pytest.raises(ZeroDivisionError):
        run(store, out, model_file)
    monkeypatch.undo()
    other = brightness_model(tmp_path / "other.onnx", threshold=0.8)
    with pytest.raises(ValueError, match="begun with another model"):
        run(store, out, other)
    run(store, out, model_file)
    before = out.read_bytes()
    with pytest.raises(ValueError, match=r"table\.parquet exists"):
        run(store, out, other)
    assert out.read_bytes() == before


def test_what_cannot_be_done_is_refused(store: Path, model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a face store.*halfsmile data prepare"):
        run(tmp_path, tmp_path / "table.csv", model_file)
    with pytest.raises(ValueError, match=r"a table is a file named \.csv"):
        run(store, tmp_path / "table.txt", model_file)
    with pytest.raises(ValueError, match=r"between 0 and 1, found 1\.5"):
        run(store, tmp_path / "table.csv", model_file, threshold=1.5)
    with pytest.raises(ValueError, match="per class must be at least 1, found 0"):
        run(store, tmp_path / "table.csv", model_file, per_class=0)
    with StoreWriter(tmp_path / "empty") as writer:
        writer.leave_out("nothing", "it is not there")
    with pytest.raises(ValueError, match="holds no face"):
        run(tmp_path / "empty", tmp_path / "table.csv", model_file)
    assert not list(tmp_path.glob("table*"))


def test_a_shard_that_is_missing_stops_the_run(store: Path, model_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in store.glob("*"):
        os.link(path, copy / path.name)
    (copy / "faces-00001.tar").unlink()
    with pytest.raises(ValueError, match=r"lacks 1 shards, first faces-00001\.tar"):
        run(copy, tmp_path / "table.csv", model_file)
    index = stores.read_index(copy, ["shard", "offset", "length"])[0]
    rows = index.filter(np.array(index["shard"]) == 1).slice(0, 2)
    (labeled,) = Labeler(copy, (model_file.read_bytes(), "model"))(rows)
    assert labeled.failure is not None
    assert "No such file" in labeled.failure


def test_the_summary_is_for_people(store: Path, model_file: Path, tmp_path: Path) -> None:
    summary = run(store, tmp_path / "table.csv", model_file, per_class=9)
    console = Console(record=True, width=100)
    summary.render(console)
    shown = console.export_text()
    assert "208 faces in" in shown
    assert "0.750 (the model's own), at most 9 of a class" in shown
    assert "2 faces can't be read" in shown
    for label in LABELS:
        assert label in shown


def test_ranges_are_the_same_wherever_a_run_begins(store: Path, model_file: Path, tmp_path: Path) -> None:
    """Equal batches give equal bits: 24 faces into the store the ranges are those of a whole run."""
    data = model_file.read_bytes()
    labels = ExpressionModel.load(model_file, threads=1).labels
    assert len(labels) == len(CENTERS)
    with pseudo_label_parts.LabelParts(tmp_path / "t.csv", store, data, labels) as parts:
        whole = list(parts.ranges())
        parts.done = 24
        assert list(parts.ranges()) == whole[3:]


def _fails(*_: object) -> None:
    raise ZeroDivisionError
