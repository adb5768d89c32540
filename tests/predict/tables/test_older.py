"""An older table is told of, and what is none is not lost."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.predict.tables.older import older_table
from halfsmile.predict.tables.settings import write_settings

OURS = ["source", "face", "expression"]


def write(path: Path, names: list[str]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({name: ["x"] for name in names}), path)
    elif path.suffix == ".csv":
        path.write_text(",".join(names) + "\n")
    else:
        path.write_text(json.dumps(dict.fromkeys(names, "x")) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ndjson", ".parquet"])
def test_tables_of_predictions_may_be_replaced_and_others_not(tmp_path: Path, suffix: str) -> None:
    assert older_table(tmp_path / f"none{suffix}") is None
    (tmp_path / f"empty{suffix}").touch()
    assert older_table(tmp_path / f"empty{suffix}") is None
    for names in (OURS, ["kind", "source", "track", "expression"], ["source", "reason"]):
        said = older_table(write(tmp_path / f"ours{suffix}", names))
        assert said is not None
        assert "is replaced when this run ends; --resume" in said
    other = write(tmp_path / f"labels{suffix}", ["image", "expression"])
    with pytest.raises(ValueError, match=r"labels.* is no table that `halfsmile predict` wrote"):
        older_table(other)
    write_settings(other, {"halfsmile": ["1"]})
    assert older_table(other) is not None


@pytest.mark.parametrize(
    ("table", "partial"),
    [("a.csv", "a.partial.csv"), ("a.jsonl", "a.partial.jsonl"), ("a.parquet", "a.parquet.partial.jsonl")],
)
def test_what_a_stopped_run_left_is_told_of(tmp_path: Path, table: str, partial: str) -> None:
    (tmp_path / partial).write_text("source\n")
    said = older_table(tmp_path / table)
    assert said is not None
    assert said.startswith(f"{tmp_path / partial} has what a run that was stopped found")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_what_is_no_table_at_all_is_not_lost(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00 notes")
    with pytest.raises(ValueError, match="is no table"):
        older_table(tmp_path / name)
