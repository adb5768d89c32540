"""Where the two readers of ``metrics.jsonl`` agree, and where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halfsmile.runs.finished import _read_records
from halfsmile.runs.records import read_metrics

ONE, TWO, THREE = (json.dumps({"step": n, "epoch": n / 2, "seconds": 1.5 * n}) for n in (1, 2, 3))
WITHOUT_EPOCH = '{"step": 2, "seconds": 3.0}'
REFUSED = "refused"

CASES = {
    "whole": (f"{ONE}\n{TWO}\n{THREE}\n", [1, 2, 3], [1, 2, 3]),
    "whole, no last line break": (f"{ONE}\n{TWO}\n{THREE}", [1, 2, 3], [1, 2, 3]),
    "empty": ("", [], []),
    "last line cut": (f'{ONE}\n{TWO}\n{{"step": 3, "ep', [1, 2], REFUSED),
    "last line broken, ended": (f'{ONE}\n{TWO}\n{{"step": 3, "ep\n', [1, 2], REFUSED),
    "middle line broken": (f'{ONE}\n{{"step": 2, "ep\n{THREE}\n', [1], REFUSED),
    "blank lines": (f"{ONE}\n\n{TWO}\n  \n{THREE}\n\n", [1], [1, 2, 3]),
    "no epoch": (f"{ONE}\n{WITHOUT_EPOCH}\n{THREE}\n", [1, 2, 3], REFUSED),
    "out of order": (f"{THREE}\n{ONE}\n{TWO}\n", [3, 1, 2], [1, 2, 3]),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_that_each_reader_finds(name: str, tmp_path: Path) -> None:
    text, training, report = CASES[name]
    path = tmp_path / "metrics.jsonl"
    path.write_text(text, encoding="utf-8")
    assert [line["step"] for line in read_metrics(path)] == training
    if report == REFUSED:
        with pytest.raises(ValueError, match=r"metrics\.jsonl, line \d"):
            _read_records(path)
    else:
        assert [line["step"] for line in _read_records(path)] == report
