"""The rows of faces that an unfinished or whole table holds, as they were written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halfsmile.predict.tables.columns import TEXTS, WHOLE_NUMBERS, Row
from halfsmile.predict.tables.row_formats import JsonRows, RowFormat, json_objects


def read_rows(path: Path, rows: RowFormat) -> Iterator[Row]:
    """Rows with the columns of :mod:`halfsmile.predict.tables.columns`, whatever the table's own format.

    Args:
        path: The table, of text (that of Parquet while it is written).
        rows: What its rows look like.
    """
    if isinstance(rows, JsonRows):
        with path.open("rb") as file:
            for found, _, _ in json_objects(file):
                probabilities = found.get("probabilities") or {}
                yield found | {f"p_{label}": value for label, value in probabilities.items()}
    elif rows.suffix == ".jsonl":
        with path.open("rb") as file:
            json.loads(file.readline())  # names of the columns
            for found, _, _ in json_objects(file):
                yield found
    else:
        with path.open(encoding="utf-8", errors="replace", newline="") as text:
            for line in csv.DictReader(text):
                yield {name: _value(name, value) for name, value in line.items() if name}


def _value(name: str, text: str | None) -> Any:
    if not text:
        return None
    if name in TEXTS:
        return text
    if text in ("true", "false"):
        return text == "true"
    return int(text) if name in WHOLE_NUMBERS else float(text)
