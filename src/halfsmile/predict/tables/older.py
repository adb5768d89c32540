"""A file that is there already where a table is to be written: an older table, or something else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from halfsmile.predict.tables.settings import settings_path

_HEAD = 1 << 16
_OURS = ("expression", "reason")
_BEGUN = "{} has what a run that was stopped found, and is begun anew; --resume goes on with it instead."


def older_table(path: Path) -> str | None:
    """What to say before an older table, or what a stopped run left, is replaced; None if nothing is.

    Raises:
        ValueError: If the file is no table of predictions, and so must not be lost.
    """
    path = Path(path)
    if not _is_filled(path):
        begun = [
            path.with_name(f"{path.stem}.partial{path.suffix}"),
            path.with_name(f"{path.name}.partial.jsonl"),
        ]
        return next((_BEGUN.format(partial) for partial in begun if _is_filled(partial)), None)
    names = () if settings_path(path).exists() else _columns(path)
    if names is None or (names and not ("source" in names and any(name in names for name in _OURS))):
        raise ValueError(
            f"{path} is there and is no table that `halfsmile predict` wrote. Choose another name, or remove "
            "it."
        )
    return f"{path} is replaced when this run ends; --resume goes on with what is in it instead."


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _columns(path: Path) -> tuple[str, ...] | None:
    """Names of the columns of a file, or of the fields of its first line; None where it has none."""
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return tuple(pq.read_schema(path).names)
        except (OSError, pa.ArrowException):
            return None
    with path.open("rb") as file:
        line = file.readline(_HEAD).decode("utf-8-sig", "replace")
    if path.suffix.lower() == ".csv":
        return tuple(next(csv.reader([line]), ())) or None
    try:
        return tuple(json.loads(line))
    except (ValueError, TypeError):
        return None
