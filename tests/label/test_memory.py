"""What an answer keeps in memory."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path
from typing import NoReturn

from tests.label.conftest import NAMES

from halfsmile.data.manifest import Manifest
from halfsmile.label.session import Labeling

WARM, COUNT = 300, 1200
MOST = 1300
"""Bytes: two dicts, an answer, its token and time, and its place in what is looked up by face and token."""


def no_features() -> NoReturn:
    """Equal pictures would be one question."""
    raise ValueError("There are none.")


def test_an_answer_keeps_itself_and_nothing_else(drawn: tuple[Path, list[str]], tmp_path: Path) -> None:
    rows = [{"image": f"{i % 100:04d}.png", "person": f"person {i % 40}"} for i in range(WARM + COUNT)]
    Manifest.from_rows(rows, drawn[0]).save(tmp_path / "faces.parquet")
    with Labeling.open(
        tmp_path / "faces.parquet", out=tmp_path / "out", classes=NAMES, aligned=True, extractor=no_features
    ) as labeling:

        def answer(first: int, last: int) -> None:
            for i in range(first, last):
                face = labeling.next()[0]
                said = {"face": face["id"], "kind": "label", "labels": [NAMES[i % 3]], "token": f"tab-{i:x}"}
                text = json.dumps(["me", [said]])  # as it comes over HTTP: each text an object of its own
                labeling.answer(*json.loads(text))

        answer(0, WARM)
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            answer(WARM, WARM + COUNT)
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert kept / COUNT < MOST
